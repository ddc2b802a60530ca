package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"io"

	"github.com/mojaloop/cpm/internal/fault"
)

// algorithms has one row per JOSE algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1). There is no row for none and
// none for a MAC, and there must never be one: a public key would then verify what everybody can make.
var algorithms = [...]Algorithm{
	{"RS256", rsaPKCS1{crypto.SHA256}},
	{"RS384", rsaPKCS1{crypto.SHA384}},
	{"RS512", rsaPKCS1{crypto.SHA512}},
	{"PS256", rsaPSS{crypto.SHA256}},
	{"PS384", rsaPSS{crypto.SHA384}},
	{"PS512", rsaPSS{crypto.SHA512}},
	{"ES256", onCurve{elliptic.P256(), crypto.SHA256}},
	{"ES384", onCurve{elliptic.P384(), crypto.SHA384}},
	{"EdDSA", edwards{}},
}

// Algorithm is a JOSE signature algorithm. The zero Algorithm is none: it accepts no key, signs and verifies nothing.
type Algorithm struct {
	name   string
	scheme scheme
}

// scheme is what the algorithms of one kind do differently.
type scheme interface {
	// accepts says whether a public key may be used, as a fault.
	accepts(pub crypto.PublicKey) error
	// options is what a crypto.Signer has to know; a hash of zero means that the input itself is signed.
	options() crypto.SignerOpts
	// encode turns what a crypto.Signer for pub gave into the octets of a JWS.
	encode(pub crypto.PublicKey, signature []byte) ([]byte, error)
	// verify judges the octets of a JWS over a digest, or the input itself, with a key that is accepted.
	verify(pub crypto.PublicKey, digest, signature []byte) bool
}

// AlgorithmNamed finds an algorithm by its JOSE name, which is case-sensitive.
func AlgorithmNamed(name string) (Algorithm, bool) {
	for _, a := range algorithms {
		if a.name == name {
			return a, true
		}
	}
	return Algorithm{}, false
}

// AlgorithmNames lists the JOSE names of all algorithms.
func AlgorithmNames() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// DefaultAlgorithm is the JOSE name of the algorithm a key is for when nobody says: RS256, which the FSPIOP specification
// asks for, or the one of the key's curve. A kind of key no algorithm is for is Invalid.
func DefaultAlgorithm(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "ES256", nil
		case elliptic.P384():
			return "ES384", nil
		}
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fault.New(fault.Invalid, "the key must be RSA, ECDSA on P-256 or P-384, or Ed25519").Because(errKeyKind)
}

// Name is the JOSE name.
func (a Algorithm) Name() string { return a.name }

// Accepts returns nil if a public key may be used with the algorithm: it is of the right kind and curve, its point is on
// the curve, or its modulus and exponent are within bounds. Otherwise it is Invalid.
func (a Algorithm) Accepts(pub crypto.PublicKey) error {
	if a.scheme == nil {
		return fault.New(fault.Invalid, "no signature algorithm is chosen")
	}
	return a.scheme.accepts(pub)
}

// Sign makes the signature octets of a JWS over input with any crypto.Signer, whose private half may live elsewhere. For
// ECDSA they are r and s, each in the length of the curve's order (RFC 7518, section 3.4). A key that does not fit is
// Invalid; a signer that fails without a fault of its own, or gives what is no signature, is a Device fault.
func (a Algorithm) Sign(rand io.Reader, s crypto.Signer, input []byte) ([]byte, error) {
	pub := s.Public()
	if err := a.Accepts(pub); err != nil {
		return nil, err
	}
	options := a.scheme.options()
	signature, err := s.Sign(rand, digest(options.HashFunc(), input), options)
	if err != nil {
		return nil, signerFault(err)
	}
	return a.scheme.encode(pub, signature)
}

// Verify says whether sig is the algorithm's signature over input by the key. Every signature has one length and one
// encoding; a key that is not accepted verifies nothing.
func (a Algorithm) Verify(pub crypto.PublicKey, input, sig []byte) bool {
	return a.Accepts(pub) == nil && a.scheme.verify(pub, a.digest(input), sig)
}

// digest is what the algorithm signs of an input, so that several keys can be tried after hashing it once.
func (a Algorithm) digest(input []byte) []byte { return digest(a.scheme.options().HashFunc(), input) }

func digest(h crypto.Hash, input []byte) []byte {
	if h == 0 {
		return input
	}
	state := h.New()
	state.Write(input)
	return state.Sum(nil)
}

// signerFault keeps the fault of a signer that has one, a device that is busy for example.
func signerFault(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.Device, "the key could not sign").Because(err)
}

// notASignature is the fault of a signer whose answer cannot be what was asked for.
func notASignature(cause string) error {
	return fault.New(fault.Device, "the key did not give a signature").Because(errors.New(cause))
}
