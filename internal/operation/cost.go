package operation

import (
	"strings"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Cost is the class of work an operation is; a module keeps the classes from waiting for each other.
type Cost uint8

// The classes.
const (
	Light Cost = iota // tens of microseconds: verification, elliptic curves, secret keys, hashing a usual message
	Heavy             // around a millisecond and more: RSA private keys, very large messages
)

// heavySize is where canonicalising and hashing a message costs as much as an RSA signature (about 100 MB/s).
const heavySize = 64 << 10

// CostOf is the class of a request that uses a half of a key with this algorithm.
func CostOf(half cpm.Half, algorithm string, size int) Cost {
	// The names of RSA: RS256, PS256, RSA-OAEP-256 and their like.
	rsa := strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	if half == cpm.PrivateHalf && rsa || size > heavySize {
		return Heavy
	}
	return Light
}
