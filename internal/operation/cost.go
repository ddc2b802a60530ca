package operation

import "strings"

// Cost is the class of work an operation is; a module keeps the classes from waiting for each other.
type Cost uint8

// The classes.
const (
	Light Cost = iota // tens of microseconds: verification, elliptic curves, hashing a usual message
	Heavy             // around a millisecond and more: RSA private keys, very large messages
)

// heavySize is where canonicalising and hashing a message costs as much as an RSA signature (about 100 MB/s).
const heavySize = 64 << 10

// CostOf is the class of a request; algorithm is that of the key it will use.
func CostOf(protect bool, algorithm string, size int) Cost {
	rsa := strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	if (protect && rsa) || size > heavySize {
		return Heavy
	}
	return Light
}
