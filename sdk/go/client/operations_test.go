package client_test

import (
	"bytes"
	"maps"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/sdk/go/client"
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

// What the steps are about: who they are done for, and data that nobody is to read or change.
const (
	payer, payee = "payerfsp", "payeefsp"
	protected    = "what is to be protected"
)

// TestEveryOperationAtACPM makes what one operation needs with another one.
func TestEveryOperationAtACPM(t *testing.T) {
	t.Parallel()
	h := open(t, everyKey()...)
	c := h.client()
	for _, step := range []struct {
		name string
		does func(*testing.T, *client.Client)
	}{
		{"signature", signs},
		{"encryption", encrypts},
		{"code", authenticates},
		{"wrapping", wraps},
		{"without keys", needsNoKeys},
		{"fields", encryptsFields},
		{"message", protectsMessages},
		{"transfer", fulfilsTransfers},
	} {
		t.Run(step.name, func(t *testing.T) { step.does(t, c) })
	}
}

func signs(t *testing.T, c *client.Client) {
	s, err := c.Sign(t.Context(), payer, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: []byte(protected)}})
	fatal(t, err)
	v, err := c.Verify(t.Context(), payer, &cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Data{Data: []byte(protected)}, Signature: s.GetSignature()})
	valid(t, v, err)
}

func encrypts(t *testing.T, c *client.Client) {
	e, err := c.Encrypt(t.Context(), payer, &cpmv1.EncryptRequest{Plaintext: []byte(protected), AssociatedData: []byte("a")})
	fatal(t, err)
	r, err := c.Rewrap(t.Context(), payer, &cpmv1.RewrapRequest{Ciphertext: e.GetCiphertext(), AssociatedData: []byte("a")})
	fatal(t, err)
	d, err := c.Decrypt(t.Context(), payer, &cpmv1.DecryptRequest{Ciphertext: r.GetCiphertext(), AssociatedData: []byte("a")})
	same(t, []byte(protected), d.GetPlaintext(), err)
	k, err := c.Datakey(t.Context(), payer, &cpmv1.DatakeyRequest{Length: 16})
	fatal(t, err)
	d, err = c.Decrypt(t.Context(), payer, &cpmv1.DecryptRequest{Ciphertext: k.GetCiphertext()})
	same(t, k.GetPlaintext(), d.GetPlaintext(), err)
}

func authenticates(t *testing.T, c *client.Client) {
	m, err := c.MAC(t.Context(), payer, &cpmv1.MacRequest{Data: []byte(protected)})
	fatal(t, err)
	v, err := c.MACVerify(t.Context(), payer, &cpmv1.MacVerifyRequest{Data: []byte(protected), Mac: m.GetMac()})
	valid(t, v, err)
}

func wraps(t *testing.T, c *client.Client) {
	w, err := c.Wrap(t.Context(), payer, &cpmv1.WrapRequest{Material: []byte(protected)})
	fatal(t, err)
	u, err := c.Unwrap(t.Context(), payer, &cpmv1.UnwrapRequest{Wrapped: w.GetWrapped()})
	same(t, []byte(protected), u.GetMaterial(), err)
}

func needsNoKeys(t *testing.T, c *client.Client) {
	d, err := c.Digest(t.Context(), payer, &cpmv1.DigestRequest{Data: []byte(protected)})
	if err != nil || len(d.GetDigest()) != 32 {
		t.Error(d, err)
	}
	r, err := c.Random(t.Context(), payer, &cpmv1.RandomRequest{Length: 48})
	if err != nil || len(r.GetRandom()) != 48 {
		t.Error(r, err)
	}
}

func encryptsFields(t *testing.T, c *client.Client) {
	e, err := c.JWEEncrypt(t.Context(), payee, &cpmv1.JweEncryptRequest{
		Fields: []string{"a.b"}, Content: &cpmv1.JweEncryptRequest_Body{Body: `{"a":{"b":"secret"}}`},
	})
	fatal(t, err)
	d, err := c.JWEDecrypt(t.Context(), payee, &cpmv1.JweDecryptRequest{
		Headers: e.GetHeaders(), Content: &cpmv1.JweDecryptRequest_Body{Body: e.GetBody()},
	})
	if err != nil || d.GetBody() != `{"a":{"b":"secret"}}` {
		t.Error(d, err)
	}
}

func protectsMessages(t *testing.T, c *client.Client) {
	p, err := c.MessageProtect(t.Context(), payer, &cpmv1.MessageProtectRequest{
		Method: "POST", Uri: "/quotes", Headers: headers, Content: &cpmv1.MessageProtectRequest_Body{Body: `{"a":1}`},
	})
	fatal(t, err)
	received := maps.Clone(headers)
	maps.Copy(received, p.GetHeaders())
	o, err := c.MessageOpen(t.Context(), payee, &cpmv1.MessageOpenRequest{
		Method: "POST", Uri: "/quotes", Headers: received, Content: &cpmv1.MessageOpenRequest_Body{Body: p.GetBody()},
	})
	valid(t, o, err)
}

func fulfilsTransfers(t *testing.T, c *client.Client) {
	f, err := c.ILPFulfil(t.Context(), payer, &cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_Transaction{Transaction: transaction}})
	fatal(t, err)
	v, err := c.ILPVerify(t.Context(), payer, &cpmv1.IlpVerifyRequest{Fulfilment: f.GetFulfilment(), Condition: f.GetCondition()})
	valid(t, v, err)
	d, err := c.ILPDecode(t.Context(), payer, &cpmv1.IlpDecodeRequest{IlpPacket: f.GetIlpPacket()})
	if err != nil || d.GetTransaction() == "" {
		t.Error(d, err)
	}
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
