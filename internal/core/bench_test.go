package core_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// BenchmarkProcess is a request through the core and the software module, without a door; raw is the primitive alone.
func BenchmarkProcess(b *testing.B) {
	r := running(b)
	signed, err := r.sign()
	r.must(err)
	b.Run("ES256 sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.sign(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ES256 verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			res, err := r.Process(b.Context(), r.verifyRequest("payerfsp", signed))
			if err != nil || !res.Payload.Message.(*cpmv1.JwsVerifyResponse).GetValid() {
				b.Fatal(res, err)
			}
		}
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.must(err)
	digest := make([]byte, 32)
	b.Run("raw ES256 sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, key, digest); err != nil {
				b.Fatal(err)
			}
		}
	})
}
