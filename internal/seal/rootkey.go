package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// fileBytes is the size of a root-key file: base64 (RFC 4648, section 4) of the key and a line feed.
const fileBytes = (keyBytes+2)/3*4 + 1

// CreateRootKeyFile makes a new root key and writes it to a new file: one line of base64, readable by its owner only, on
// disk before the function returns. A file that is there is never touched; that is fault.State.
//
// Whoever has this file and the database has the keys: keep it on another medium than the database and its backups.
func CreateRootKeyFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.State, "the root-key file is there already; it is never overwritten").Because(err)
	}
	if err != nil {
		return fault.New(fault.State, "the root-key file cannot be made").Because(err)
	}
	if err := errors.Join(writeKey(f), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		_ = os.Remove(path) // half a key must not be taken for one
		return fault.New(fault.State, "the root-key file cannot be written").Because(err)
	}
	return nil
}

func writeKey(f *os.File) error {
	var key [keyBytes]byte
	_, _ = rand.Read(key[:]) // never fails
	defer clear(key[:])
	line := append(base64.StdEncoding.AppendEncode(make([]byte, 0, fileBytes), key[:]), '\n')
	defer clear(line)
	if _, err := f.Write(line); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the entry of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenRootKeyFile reads a root-key file. One that is not a regular file, belongs to somebody else or can be read by
// others is refused: fault.State.
func OpenRootKeyFile(path string) (Provider, error) {
	f, err := openWithoutWaiting(path)
	if err != nil {
		return nil, fault.New(fault.State, "the root-key file cannot be opened; hint: cpm root-key create makes one").Because(err)
	}
	defer func() { _ = f.Close() }()
	if err := checkFile(f); err != nil {
		return nil, err
	}
	text := make([]byte, fileBytes+2) // a carriage return more, and one to notice what is too long
	defer clear(text)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.State, "the root-key file cannot be read").Because(err)
	}
	return parseKey(text[:n])
}

func parseKey(text []byte) (Provider, error) {
	line := bytes.TrimRight(text, "\r\n")
	key := make([]byte, fileBytes)
	n := 0
	var err error
	if len(line) == fileBytes-1 && len(text) <= fileBytes+1 { // the decoder would skip line ends within
		n, err = base64.StdEncoding.Strict().Decode(key, line)
	}
	if err != nil || n != keyBytes {
		clear(key)
		return nil, fault.New(fault.State, "the root-key file must hold one line: 32 bytes in base64")
	}
	return &rootKey{secret.Take(key[:keyBytes])}, nil
}

// checkFile judges the file that is open, so that nobody can exchange it in between.
func checkFile(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return fault.New(fault.State, "the root-key file cannot be opened").Because(err)
	case !info.Mode().IsRegular():
		return fault.New(fault.State, "the root-key file must be a regular file")
	case !ownedByUs(info):
		return fault.New(fault.State, "the root-key file must belong to the user this program runs as; hint: chown")
	case info.Mode().Perm()&0o077 != 0:
		return fault.New(fault.State, "others can read or write the root-key file; hint: chmod 600")
	}
	return nil
}

// rootKey is a root key in memory.
type rootKey struct{ key secret.Bytes }

// Name implements Provider.
func (r *rootKey) Name() string { return "file" }

// Wrap implements Provider.
func (r *rootKey) Wrap(_ context.Context, plaintext secret.Bytes, aad []byte) ([]byte, error) {
	return seal(r.key, 0, aad, plaintext)
}

// Unwrap implements Provider.
func (r *rootKey) Unwrap(_ context.Context, blob, aad []byte) (secret.Bytes, error) {
	return unseal(r.key, aad, blob)
}
