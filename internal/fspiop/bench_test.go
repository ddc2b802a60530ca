package fspiop

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"maps"
	"testing"
)

// BenchmarkSign compares signing a message of 1 KiB with what of it is the private key's work: the digest of the signing
// input and the signature.
func BenchmarkSign(b *testing.B) {
	for _, name := range AlgorithmNames() {
		a, s := algorithmNamed(b, name), signerFor(name)
		m := sampleMessage()
		m.Body = bodyOfSize(1 << 10)
		input, _ := signingInput(make([]byte, 180), m.Body)
		b.Run(name+"/primitive", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				options := a.scheme.options()
				must(s.Sign(rand.Reader, digest(options.HashFunc(), input), options))
			}
		})
		for _, form := range []Form{FormRaw, FormSorted} {
			b.Run(name+"/"+string(form), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					must(Sign(rand.Reader, s, a, "payerfsp", m, form))
				}
			})
		}
	}
}

// BenchmarkVerify does the same for verifying, a message as it was sent and one that was serialised again.
func BenchmarkVerify(b *testing.B) {
	for _, name := range AlgorithmNames() {
		a, s := algorithmNamed(b, name), signerFor(name)
		keys, policy := []Key{{Public: s.Public()}}, DefaultPolicy()
		policy.Algorithms = AlgorithmNames()
		m := signedMessage(b, a, s, FormSorted)
		input, _ := signingInput(make([]byte, 180), m.Body)
		signature := must(a.Sign(rand.Reader, s, input))
		b.Run(name+"/primitive", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !a.scheme.verify(s.Public(), a.digest(input), signature) {
					b.Fatal("not verified")
				}
			}
		})
		again := *m
		again.Body = bodyOfSize(1 << 10)
		for form, received := range map[Form]*Message{FormRaw: m, FormSorted: &again} {
			b.Run(name+"/"+string(form), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if v := Verify(keys, "payerfsp", received, policy, sampleTime()); v.Form != form {
						b.Fatal(v)
					}
				}
			})
		}
	}
}

// signedMessage is a message of 1 KiB with its signature.
func signedMessage(b *testing.B, a Algorithm, s crypto.Signer, form Form) *Message {
	b.Helper()
	m := sampleMessage()
	m.Body = bodyOfSize(1 << 10)
	signed := must(Sign(rand.Reader, s, a, "payerfsp", m, form))
	m.Body = signed.Body
	maps.Copy(m.Headers, signed.Headers)
	return m
}

// BenchmarkAround is what a message costs without any public-key work.
func BenchmarkAround(b *testing.B) {
	nothing := device{public: edKey().Public(), answer: make([]byte, 64)}
	for _, size := range []int{1 << 10, 64 << 10, 5 << 20} {
		m := sampleMessage()
		m.Body = bodyOfSize(size)
		for _, form := range []Form{FormRaw, FormSorted} {
			b.Run(fmt.Sprintf("sign/%s/%d", form, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					must(Sign(nil, nothing, algorithmNamed(b, "EdDSA"), "payerfsp", m, form))
				}
			})
		}
	}
	signed := signedMessage(b, algorithmNamed(b, "ES256"), p256Key(), FormSorted)
	b.Run("verify/checks", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v := verification{
				keys: []Key{{Public: p256Key().Public()}}, fsp: "payerfsp", message: signed, policy: DefaultPolicy(),
			}
			for _, check := range checks[:len(checks)-1] {
				if reason, _ := check(&v); reason != "" {
					b.Fatal(reason)
				}
			}
		}
	})
}
