package operation

import (
	"bytes"
	"strings"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
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

// mostRepeats is how many fields of a message are decrypted at most (package fspiop refuses more).
const mostRepeats = 32

// Repeats is about how many private operations a request asks for: jwe.decrypt does one for each encrypted field, and it is
// the sender of the message who says how many there are. They are counted by the word that each has, without parsing.
func Repeats(r *cpm.Request) int {
	if r.Operation != cpm.JWEDecrypt {
		return 1
	}
	const word = "encryptedKey"
	n := bytes.Count(r.Payload.Encoded, []byte(word))
	if m, ok := r.Payload.Message.(*cpmv1.JweDecryptRequest); ok {
		for name, value := range m.GetHeaders() {
			if strings.EqualFold(name, "fspiop-encryption") {
				n += strings.Count(value, word)
			}
		}
	}
	return min(max(n, 1), mostRepeats)
}
