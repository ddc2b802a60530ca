package symmetric

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"github.com/mojaloop/cpm/internal/fault"
)

// MaxMaterial is the longest material that is wrapped, in octets: wrapping is for keys, and passes over them six times.
const MaxMaterial = 16 << 10

// semiblock is half a block of AES.
const semiblock = 8

// Integrity check values: of KW (RFC 3394, section 2.2.3.1), and the first half of that of KWP (RFC 5649, section 3).
const (
	checkKW  = 0xA6A6A6A6A6A6A6A6
	checkKWP = 0xA65959A6
)

// KW is AES key wrap (RFC 3394): material of two semiblocks and more.
type KW struct{ block cipher.Block }

func newKW(b cipher.Block) (any, error) { return &KW{b}, nil }

// Wrap makes 8 octets more of the material. A length it cannot have is Invalid or TooLarge.
func (k *KW) Wrap(material []byte) ([]byte, error) {
	switch {
	case len(material) > MaxMaterial:
		return nil, tooMuchMaterial()
	case len(material) < 2*semiblock || len(material)%semiblock != 0:
		return nil, fault.New(fault.Invalid, "AES key wrap takes material of 16, 24, 32 … bytes; name a key for KWP for other lengths")
	}
	out := make([]byte, semiblock, semiblock+len(material))
	binary.BigEndian.PutUint64(out, checkKW)
	out = append(out, material...)
	wrap(k.block, out)
	return out, nil
}

// Unwrap gives the material back; whatever Wrap did not make is Refused.
func (k *KW) Unwrap(wrapped []byte) ([]byte, error) {
	if !wrappedLength(len(wrapped), 3*semiblock) {
		return nil, refused("no wrapped key has this length")
	}
	clear := append([]byte(nil), wrapped...)
	unwrap(k.block, clear)
	var check [semiblock]byte
	binary.BigEndian.PutUint64(check[:], checkKW)
	if subtle.ConstantTimeCompare(clear[:semiblock], check[:]) != 1 {
		return nil, refused("the check value of AES key wrap does not fit")
	}
	return clear[semiblock:], nil
}

// KWP is AES key wrap with padding (RFC 5649): material of any length but none.
type KWP struct{ block cipher.Block }

func newKWP(b cipher.Block) (any, error) { return &KWP{b}, nil }

// Wrap makes 9 to 15 octets more of the material, or 8 if its length is a multiple of 8. No material is Missing, too much of
// it TooLarge.
func (k *KWP) Wrap(material []byte) ([]byte, error) {
	switch {
	case len(material) == 0:
		return nil, fault.New(fault.Missing, "there is no material to wrap")
	case len(material) > MaxMaterial:
		return nil, tooMuchMaterial()
	}
	padded := (len(material) + semiblock - 1) / semiblock * semiblock
	out := make([]byte, semiblock+padded)
	binary.BigEndian.PutUint32(out, checkKWP)
	binary.BigEndian.PutUint32(out[4:], uint32(len(material))) //nolint:gosec // bounded by MaxMaterial
	copy(out[semiblock:], material)
	if padded == semiblock {
		k.block.Encrypt(out, out)
	} else {
		wrap(k.block, out)
	}
	return out, nil
}

// Unwrap gives the material back; whatever Wrap did not make is Refused. Check value, length and padding are judged together
// and without a branch on either, so that the time does not tell which was wrong.
func (k *KWP) Unwrap(wrapped []byte) ([]byte, error) {
	if !wrappedLength(len(wrapped), 2*semiblock) {
		return nil, refused("no wrapped key has this length")
	}
	clear := append([]byte(nil), wrapped...)
	if len(clear) == 2*semiblock {
		k.block.Decrypt(clear, clear)
	} else {
		unwrap(k.block, clear)
	}
	length, ok := paddedLength(clear)
	if ok != 1 {
		return nil, refused("the check value of AES key wrap with padding does not fit")
	}
	return clear[semiblock : semiblock+length], nil
}

// paddedLength reads the length out of an unwrapped key, and says with 1 that check value, length and padding are right.
func paddedLength(clear []byte) (length, ok int) {
	var check [4]byte
	binary.BigEndian.PutUint32(check[:], checkKWP)
	ok = subtle.ConstantTimeCompare(clear[:4], check[:])
	length = int(binary.BigEndian.Uint32(clear[4:]) & (2*MaxMaterial - 1))
	ok &= subtle.ConstantTimeEq(int32(length), int32(binary.BigEndian.Uint32(clear[4:]))) //nolint:gosec // compared bit by bit
	material := clear[semiblock:]
	ok &= subtle.ConstantTimeLessOrEq(len(material)-semiblock+1, length) & subtle.ConstantTimeLessOrEq(length, len(material))
	for i := range semiblock {
		at := len(material) - semiblock + i
		padding := subtle.ConstantTimeLessOrEq(length, at)
		zero := subtle.ConstantTimeByteEq(material[at], 0)
		ok &= zero | (1 - padding)
	}
	return length, ok
}

// wrappedLength says whether a wrapped key can have the length.
func wrappedLength(n, least int) bool {
	return n >= least && n <= MaxMaterial+semiblock && n%semiblock == 0
}

func tooMuchMaterial() error {
	return fault.New(fault.TooLarge, "material of more than %d bytes is not wrapped; encrypt it", MaxMaterial)
}

// wrap is the wrapping function W over a buffer of three semiblocks and more, in place (RFC 3394, section 2.2.1).
func wrap(b cipher.Block, buffer []byte) {
	var work [blockSize]byte
	copy(work[:semiblock], buffer)
	n := len(buffer)/semiblock - 1
	for t := range 6 * n {
		r := buffer[(t%n+1)*semiblock:][:semiblock]
		copy(work[semiblock:], r)
		b.Encrypt(work[:], work[:])
		count(&work, t+1)
		copy(r, work[semiblock:])
	}
	copy(buffer, work[:semiblock])
}

// unwrap is its inverse (RFC 3394, section 2.2.2).
func unwrap(b cipher.Block, buffer []byte) {
	var work [blockSize]byte
	copy(work[:semiblock], buffer)
	n := len(buffer)/semiblock - 1
	for t := 6*n - 1; t >= 0; t-- {
		r := buffer[(t%n+1)*semiblock:][:semiblock]
		count(&work, t+1)
		copy(work[semiblock:], r)
		b.Decrypt(work[:], work[:])
		copy(r, work[semiblock:])
	}
	copy(buffer, work[:semiblock])
}

// count adds the number of the step to the first half.
func count(work *[blockSize]byte, step int) {
	a := binary.BigEndian.Uint64(work[:semiblock])
	binary.BigEndian.PutUint64(work[:semiblock], a^uint64(step)) //nolint:gosec // steps are positive
}
