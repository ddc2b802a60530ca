package symmetric

import (
	"crypto/cipher"
	"sync/atomic"

	"github.com/mojaloop/cpm/internal/fault"
)

// MaxMessages is how many messages one AES-GCM key may encrypt with random nonces of 96 bits (NIST SP 800-38D, section 8.3).
const MaxMessages = 1 << 32

// GCM is AES-GCM with random nonces of 12 octets and tags of 16 (NIST SP 800-38D).
type GCM struct {
	aead cipher.AEAD
	// sealed counts the messages of this copy of the key. It is the last stop; what all copies of a key did together is
	// counted with the key.
	sealed atomic.Uint64
}

func newGCM(b cipher.Block) (any, error) {
	aead, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		return nil, fault.New(fault.Device, "the key cannot be used").Because(err)
	}
	return &GCM{aead: aead}, nil
}

// Seal encrypts and authenticates: nonce, ciphertext and tag, 28 octets more than the plaintext. A key that has done
// MaxMessages is at its end, which is State.
func (g *GCM) Seal(plaintext, associated []byte) ([]byte, error) {
	if g.sealed.Add(1) > MaxMessages {
		return nil, fault.New(fault.State, "the key has encrypted as many messages as it may; add a new version of it")
	}
	return g.aead.Seal(nil, nil, plaintext, associated), nil //nolint:gosec // the AEAD makes the nonce and takes none
}

// Open decrypts what Seal made; anything else is Refused.
func (g *GCM) Open(sealed, associated []byte) ([]byte, error) {
	plaintext, err := g.aead.Open(nil, nil, sealed, associated)
	if err != nil {
		return nil, refused("the tag of AES-GCM does not fit")
	}
	return plaintext, nil
}
