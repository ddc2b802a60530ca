package core_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
)

// measured is an operation with what is special about it, and a request for it.
type measured struct {
	operation cpm.Operation
	with      string
	request   *cpm.Request
}

// gauge is a rig that does every operation, and lists what of them is measured.
type gauge struct {
	*rig

	all []measured
}

// The fields that are encrypted in messages, two of the body of 1 KiB that is signed, encrypted and put into messages.
var measuredFields = []string{"payer", "payee.partyIdentifier"}

func measuredBody() string {
	const begin, end = `{"note":"`, `","payee":{"partyIdentifier":"15295558888"},"payer":{"name":"Bill Lee"}}`
	return begin + strings.Repeat("x", 1024-len(begin+end)) + end
}

// newGauge makes a request for each operation that the configuration knows.
func newGauge(t testing.TB) *gauge {
	t.Helper()
	g := &gauge{rig: running(t, everything("payerfsp", "payeefsp"), func(d *core.Document) {
		d.FSPs[0].Policy.Encryption = core.Encryption{Send: []core.EncryptionRule{{Resource: "quotes", Fields: measuredFields}}}
	})}
	for use, algorithms := range map[cpm.KeyUse][]string{
		cpm.UseSignature: {"ES256", "RS256"}, cpm.UseEncryption: {keys.RSAOAEP256}, cpm.UseDataSignature: {"ES256"}, cpm.UseILP: {"HS256"},
		cpm.UseDataEncryption: {"A256GCM", cpm.RSAOAEP256, cpm.HPKEX25519}, cpm.UseMAC: {"HS256", "A256CMAC"}, cpm.UseWrap: {"A256KW", "A256KWP"},
	} {
		for _, a := range algorithms {
			g.addKey(keys.Addition{FSP: "payeefsp", Name: string(use) + a, Use: use, Generate: a})
		}
	}
	g.messages()
	g.promises()
	g.signatures()
	g.ciphertexts()
	g.keyless()
	return g
}

// measure adds an operation to the list, and gives its answer.
func measure[A proto.Message](g *gauge, f cpm.FSP, o cpm.Operation, with string, m proto.Message) A {
	g.t.Helper()
	r := g.request(f, o, m)
	r.Size = proto.Size(m)
	res, err := g.Process(g.t.Context(), r)
	g.must(err)
	g.all = append(g.all, measured{o, with, r})
	return res.Payload.Message.(A)
}

func named(use cpm.KeyUse, algorithm string) *cpmv1.KeySelector {
	return &cpmv1.KeySelector{Name: string(use) + algorithm}
}

// messages are the operations of FSPIOP messages, which carry 1 KiB.
func (g *gauge) messages() {
	text := measuredBody()
	with := func(f string, more map[string]string) map[string]string {
		h := headers(cpm.FSP(f))
		maps.Copy(h, more)
		return h
	}
	for _, a := range []string{"ES256", "RS256"} {
		s := measure[*cpmv1.JwsSignResponse](g, "payeefsp", cpm.JWSSign, a, &cpmv1.JwsSignRequest{
			Method: "POST", Uri: "/quotes", Headers: headers("payeefsp"), Content: &cpmv1.JwsSignRequest_Body{Body: text}, Key: named(cpm.UseSignature, a),
		})
		measure[*cpmv1.JwsVerifyResponse](g, "payeefsp", cpm.JWSVerify, a, &cpmv1.JwsVerifyRequest{
			Method: "POST", Uri: "/quotes", Headers: with("payeefsp", s.GetHeaders()), Content: &cpmv1.JwsVerifyRequest_Body{Body: s.GetBody()},
			Key: named(cpm.UseSignature, a),
		})
	}
	e := measure[*cpmv1.JweEncryptResponse](g, "payeefsp", cpm.JWEEncrypt, "RSA-OAEP-256, 2 fields", &cpmv1.JweEncryptRequest{
		Fields: measuredFields, Content: &cpmv1.JweEncryptRequest_Body{Body: text},
	})
	measure[*cpmv1.JweDecryptResponse](g, "payeefsp", cpm.JWEDecrypt, "RSA-OAEP-256, 2 fields", &cpmv1.JweDecryptRequest{
		Headers: e.GetHeaders(), Content: &cpmv1.JweDecryptRequest_Body{Body: e.GetBody()},
	})
	p := measure[*cpmv1.MessageProtectResponse](g, "payerfsp", cpm.MessageProtect, "RSA-OAEP-256, 2 fields, ES256", &cpmv1.MessageProtectRequest{
		Method: "POST", Uri: "/quotes", Headers: headers("payerfsp"), Content: &cpmv1.MessageProtectRequest_Body{Body: text},
	})
	o := measure[*cpmv1.MessageOpenResponse](g, "payeefsp", cpm.MessageOpen, "RSA-OAEP-256, 2 fields, ES256", &cpmv1.MessageOpenRequest{
		Method: "POST", Uri: "/quotes", Headers: with("payerfsp", p.GetHeaders()), Content: &cpmv1.MessageOpenRequest_Body{Body: p.GetBody()},
	})
	if len(p.GetFields()) != 2 || !o.GetValid() || o.GetBody() != text {
		g.t.Fatal("the message did not come through as it was")
	}
}

