package fspiop

import (
	"crypto"
	"crypto/elliptic"
	"io"
	"slices"

	"github.com/mojaloop/cpm/internal/fault"
)

// DataAlgorithmNamed finds an algorithm for signatures over data of callers, which may be one that FSPIOP messages do not have:
// ES512 (RFC 7518, section 3.4).
func DataAlgorithmNamed(name string) (Algorithm, bool) {
	if name == "ES512" {
		return Algorithm{name, onCurve{elliptic.P521(), crypto.SHA512}}, true
	}
	return AlgorithmNamed(name)
}

// DataAlgorithmNames lists the JOSE names of the algorithms for signatures over data.
func DataAlgorithmNames() []string {
	names := AlgorithmNames()
	return slices.Insert(names, slices.Index(names, "EdDSA"), "ES512")
}

// Digest is how long a digest the algorithm signs is, in octets; 0 for EdDSA, which signs the message itself.
func (a Algorithm) Digest() int {
	if h := a.hash(); h != 0 {
		return h.Size()
	}
	return 0
}

func (a Algorithm) hash() crypto.Hash {
	if a.scheme == nil {
		return 0
	}
	return a.scheme.options().HashFunc()
}

// SignDigest is Sign over a digest of the message. EdDSA has none, and one of another length is Invalid.
func (a Algorithm) SignDigest(rand io.Reader, s crypto.Signer, digest []byte) ([]byte, error) {
	pub := s.Public()
	if err := a.Accepts(pub); err != nil {
		return nil, err
	}
	if a.Digest() == 0 {
		return nil, fault.New(fault.Invalid, "%s signs the message itself and no digest: give data", a.name)
	}
	if len(digest) != a.Digest() {
		return nil, fault.New(fault.Invalid, "a digest for %s has %d bytes", a.name, a.Digest())
	}
	signature, err := s.Sign(rand, digest, a.scheme.options())
	if err != nil {
		return nil, signerFault(err)
	}
	return a.scheme.encode(pub, signature)
}

// VerifyDigest is Verify over a digest of the message.
func (a Algorithm) VerifyDigest(pub crypto.PublicKey, digest, sig []byte) bool {
	return a.Digest() != 0 && len(digest) == a.Digest() && a.Accepts(pub) == nil && a.scheme.verify(pub, digest, sig)
}

// ToDER turns a signature of fixed length into ECDSA-Sig-Value (RFC 3279, section 2.2.3); only ECDSA has it, for others it is
// Invalid.
func (a Algorithm) ToDER(sig []byte) ([]byte, error) {
	c, ok := a.scheme.(onCurve)
	if !ok || len(sig) != 2*c.size() {
		return nil, fault.New(fault.Invalid, "only signatures of ECDSA have the encoding der")
	}
	body := appendInteger(nil, sig[:c.size()])
	body = appendInteger(body, sig[c.size():])
	return append(appendLength([]byte{0x30}, len(body)), body...), nil
}

// FromDER is the inverse; false is what is not the one DER encoding of two integers below the order of the curve.
func (a Algorithm) FromDER(der []byte) (sig []byte, ok bool) {
	c, ok := a.scheme.(onCurve)
	if !ok {
		return nil, false
	}
	sig, err := c.encode(nil, der)
	return sig, err == nil
}

// appendInteger appends a non-negative INTEGER of fewer than 128 octets.
func appendInteger(der, value []byte) []byte {
	for len(value) > 1 && value[0] == 0 {
		value = value[1:]
	}
	pad := 0
	if value[0] > 0x7f {
		pad = 1
	}
	der = append(der, 0x02, byte(len(value)+pad)) //nolint:gosec // 67 octets at most
	return append(append(der, make([]byte, pad)...), value...)
}

// appendLength appends a length below 256.
func appendLength(der []byte, n int) []byte {
	if n > 0x7f {
		der = append(der, 0x81)
	}
	return append(der, byte(n)) //nolint:gosec // two integers and their headers are 138 octets at most
}
