package fspiop

import (
	"crypto"
	"crypto/ed25519"
)

// keyRule names the rule a public key breaks. It is the cause of the fault, for the log and for counting.
type keyRule string

// The rules. Keys below 2048 bits are refused by the FSPIOP specification ("Signature" v1.1, section 3.2); small exponents
// and oversized moduli are refused by FIPS 186-5, section 5.1, and because verifying with them helps nobody but an attacker.
const (
	errKeyKind       keyRule = "key-kind"
	errKeyCurve      keyRule = "key-curve"
	errKeyPoint      keyRule = "point-off-curve"
	errKeyOrder      keyRule = "point-of-small-order"
	errKeyLength     keyRule = "key-length"
	errModulusSmall  keyRule = "rsa-below-2048"
	errModulusLarge  keyRule = "rsa-above-16384"
	errModulusEven   keyRule = "modulus-even"
	errExponentSmall keyRule = "exponent-below-65537"
	errExponentLarge keyRule = "exponent-above-31-bits"
	errExponentEven  keyRule = "exponent-even"
)

// Error is the rule's name.
func (r keyRule) Error() string { return string(r) }

// CheckPublicKey returns nil for a public key that is strong and well-formed enough to be added: RSA with an odd modulus of
// 2048 to 16384 bits and an odd exponent from 65537 to 2^31-1, ECDSA with a point on P-256 or P-384, or Ed25519 with a point
// that is not of small order. Otherwise it is Invalid. It may take a millisecond.
func CheckPublicKey(pub crypto.PublicKey) error {
	name, err := DefaultAlgorithm(pub)
	if err != nil {
		return err
	}
	a, _ := AlgorithmNamed(name)
	if err = a.Accepts(pub); err != nil {
		return err
	}
	if k, ok := pub.(ed25519.PublicKey); ok {
		return checkEdwardsPoint(k)
	}
	return nil
}