// promises are the operations of ILP.
func (g *gauge) promises() {
	for _, version := range []uint32{1, 4} {
		word := fmt.Sprint("version ", version)
		a := measure[*cpmv1.IlpFulfilResponse](g, "payeefsp", cpm.ILPFulfil, "HS256, a quote, "+word, ilpQuote(version))
		again := packet(a.GetIlpPacket())
		again.Condition = a.GetCondition()
		measure[*cpmv1.IlpFulfilResponse](g, "payeefsp", cpm.ILPFulfil, "HS256, a packet, "+word, again)
		measure[*cpmv1.IlpDecodeResponse](g, "payeefsp", cpm.ILPDecode, word, &cpmv1.IlpDecodeRequest{IlpPacket: a.GetIlpPacket()})
		if version == 1 {
			measure[*cpmv1.IlpVerifyResponse](g, "payeefsp", cpm.ILPVerify, "a fulfilment", &cpmv1.IlpVerifyRequest{Fulfilment: a.GetFulfilment(), Condition: a.GetCondition()})
		}
	}
}

// signatures are the operations that sign and authenticate 1 KiB of data.
func (g *gauge) signatures() {
	data, key := []byte(measuredBody()), named(cpm.UseDataSignature, "ES256")
	s := measure[*cpmv1.SignResponse](g, "payeefsp", cpm.Sign, "ES256", &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: data}, Key: key})
	measure[*cpmv1.VerifyResponse](g, "payeefsp", cpm.Verify, "ES256",
		&cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Data{Data: data}, Signature: s.GetSignature(), Key: key})
	for _, a := range []string{"HS256", "A256CMAC"} {
		key := named(cpm.UseMAC, a)
		m := measure[*cpmv1.MacResponse](g, "payeefsp", cpm.MAC, a, &cpmv1.MacRequest{Data: data, Key: key})
		measure[*cpmv1.MacVerifyResponse](g, "payeefsp", cpm.MACVerify, a, &cpmv1.MacVerifyRequest{Data: data, Mac: m.GetMac(), Key: key})
	}
}

// ciphertexts are the operations that encrypt 1 KiB of data, with RSA and HPKE 32 bytes, and that wrap keys of 32 bytes.
func (g *gauge) ciphertexts() {
	for _, a := range []string{"A256GCM", cpm.RSAOAEP256, cpm.HPKEX25519} {
		data, key := []byte(measuredBody()), named(cpm.UseDataEncryption, a)
		if a != "A256GCM" {
			data = data[:32]
		}
		c := measure[*cpmv1.EncryptResponse](g, "payeefsp", cpm.Encrypt, a, &cpmv1.EncryptRequest{Plaintext: data, Key: key}).GetCiphertext()
		measure[*cpmv1.DecryptResponse](g, "payeefsp", cpm.Decrypt, a, &cpmv1.DecryptRequest{Ciphertext: c})
		measure[*cpmv1.RewrapResponse](g, "payeefsp", cpm.Rewrap, a, &cpmv1.RewrapRequest{Ciphertext: c})
		measure[*cpmv1.DatakeyResponse](g, "payeefsp", cpm.Datakey, a, &cpmv1.DatakeyRequest{Key: key})
	}
	for _, a := range []string{"A256KW", "A256KWP"} {
		key := named(cpm.UseWrap, a)
		w := measure[*cpmv1.WrapResponse](g, "payeefsp", cpm.Wrap, a, &cpmv1.WrapRequest{Material: make([]byte, 32), Key: key})
		measure[*cpmv1.UnwrapResponse](g, "payeefsp", cpm.Unwrap, a, &cpmv1.UnwrapRequest{Wrapped: w.GetWrapped(), Key: key})
	}
}

// keyless are the operations without a key.
func (g *gauge) keyless() {
	measure[*cpmv1.DigestResponse](g, "payeefsp", cpm.Digest, "SHA-256, 1 KiB", &cpmv1.DigestRequest{Data: []byte(measuredBody())})
	measure[*cpmv1.RandomResponse](g, "payeefsp", cpm.Random, "32 bytes", &cpmv1.RandomRequest{Length: 32})
}

// BenchmarkOperations is each operation through the core and the software module, without a door.
func BenchmarkOperations(b *testing.B) {
	g := newGauge(b)
	for _, m := range g.all {
		b.Run(string(m.operation)+"/"+m.with, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.request.Arrival, g.observed = time.Now(), g.observed[:0]
				if _, err := g.Process(b.Context(), m.request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Every operation is measured, and has its row in the table of allocations.
func TestEveryOperationIsMeasured(t *testing.T) {
	t.Parallel()
	of := map[cpm.Operation]bool{}
	for _, m := range newGauge(t).all {
		of[m.operation] = true
	}
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Allocations of each operation\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, row := range cpm.Operations() {
		if !of[row.Operation] {
			t.Errorf("%s is not measured", row.Operation)
		}
		if !strings.Contains(table, "\n| `"+string(row.Operation)+"` |") {
			t.Errorf("%s has no row in the table", row.Operation)
		}
	}
}
