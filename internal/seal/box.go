package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// A box is sealed bytes that say themselves how to open them:
//
//	magic "CPMB" (4) ‖ format 1 (1) ‖ version of the sealing key (4, big endian) ‖ salt (32) ‖ commitment (32)
//	‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// HKDF-SHA256 (RFC 5869) over the sealing key, the salt and "cpm box 1" ‖ head ‖ context gives 64 bytes: the AES-256 key
// of this box and the commitment, where head is the first nine bytes and context says what the box is for. As a key
// seals one box only, random nonces never run out. GCM by itself can be opened under several keys; the commitment is a
// hash of key and context for which nobody finds two, and is compared before anything is decrypted. Head, salt,
// commitment and context are also the associated data.
const (
	magic      = "CPMB"
	format     = 1
	headBytes  = len(magic) + 1 + 4
	saltBytes  = 32
	nonceBytes = 12
	tagBytes   = 16
	openBytes  = headBytes + saltBytes + sha256.Size // what precedes the nonce
	boxBytes   = openBytes + nonceBytes + tagBytes   // of a box that holds nothing
)

// errOpen is the one answer to every box that does not open: what was wrong helps nobody but an attacker.
func errOpen() error { return fault.New(fault.Internal, "sealed bytes cannot be opened") }

// seal makes a box of clear, which the caller keeps.
func seal(key secret.Bytes, version uint32, context []byte, clearText secret.Bytes) ([]byte, error) {
	box := make([]byte, openBytes, boxBytes+clearText.Len())
	copy(box, magic)
	box[len(magic)] = format
	binary.BigEndian.PutUint32(box[len(magic)+1:], version)
	_, _ = rand.Read(box[headBytes : headBytes+saltBytes]) // never fails
	gcm, commitment, err := open(key, box, context)
	if err != nil {
		return nil, err
	}
	copy(box[headBytes+saltBytes:], commitment)
	sealed := gcm.Seal(box, nil, clearText.Open(secret.Token{}), associated(box, context)) //nolint:gosec // it draws the nonce itself
	return sealed, nil
}

// unseal opens a box. The caller owns the result.
func unseal(key secret.Bytes, context, box []byte) (secret.Bytes, error) {
	if _, ok := sealedBy(box); !ok {
		return secret.Bytes{}, errOpen()
	}
	gcm, commitment, err := open(key, box, context)
	if err != nil || subtle.ConstantTimeCompare(commitment, box[headBytes+saltBytes:openBytes]) != 1 {
		return secret.Bytes{}, errOpen()
	}
	clearText, err := gcm.Open(nil, nil, box[openBytes:], associated(box[:openBytes], context))
	if err != nil {
		return secret.Bytes{}, errOpen()
	}
	return secret.Take(clearText), nil
}

// sealedBy reads the version of the sealing key, if it is a box at all.
func sealedBy(box []byte) (version uint32, ok bool) {
	if len(box) < boxBytes || !bytes.HasPrefix(box, []byte(magic)) || box[len(magic)] != format {
		return 0, false
	}
	return binary.BigEndian.Uint32(box[len(magic)+1:]), true
}

// open derives the cipher and the commitment of the box that begins as given.
func open(key secret.Bytes, box, context []byte) (cipher.AEAD, []byte, error) {
	info := "cpm box 1" + string(box[:headBytes]) + string(context)
	derived, err := hkdf.Key(sha256.New, key.Open(secret.Token{}), box[headBytes:headBytes+saltBytes], info, keyBytes+sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	defer clear(derived[:keyBytes])
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	return gcm, derived[keyBytes:], err
}

func associated(opening, context []byte) []byte {
	return append(append(make([]byte, 0, openBytes+len(context)), opening...), context...)
}
