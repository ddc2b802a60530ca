package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"io"
	"os"
	"strings"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// Provider holds a root key and uses it on behalf of the ring; the key itself never leaves it. Wrap and Unwrap bind the
// blob to the associated data.
type Provider interface {
	// Name says which kind of provider it is, as stored with what it wrapped.
	Name() string
	Wrap(ctx context.Context, clear secret.Bytes, aad []byte) ([]byte, error)
	Unwrap(ctx context.Context, blob, aad []byte) (secret.Bytes, error)
}

// keySize is the size of the root key, of terms and of key-encryption keys.
const keySize = 32

// maxRootKeyFile bounds what is read of a root-key file.
const maxRootKeyFile = 256

// rootKeyFile is the provider over a file.
type rootKeyFile struct{ aead cipher.AEAD }

// CreateRootKeyFile makes a new root key: one line, 32 bytes in standard base64, mode 0600. A file that is there stays as
// it is and is an error.
func CreateRootKeyFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.New(fault.State, "the root-key file cannot be made; it must not be there yet, in a directory of this user").Because(err)
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	line := append(base64.StdEncoding.AppendEncode(nil, key), '\n')
	defer clear(key)
	defer clear(line)
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fault.New(fault.State, "the root-key file cannot be written").Because(err)
	}
	return nil
}

// OpenRootKeyFile reads a root key. The file must be a regular one that belongs to this user and that nobody else may
// read.
func OpenRootKeyFile(path string) (Provider, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.State, "the root-key file cannot be opened; make one with: cpm root-key create").Because(err)
	}
	defer func() { _ = f.Close() }()
	if err := private(f); err != nil {
		return nil, err
	}
	line, err := io.ReadAll(io.LimitReader(f, maxRootKeyFile))
	if err != nil {
		return nil, fault.New(fault.State, "the root-key file cannot be read").Because(err)
	}
	defer clear(line)
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(line)))
	defer clear(key)
	if err != nil || len(key) != keySize {
		return nil, fault.New(fault.State, "the root-key file must hold one line: 32 bytes in base64")
	}
	aead, err := newAEAD(key)
	return rootKeyFile{aead}, err
}

// private refuses a file that anybody else may read, or that belongs to somebody else.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fault.New(fault.State, "the root-key file cannot be examined").Because(err)
	}
	if !info.Mode().IsRegular() {
		return fault.New(fault.State, "the root key must be in a regular file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.State, "the root-key file may be read by others; run: chmod 600 on it")
	}
	return owned(info)
}

// newAEAD is AES-256-GCM that puts a random nonce before each ciphertext.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Name is "file".
func (rootKeyFile) Name() string { return "file" }

// Wrap encrypts under the root key.
func (r rootKeyFile) Wrap(_ context.Context, clear secret.Bytes, aad []byte) ([]byte, error) {
	return r.aead.Seal(nil, nil, clear.Open(secret.Token{}), aad), nil
}

// Unwrap decrypts under the root key.
func (r rootKeyFile) Unwrap(_ context.Context, blob, aad []byte) (secret.Bytes, error) {
	clear, err := r.aead.Open(nil, nil, blob, aad)
	if err != nil {
		return secret.Bytes{}, errRefused
	}
	return secret.Take(clear), nil
}
