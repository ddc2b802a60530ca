package symmetric

import (
	"crypto/cipher"
	"crypto/subtle"
	"hash"

	"github.com/mojaloop/cpm/internal/fault"
)

// HMAC is HMAC with a hash of SHA-2 (FIPS 198-1).
type HMAC struct {
	// keyed has taken in the key and nothing else; it is only cloned, so that a MAC does not hash the key again.
	keyed hash.Cloner
}

func newHMAC(h hash.Hash) (any, error) {
	keyed, ok := h.(hash.Cloner)
	if !ok {
		return nil, fault.New(fault.Device, "the hash of the MAC cannot be cloned")
	}
	return &HMAC{keyed}, nil
}

// MAC is the whole code, as long as the hash.
func (h *HMAC) MAC(data []byte) ([]byte, error) {
	state, err := h.keyed.Clone()
	if err != nil {
		return nil, fault.New(fault.Device, "the hash of the MAC cannot be cloned").Because(err)
	}
	state.Write(data)
	return state.Sum(nil), nil
}

// blockSize is that of AES.
const blockSize = 16

// CMAC is AES-CMAC (RFC 4493; NIST SP 800-38B).
type CMAC struct {
	block cipher.Block
	// whole and partial are the subkeys K1 and K2: one is added to the last block, whether it is a whole one or not.
	whole, partial [blockSize]byte
}

func newCMAC(b cipher.Block) (any, error) {
	c := &CMAC{block: b}
	var zero [blockSize]byte
	b.Encrypt(c.whole[:], zero[:])
	c.whole = double(c.whole)
	c.partial = double(c.whole)
	return c, nil
}

// double multiplies by x in GF(2^128), without a branch on the value (RFC 4493, section 2.3).
func double(in [blockSize]byte) (out [blockSize]byte) {
	for i := range blockSize - 1 {
		out[i] = in[i]<<1 | in[i+1]>>7
	}
	out[blockSize-1] = in[blockSize-1]<<1 ^ (in[0]>>7)*0x87
	return out
}

// MAC is the whole code of 16 octets.
func (c *CMAC) MAC(data []byte) ([]byte, error) {
	state := make([]byte, blockSize)
	for ; len(data) > blockSize; data = data[blockSize:] {
		subtle.XORBytes(state, state, data[:blockSize])
		c.block.Encrypt(state, state)
	}
	subtle.XORBytes(state, state, data)
	if len(data) == blockSize {
		subtle.XORBytes(state, state, c.whole[:])
	} else {
		state[len(data)] ^= 0x80
		subtle.XORBytes(state, state, c.partial[:])
	}
	c.block.Encrypt(state, state)
	return state, nil
}
