package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// A sealed value describes itself:
//
//	magic "CPMS" ‖ format 1 ‖ KEK version (8) ‖ salt (32) ‖ commitment (32) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// It is encrypted with AES-256-GCM under a key derived from KEK, salt and object, and no other value ever uses that key.
// GCM alone would let one ciphertext open under two keys; the commitment, checked first, does not.
const (
	magic      = "CPMS\x01"
	saltSize   = 32
	headerSize = len(magic) + 8 + saltSize
	minimum    = headerSize + sha256.Size + 12 + 16
)

// AD is what a sealed key is bound to: the immutable facts of its record. The store's id is added by the ring.
type AD struct {
	Object               [16]byte
	Version              int64
	Kind, Use, Algorithm string
}

// encode is unambiguous: every text has its length before it.
func (a AD) encode(storeID [16]byte) []byte {
	out := append([]byte("cpm sealed v1"), storeID[:]...)
	out = append(out, a.Object[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(a.Version))
	for _, s := range []string{a.Kind, a.Use, a.Algorithm} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
		out = append(out, s...)
	}
	return out
}

// Seal encrypts a key for its record. The space's key-encryption key is made in the same transaction if there is none.
func (k *Keyring) Seal(tx *store.Tx, space string, ad AD, clear secret.Bytes) ([]byte, error) {
	version, kek, err := k.kek(tx, space)
	if err != nil {
		return nil, err
	}
	header := binary.BigEndian.AppendUint64([]byte(magic), uint64(version))
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt)
	header = append(header, salt...)
	own, err := derive(kek, header, ad)
	if err != nil {
		return nil, err
	}
	defer own.Destroy()
	aead, err := newAEAD(own.Open(secret.Token{})[:keySize])
	if err != nil {
		return nil, err
	}
	blob := append(header, commitment(own, header)...)
	return aead.Seal(blob, nil, clear.Open(secret.Token{}), append(ad.encode(k.storeID), header...)), nil
}

// Open decrypts a key for its record. Whatever is wrong, the error says the same.
func (k *Keyring) Open(space string, ad AD, blob []byte) (secret.Bytes, error) {
	clear, err := k.open(space, ad, blob)
	if err != nil {
		return secret.Bytes{}, fault.New(fault.Internal, "%s", errRefused).Because(err)
	}
	return clear, nil
}

func (k *Keyring) open(space string, ad AD, blob []byte) (secret.Bytes, error) {
	if len(blob) < minimum || !bytes.HasPrefix(blob, []byte(magic)) {
		return secret.Bytes{}, errRefused
	}
	header, rest := blob[:headerSize:headerSize], blob[headerSize:]
	kek, ok := k.kekOf(space, int64(binary.BigEndian.Uint64(header[len(magic):])))
	if !ok {
		return secret.Bytes{}, errRefused
	}
	own, err := derive(kek, header, ad)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer own.Destroy()
	if subtle.ConstantTimeCompare(rest[:sha256.Size], commitment(own, header)) != 1 {
		return secret.Bytes{}, errRefused
	}
	aead, err := newAEAD(own.Open(secret.Token{})[:keySize])
	if err != nil {
		return secret.Bytes{}, err
	}
	clear, err := aead.Open(nil, nil, rest[sha256.Size:], append(ad.encode(k.storeID), header...))
	if err != nil {
		return secret.Bytes{}, errRefused
	}
	return secret.Take(clear), nil
}

func (k *Keyring) kekOf(space string, version int64) (secret.Bytes, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	kek, ok := k.keks[kekName{space, version}]
	return kek, ok
}

// derive makes the value's own keys: 32 bytes to encrypt, 32 to commit.
func derive(kek secret.Bytes, header []byte, ad AD) (secret.Bytes, error) {
	info := append([]byte("cpm sealed key v1"), ad.Object[:]...)
	info = binary.BigEndian.AppendUint64(info, uint64(ad.Version))
	own, err := hkdf.Key(sha256.New, kek.Open(secret.Token{}), header[len(header)-saltSize:], string(info), 2*keySize)
	return secret.Take(own), err
}

// commitment binds header and keys: a value that opens under one key opens under no other.
func commitment(own secret.Bytes, header []byte) []byte {
	h := hmac.New(sha256.New, own.Open(secret.Token{})[keySize:])
	h.Write([]byte("cpm commitment v1"))
	h.Write(header)
	return h.Sum(nil)
}
