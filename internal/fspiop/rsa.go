package fspiop

import (
	"crypto"
	"crypto/rsa"
	"math"

	// The hashes of the rows register themselves.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of RSA keys. The upper one of the modulus keeps one verification below some milliseconds; that of the exponent is
// crypto/rsa's own.
const (
	minModulusBits = 2048
	maxModulusBits = 16384
	minExponent    = 65537
	maxExponent    = math.MaxInt32
)

// rsaPKCS1 is RSASSA-PKCS1-v1_5 (RFC 7518, section 3.3).
type rsaPKCS1 struct{ hash crypto.Hash }

func (rsaPKCS1) accepts(pub crypto.PublicKey) error { return acceptsRSA(pub) }

func (p rsaPKCS1) options() crypto.SignerOpts { return p.hash }

func (rsaPKCS1) encode(pub crypto.PublicKey, signature []byte) ([]byte, error) {
	return encodeRSA(pub, signature)
}

func (p rsaPKCS1) verify(pub crypto.PublicKey, digest, signature []byte) bool {
	k, ok := pub.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(k, p.hash, digest, signature) == nil
}

// rsaPSS is RSASSA-PSS with MGF1 of the same hash and a salt as long as the hash (RFC 7518, section 3.5).
type rsaPSS struct{ hash crypto.Hash }

func (rsaPSS) accepts(pub crypto.PublicKey) error { return acceptsRSA(pub) }

func (p rsaPSS) options() crypto.SignerOpts {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: p.hash}
}

func (rsaPSS) encode(pub crypto.PublicKey, signature []byte) ([]byte, error) {
	return encodeRSA(pub, signature)
}

func (p rsaPSS) verify(pub crypto.PublicKey, digest, signature []byte) bool {
	k, ok := pub.(*rsa.PublicKey)
	if !ok {
		return false
	}
	options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(k, p.hash, digest, signature, &options) == nil
}

func acceptsRSA(pub crypto.PublicKey) error {
	k, ok := pub.(*rsa.PublicKey)
	switch {
	case !ok || k == nil || k.N == nil:
		return fault.New(fault.Invalid, "the algorithm needs an RSA key").Because(errKeyKind)
	case k.N.Sign() <= 0 || k.N.BitLen() < minModulusBits:
		return fault.New(fault.Invalid, "RSA keys must have at least %d bits", minModulusBits).Because(errModulusSmall)
	case k.N.BitLen() > maxModulusBits:
		return fault.New(fault.Invalid, "RSA keys must have at most %d bits", maxModulusBits).Because(errModulusLarge)
	case k.N.Bit(0) == 0:
		return fault.New(fault.Invalid, "the RSA modulus is even").Because(errModulusEven)
	case k.E < minExponent:
		return fault.New(fault.Invalid, "the RSA exponent must be at least %d", minExponent).Because(errExponentSmall)
	case k.E > maxExponent:
		return fault.New(fault.Invalid, "the RSA exponent must be below 2^31").Because(errExponentLarge)
	case k.E&1 == 0:
		return fault.New(fault.Invalid, "the RSA exponent is even").Because(errExponentEven)
	}
	return nil
}

// encodeRSA leaves the octets as they are: RFC 8017 gives them the length of the modulus.
func encodeRSA(pub crypto.PublicKey, signature []byte) ([]byte, error) {
	if k, ok := pub.(*rsa.PublicKey); !ok || len(signature) != k.Size() {
		return nil, notASignature("the signature is not as long as the modulus")
	}
	return signature, nil
}
