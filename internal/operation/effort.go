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

// EffortOfKeys is about how long a request takes that costs so much with each of its keys. Most use one of them: it is as much
// as the costliest. Material that is unwrapped does not say which key it needs, and all are tried. jwe.decrypt tries the keys too,
// and with the right one does as much for each encrypted field, of which it is the sender of the message who says how many there are.
func EffortOfKeys(r *cpm.Request, each []time.Duration) time.Duration {
	var most, all time.Duration
	for _, effort := range each {
		most, all = max(most, effort), all+effort
	}
	switch r.Operation {
	case cpm.Unwrap:
		return all
	case cpm.JWEDecrypt:
		return most*time.Duration(fields(r)) + all - most
	}
	return most
}

// fields is about how many encrypted fields a message has: they are counted by the word that each has, without parsing.
func fields(r *cpm.Request) int {
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
