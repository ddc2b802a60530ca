package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"github.com/mojaloop/cpm/internal/fault"
)

// onCurve is ECDSA on one curve with the hash RFC 7518, section 3.4 pairs it with.
type onCurve struct {
	curve elliptic.Curve
	hash  crypto.Hash
}

func (c onCurve) accepts(pub crypto.PublicKey) error {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k == nil {
		return fault.New(fault.Invalid, "the algorithm needs an ECDSA key").Because(errKeyKind)
	}
	if k.Curve != c.curve {
		return fault.New(fault.Invalid, "the algorithm needs a key on %s", c.curve.Params().Name).Because(errKeyCurve)
	}
	if _, err := k.Bytes(); err != nil {
		return fault.New(fault.Invalid, "the public key is not a point on the curve").Because(errKeyPoint)
	}
	return nil
}

func (c onCurve) options() crypto.SignerOpts { return c.hash }

// size is the length of r and of s in octets.
func (c onCurve) size() int { return (c.curve.Params().BitSize + 7) / 8 }

// encode turns the DER of a crypto.Signer (ECDSA-Sig-Value of RFC 3279, section 2.2.3) into r and s of fixed length.
func (c onCurve) encode(_ crypto.PublicKey, signature []byte) ([]byte, error) {
	r, s, ok := splitDER(signature)
	if !ok {
		return nil, notASignature("the signature is not the DER of two positive integers")
	}
	if !c.scalar(r) || !c.scalar(s) {
		return nil, notASignature("an integer of the signature is not below the order of the curve")
	}
	octets := make([]byte, 2*c.size())
	copy(octets[c.size()-len(r):], r)
	copy(octets[2*c.size()-len(s):], s)
	return octets, nil
}

// scalar says whether an integer without leading zeros is in 1 … n-1.
func (c onCurve) scalar(x []byte) bool {
	return len(x) > 0 && new(big.Int).SetBytes(x).Cmp(c.curve.Params().N) < 0
}

// splitDER takes a SEQUENCE of two INTEGERs apart; encoding/asn1 would let more than two pass. Up to P-384 every length is below
// 128 and has one octet; on P-521 that of the SEQUENCE may have two.
func splitDER(der []byte) (r, s []byte, ok bool) {
	if len(der) > 3 && der[0] == 0x30 && der[1] == 0x81 && der[2] > 0x7f && int(der[2]) == len(der)-3 {
		der = der[3:]
	} else if len(der) > 2 && der[0] == 0x30 && der[1] <= 0x7f && int(der[1]) == len(der)-2 {
		der = der[2:]
	} else {
		return nil, nil, false
	}
	r, rest, ok := takeInteger(der)
	if !ok {
		return nil, nil, false
	}
	s, rest, ok = takeInteger(rest)
	return r, s, ok && len(rest) == 0
}

// takeInteger reads a non-negative INTEGER in its one DER encoding and gives it without leading zero.
func takeInteger(der []byte) (value, rest []byte, ok bool) {
	if len(der) < 3 || der[0] != 0x02 || der[1] == 0 || der[1] > 0x7f || int(der[1]) > len(der)-2 {
		return nil, nil, false
	}
	value, rest = der[2:2+der[1]], der[2+der[1]:]
	if value[0] > 0x7f || value[0] == 0 && len(value) > 1 && value[1] <= 0x7f {
		return nil, nil, false
	}
	if value[0] == 0 {
		value = value[1:]
	}
	return value, rest, true
}

func (c onCurve) verify(pub crypto.PublicKey, digest, signature []byte) bool {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || len(signature) != 2*c.size() {
		return false
	}
	r := new(big.Int).SetBytes(signature[:c.size()])
	s := new(big.Int).SetBytes(signature[c.size():])
	return ecdsa.Verify(k, digest, r, s)
}
