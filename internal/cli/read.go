package cli

import (
	"errors"
	"io"
	"os"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// Bounds of what is read.
const (
	maxDesired = 7 << 20  // the door takes 8 MiB with its frame
	maxMessage = 12 << 20 // as the Mojaloop port
	maxPEM     = 64 << 10
)

// readInput reads a file, or standard input for "-".
func (a *app) readInput(file string, limit int64) ([]byte, error) {
	if file == "-" {
		return readLimited(a.io.In, "standard input", limit)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	return readLimited(f, "the file", limit)
}

func readLimited(r io.Reader, what string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "%s cannot be read", what).Because(err)
	case int64(len(text)) > limit:
		return nil, fault.New(fault.TooLarge, "%s is longer than %d bytes", what, limit)
	}
	return text, nil
}

func unreadable(err error) error { return wrongUseBecause(err, "the file cannot be read") }

func wrongUseBecause(err error, text string) error {
	return fault.New(fault.Invalid, "%s", text).Because(err)
}

// readSecret reads a private or secret key from a file, from a descriptor (/dev/fd/3) or from standard input ("-") into the one
// buffer that is cleared after use. A file that others may read is refused.
func (a *app) readSecret(file string) (secret.Bytes, error) {
	if file == "-" {
		return secretOf(a.io.In)
	}
	f, err := os.Open(file)
	if err != nil {
		return secret.Bytes{}, unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return secret.Bytes{}, unreadable(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return secret.Bytes{}, withHint(wrongUse("the file of the key may be read by others (mode %04o)", info.Mode().Perm()),
			"close it, and think about whether the key is still secret: chmod 600 %s", file)
	}
	return secretOf(f)
}

func secretOf(r io.Reader) (secret.Bytes, error) {
	buffer := make([]byte, maxPEM+1)
	n, err := io.ReadFull(r, buffer)
	text := secret.Take(buffer)
	switch {
	case err == nil:
		text.Destroy()
		return secret.Bytes{}, fault.New(fault.TooLarge, "the key is longer than %d bytes", maxPEM)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		text.Destroy()
		return secret.Bytes{}, wrongUseBecause(err, "the key cannot be read")
	case n == 0:
		return secret.Bytes{}, wrongUse("there is no key to read")
	}
	return secret.Take(buffer[:n]), nil
}
