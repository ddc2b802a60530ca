package client_test

import (
	"bytes"
	"maps"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/keys"
)

// everyKey is a key for each use.
func everyKey() []keys.Addition {
	return []keys.Addition{
		signingKey,
		{FSP: "payeefsp", Name: "enc", Use: "enc", Generate: "RSA-OAEP-256"},
		{FSP: "payerfsp", Name: "ilp", Use: "ilp", Generate: "HS256"},
		{FSP: "payerfsp", Name: "data", Use: "data-enc", Generate: "A256GCM"},
		{FSP: "payerfsp", Name: "data-sig", Use: "data-sig", Generate: "ES256"},
		{FSP: "payerfsp", Name: "mac", Use: "mac", Generate: "HS256"},
		{FSP: "payerfsp", Name: "wrap", Use: "wrap", Generate: "A256KWP"},
	}
}

// TestEveryOperationAtACPM makes what one operation needs with another one.
func TestEveryOperationAtACPM(t *testing.T) {
	t.Parallel()
	h := open(t, everyKey()...)
	c, ctx := h.client(), t.Context()
	const payer, payee = "payerfsp", "payeefsp"
	data := []byte("what is to be protected")

	t.Run("signature", func(t *testing.T) {
		s, err := c.Sign(ctx, payer, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: data}})
		fatal(t, err)
		v, err := c.Verify(ctx, payer, &cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Data{Data: data}, Signature: s.GetSignature()})
		valid(t, v, err)
	})
	t.Run("encryption", func(t *testing.T) {
		e, err := c.Encrypt(ctx, payer, &cpmv1.EncryptRequest{Plaintext: data, AssociatedData: []byte("a")})
		fatal(t, err)
		r, err := c.Rewrap(ctx, payer, &cpmv1.RewrapRequest{Ciphertext: e.GetCiphertext(), AssociatedData: []byte("a")})
		fatal(t, err)
		d, err := c.Decrypt(ctx, payer, &cpmv1.DecryptRequest{Ciphertext: r.GetCiphertext(), AssociatedData: []byte("a")})
		same(t, data, d.GetPlaintext(), err)
		k, err := c.Datakey(ctx, payer, &cpmv1.DatakeyRequest{Length: 16})
		fatal(t, err)
		d, err = c.Decrypt(ctx, payer, &cpmv1.DecryptRequest{Ciphertext: k.GetCiphertext()})
		same(t, k.GetPlaintext(), d.GetPlaintext(), err)
	})
	t.Run("code", func(t *testing.T) {
		m, err := c.MAC(ctx, payer, &cpmv1.MacRequest{Data: data})
		fatal(t, err)
		v, err := c.MACVerify(ctx, payer, &cpmv1.MacVerifyRequest{Data: data, Mac: m.GetMac()})
		valid(t, v, err)
	})
	t.Run("wrapping", func(t *testing.T) {
		w, err := c.Wrap(ctx, payer, &cpmv1.WrapRequest{Material: data})
		fatal(t, err)
		u, err := c.Unwrap(ctx, payer, &cpmv1.UnwrapRequest{Wrapped: w.GetWrapped()})
		same(t, data, u.GetMaterial(), err)
	})
	t.Run("without keys", func(t *testing.T) {
		d, err := c.Digest(ctx, payer, &cpmv1.DigestRequest{Data: data})
		if err != nil || len(d.GetDigest()) != 32 {
			t.Error(d, err)
		}
		r, err := c.Random(ctx, payer, &cpmv1.RandomRequest{Length: 48})
		if err != nil || len(r.GetRandom()) != 48 {
			t.Error(r, err)
		}
	})
	t.Run("fields", func(t *testing.T) {
		e, err := c.JWEEncrypt(ctx, payee, &cpmv1.JweEncryptRequest{
			Fields: []string{"a.b"}, Content: &cpmv1.JweEncryptRequest_Body{Body: `{"a":{"b":"secret"}}`},
		})
		fatal(t, err)
		d, err := c.JWEDecrypt(ctx, payee, &cpmv1.JweDecryptRequest{
			Headers: e.GetHeaders(), Content: &cpmv1.JweDecryptRequest_Body{Body: e.GetBody()},
		})
		if err != nil || d.GetBody() != `{"a":{"b":"secret"}}` {
			t.Error(d, err)
		}
	})
	t.Run("message", func(t *testing.T) {
		p, err := c.MessageProtect(ctx, payer, &cpmv1.MessageProtectRequest{
			Method: "POST", Uri: "/quotes", Headers: headers, Content: &cpmv1.MessageProtectRequest_Body{Body: `{"a":1}`},
		})
		fatal(t, err)
		received := maps.Clone(headers)
		maps.Copy(received, p.GetHeaders())
		o, err := c.MessageOpen(ctx, payee, &cpmv1.MessageOpenRequest{
			Method: "POST", Uri: "/quotes", Headers: received, Content: &cpmv1.MessageOpenRequest_Body{Body: p.GetBody()},
		})
		valid(t, o, err)
	})
	t.Run("transfer", func(t *testing.T) {
		f, err := c.ILPFulfil(ctx, payer, &cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_Transaction{Transaction: transaction}})
		fatal(t, err)
		v, err := c.ILPVerify(ctx, payer, &cpmv1.IlpVerifyRequest{Fulfilment: f.GetFulfilment(), Condition: f.GetCondition()})
		valid(t, v, err)
		d, err := c.ILPDecode(ctx, payer, &cpmv1.IlpDecodeRequest{IlpPacket: f.GetIlpPacket()})
		if err != nil || d.GetTransaction() == "" {
			t.Error(d, err)
		}
	})
}

const transaction = `{"transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14","quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6",` +
	`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"123","fspId":"payeefsp"}},` +
	`"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"456","fspId":"payerfsp"}},` +
	`"amount":{"currency":"USD","amount":"100"},"transactionType":{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"}}`

// valid fails unless the verdict is positive.
func valid(t *testing.T, v interface{ GetValid() bool }, err error) {
	t.Helper()
	if err != nil || !v.GetValid() {
		t.Error(v, err)
	}
}

func same(t *testing.T, want, got []byte, err error) {
	t.Helper()
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("%q %v", got, err)
	}
}
