package keys

import "math/big"

// Bounds of the fingerprint of CVE-2017-15361: the primes up to 167 divide the number that all primes of the faulty generator
// were made with, whatever the length of the key.
const (
	rocaGenerator = 65537
	rocaLastPrime = 167
)

// isROCA recognises moduli by the generator of CVE-2017-15361 (Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's
// Attack", section 5). Its primes are k·M + 65537^a mod M with M a product of small primes, so that modulo each of those the
// modulus is a power of 65537, too. A sound modulus is that by a chance of about 2^-27.
func isROCA(n *big.Int, primes []uint64) bool {
	remainder, divisor := new(big.Int), new(big.Int)
	for _, p := range primes {
		if p > rocaLastPrime {
			break
		}
		if !isPower(remainder.Mod(n, divisor.SetUint64(p)).Uint64(), p) {
			return false
		}
	}
	return true
}

// isPower says whether r is a power of the generator modulo p.
func isPower(r, p uint64) bool {
	power := uint64(1)
	for range p {
		if power == r {
			return true
		}
		power = power * rocaGenerator % p
	}
	return false
}
