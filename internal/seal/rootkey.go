package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
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
func CreateRootKeyFile(path string) error { return writeNew(path, newLine()) }

func writeNew(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.State, "the root-key file is there already; it is never overwritten").Because(err)
	}
	if err != nil {
		return fault.New(fault.State, "the root-key file cannot be made").Because(err)
	}
	if err := errors.Join(writeLine(f, line), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		_ = os.Remove(path) // half a key must not be taken for one
		return fault.New(fault.State, "the root-key file cannot be written").Because(err)
	}
	return nil
}

func newLine() []byte {
	var key [keyBytes]byte
	_, _ = rand.Read(key[:]) // never fails
	defer clear(key[:])
	return append(base64.StdEncoding.AppendEncode(make([]byte, 0, fileBytes), key[:]), '\n')
}

func writeLine(f *os.File, line []byte) error {
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

// InstallRootKeyFile copies a root key from where a system keeps its secrets, with an owner and a mode of its own, to a new
// file as OpenRootKeyFile wants it. What is not a root key is refused, and so is a file that is there already and holds
// another one: fault.State.
func InstallRootKeyFile(from, to string) error {
	f, err := openWithoutWaiting(from)
	if err != nil {
		return fault.New(fault.State, "the file with the root key cannot be opened").Because(err)
	}
	defer func() { _ = f.Close() }()
	line, err := readLine(f)
	if err != nil {
		return err
	}
	err = writeNew(to, bytes.Clone(line))
	defer clear(line)
	if errors.Is(err, fs.ErrExist) && holds(to, line) {
		return nil
	}
	return err
}

// holds says whether the file is a good root-key file with that line.
func holds(path string, line []byte) bool {
	f, err := openWithoutWaiting(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if checkFile(f) != nil {
		return false
	}
	there, err := readLine(f)
	defer clear(there)
	return err == nil && subtle.ConstantTimeCompare(there, line) == 1
}

// readLine reads a root key as it is written; its text is checked.
func readLine(f *os.File) ([]byte, error) {
	text := make([]byte, fileBytes+2) // a carriage return more, and one to notice what is too long
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.State, "the root-key file cannot be read").Because(err)
	}
	p, err := parseKey(text[:n])
	if err != nil {
		clear(text)
		return nil, err
	}
	p.key.Destroy()
	return append(bytes.TrimRight(text[:n], "\r\n"), '\n'), nil
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
	line, err := readLine(f)
	if err != nil {
		return nil, err
	}
	defer clear(line)
	key, err := parseKey(line)
	if err != nil {
		return nil, err
	}
	return key, nil
}

func parseKey(text []byte) (*rootKey, error) {
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
