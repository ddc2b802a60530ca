package keys

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// PublicKey is a public key that has been read and found strong.
type PublicKey struct {
	public crypto.PublicKey
	spki   []byte
}

// ReadPublicKey reads a PEM public key or certificate and refuses it if it is weak, see CheckStrength.
func ReadPublicKey(text string) (PublicKey, error) {
	p, err := parsePublic([]byte(text))
	if err != nil {
		return PublicKey{}, breaks(RuleKey, fault.Invalid, err, "%s", fault.From(err).Public)
	}
	return PublicKey{p.public, p.spki}, CheckStrength(p.public)
}

// Bounds of the search for weak RSA keys.
const (
	maxUpdateBits = 8192    // above, the search would take seconds
	smallPrimes   = 1 << 16 // factors below are found by division
	fermatRounds  = 300     // primes closer than about 2^7 · fourth root of the modulus are found
)

// CheckStrength refuses a public key that an attacker can use: too short, off its curve, with an exponent that is even or
// below 65537 (all fspiop.CheckPublicKey), or an RSA modulus that is easily factored: a prime, a multiple of a small prime, made
// of two close primes, or by the generator of CVE-2017-15361 ("ROCA"). It takes some milliseconds.
func CheckStrength(public crypto.PublicKey) error {
	if err := checkPublic(public); err != nil {
		return breaks(RuleWeak, fault.Invalid, err, "%s", fault.From(err).Public)
	}
	k, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	if k.N.BitLen() > maxUpdateBits {
		return breaks(RuleWeak, fault.Invalid, nil, "RSA keys must have at most %d bits", maxUpdateBits)
	}
	return checkModulus(k.N)
}

// checkPublic is fspiop.CheckPublicKey, and the like for the kinds of keys that messages of FSPIOP have no use for.
func checkPublic(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdh.PublicKey:
		return checkX25519(k)
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P521() {
			return onCurve(k.Curve)(k)
		}
	}
	return fspiop.CheckPublicKey(public)
}

// checkModulus looks for moduli that are easily factored, the cheap searches first.
func checkModulus(n *big.Int) error {
	primes := sieve(smallPrimes)
	switch {
	case hasFactor(n, primes):
		return weakModulus("its modulus has a small factor; make a new key with another generator")
	case isROCA(n, primes):
		return weakModulus("it was made by the faulty generator of CVE-2017-15361 (ROCA); make a new key with another device or library")
	case closePrimes(n):
		return weakModulus("the two primes of its modulus are too close; make a new key with another generator")
	case n.ProbablyPrime(0):
		return weakModulus("its modulus is a prime number; make a new key with another generator")
	}
	return nil
}

func weakModulus(why string) error {
	return breaks(RuleWeak, fault.Invalid, nil, "the RSA key is weak: %s", why)
}

// sieve lists the odd primes below limit.
func sieve(limit int) []uint64 {
	composite := make([]bool, limit)
	var primes []uint64
	for p := 3; p < limit; p += 2 {
		if composite[p] {
			continue
		}
		primes = append(primes, uint64(p))
		for m := p * p; m < limit; m += 2 * p {
			composite[m] = true
		}
	}
	return primes
}

func hasFactor(n *big.Int, primes []uint64) bool {
	remainder, divisor := new(big.Int), new(big.Int)
	for _, p := range primes {
		if remainder.Mod(n, divisor.SetUint64(p)).Sign() == 0 {
			return true
		}
	}
	return false
}

// closePrimes is Fermat's method for some rounds: n = a² - b² with a just above the root of n.
func closePrimes(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	if new(big.Int).Mul(a, a).Cmp(n) < 0 {
		a.Add(a, big.NewInt(1))
	}
	b2 := new(big.Int).Mul(a, a)
	b2.Sub(b2, n)
	step := new(big.Int).Lsh(a, 1) // (a+1)² - a² = 2a+1
	step.Add(step, big.NewInt(1))
	for range fermatRounds {
		if isSquare(b2) {
			return true
		}
		b2.Add(b2, step)
		step.Add(step, big.NewInt(2))
	}
	return false
}

// isSquare takes the root only of what can be a square by some small moduli, of which one number in a hundred is.
func isSquare(x *big.Int) bool {
	for _, m := range []uint64{64, 63, 65, 11} {
		if !squareResidue(x, m) {
			return false
		}
	}
	root := new(big.Int).Sqrt(x)
	return root.Mul(root, root).Cmp(x) == 0
}

// squareResidue says whether x is a square modulo m, by trying them all; m is small.
func squareResidue(x *big.Int, m uint64) bool {
	r := new(big.Int).Mod(x, new(big.Int).SetUint64(m)).Uint64()
	for i := range m/2 + 1 {
		if i*i%m == r {
			return true
		}
	}
	return false
}
