package operation

import (
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// rsaBits and rsaEffort are an RSA private operation that takes about a millisecond of a processor; the time grows with the
// third power of the length. A message costs byteEffort for each byte, to canonicalise and to hash.
const (
	rsaBits    = 2048
	rsaEffort  = time.Millisecond
	byteEffort = 10 * time.Nanosecond
)

// EffortOf is about how long a request takes a processor; bits is the length of the RSA modulus. It says how the work of
// different keys and sizes compares, so that they can be scheduled fairly.
func EffortOf(half cpm.Half, algorithm string, bits, size int) time.Duration {
	effort := time.Duration(size) * byteEffort
	rsa := strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	if rsa && half == cpm.PrivateHalf {
		n := float64(max(bits, 0)) / rsaBits
		effort += time.Duration(n * n * n * float64(rsaEffort))
	}
	return effort
}
