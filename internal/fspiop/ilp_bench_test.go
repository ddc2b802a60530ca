package fspiop

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"
)

// BenchmarkILP is what one fulfilment, one verification and one reading cost.
func BenchmarkILP(b *testing.B) {
	secret, answers := knownILP(b)
	key := ILPKey(ILPDeployed, []byte(secret))
	answer := func(o *ILPOffer) *ILPAnswer {
		mac := hmac.New(sha256.New, key)
		mac.Write(must(o.Input(ILPDeployed)))
		return o.Answer(mac.Sum(nil))
	}
	for _, a := range answers {
		if a.Release != "19.19.1" || a.Quote == nil {
			continue
		}
		run := func(what string, do func()) {
			b.Run(fmt.Sprintf("%s/v%d", what, a.Version), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					do()
				}
			})
		}
		run("quote", func() { answer(must(NewILPOffer(a.Version, must(a.transactionOf())))) })
		run("packet", func() { answer(must(ReceivedILPOffer(a.IlpPacket))) })
		run("decode", func() { must(DecodeILPPacket(a.IlpPacket)).Transaction() })
		run("verify", func() {
			if VerifyILP(a.Fulfilment, a.Condition) != "" {
				b.Fatal("not verified")
			}
		})
	}
}
