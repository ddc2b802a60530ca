package ssm

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

// BenchmarkSlot measures what it costs light work to be let in when nothing waits.
func BenchmarkSlot(b *testing.B) {
	w := newWorkers(Config{})
	defer w.close()
	what := work{flow: admission.Flow{FSP: "payerfsp"}}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := w.run(b.Context(), what, func() (*cpm.Result, error) { return nil, nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkGeneral measures the general operations on 1 KiB of data through the module: engine, workers and handles, without
// core and door. RSA and HPKE encrypt a data key.
func BenchmarkGeneral(b *testing.B) {
	g := newGeneral(b)
	data := make([]byte, 1024)
	key := func(number byte, use cpm.KeyUse, algorithm string) cpm.KeyRef {
		return g.put(number, use, algorithm, material(b, algorithm))
	}
	measure := func(name string, o cpm.Operation, q proto.Message, keys ...cpm.KeyRef) {
		r := &cpm.Request{
			ID: "r", FSP: "payerfsp", Operation: o, Keys: keys, Arrival: time.Now(), Size: proto.Size(q), Payload: cpm.Payload{Message: q},
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.m.Do(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	ec := key(1, cpm.UseDataSignature, "ES256")
	measure("sign/ES256", cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: data}}, ec)
	signature := must[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: data}}, ec).GetSignature()
	measure("verify/ES256", cpm.Verify, &cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Data{Data: data}, Signature: signature}, ec)
	for i, name := range []string{"A256GCM", cpm.RSAOAEP256, cpm.HPKEX25519} {
		k, plaintext := key(byte(10+i), cpm.UseDataEncryption, name), data
		if name != "A256GCM" {
			plaintext = data[:32]
		}
		q := &cpmv1.EncryptRequest{Plaintext: plaintext}
		measure("encrypt/"+name, cpm.Encrypt, q, k)
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, q, k).GetCiphertext()
		measure("decrypt/"+name, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, k)
		measure("rewrap/"+name, cpm.Rewrap, &cpmv1.RewrapRequest{Ciphertext: sealed}, k, k)
	}
	measure("datakey/A256GCM", cpm.Datakey, &cpmv1.DatakeyRequest{}, cpm.KeyRef{ID: cpm.KeyID{15: 10}})
	for i, name := range []string{"HS256", "A256CMAC"} {
		k := key(byte(20+i), cpm.UseMAC, name)
		measure("mac/"+name, cpm.MAC, &cpmv1.MacRequest{Data: data}, k)
		code := must[*cpmv1.MacResponse](g, cpm.MAC, &cpmv1.MacRequest{Data: data}, k).GetMac()
		measure("mac.verify/"+name, cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: data, Mac: code}, k)
	}
	for i, name := range []string{"A256KW", "A256KWP"} {
		k := key(byte(30+i), cpm.UseWrap, name)
		measure("wrap/"+name, cpm.Wrap, &cpmv1.WrapRequest{Material: data[:32]}, k)
		wrapped := must[*cpmv1.WrapResponse](g, cpm.Wrap, &cpmv1.WrapRequest{Material: data[:32]}, k).GetWrapped()
		measure("unwrap/"+name, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: wrapped}, k)
	}
	measure("digest/SHA-256", cpm.Digest, &cpmv1.DigestRequest{Data: data})
	measure("random", cpm.Random, &cpmv1.RandomRequest{Length: 32})
}
