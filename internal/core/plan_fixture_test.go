package core_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
)

const quote = `{"note":"hi","payee":{"partyIdInfo":{"fspId":"payeefsp","partyIdentifier":"123"}},"payer":{"name":"Mats"}}`

// planned is a rig whose payerfsp has fields encrypted for payeefsp, with signing at ssm1 and encryption at jwe1.
func planned(t *testing.T, change ...func(*core.Document)) (*rig, *sealer) {
	t.Helper()
	r := newRig(t)
	return r, r.plans(change...)
}

// plans makes a rig ready as planned has it.
func (r *rig) plans(change ...func(*core.Document)) *sealer {
	r.t.Helper()
	s := &sealer{}
	r.open["jwe1"] = func() (cpm.Module, error) { return s, nil }
	r.ready(append([]func(*core.Document){func(d *core.Document) {
		d.FSPs[0].Policy.Encryption = core.Encryption{Send: []core.EncryptionRule{
			{Resource: "quotes", Peers: []string{"payeefsp"}, Fields: []string{"payer", "payee.partyIdInfo.partyIdentifier", "not.there"}},
			{Resource: "fxQuotes", Fields: []string{"a"}, Required: true},
		}}
		d.FSPs[1].Policy.ReplayWindow = core.Duration(time.Minute)
		d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "jwe1", Kind: "ssm", Operations: []cpm.Operation{cpm.JWEEncrypt, cpm.JWEDecrypt}})
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "*", Operation: "jwe.encrypt", Adapter: "jwe1"}, core.RouteEntry{FSP: "*", Operation: "jwe.decrypt", Adapter: "jwe1"})
		d.Grants = append(d.Grants,
			core.GrantEntry{Principal: caller.String(), FSP: "payerfsp", Operations: []string{"message.protect"}},
			core.GrantEntry{Principal: caller.String(), FSP: "payeefsp", Operations: []string{"message.open", "jwe.decrypt"}})
	}}, change...)...)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	r.must(err)
	r.must(r.addSecretKey(keys.Addition{FSP: "payeefsp", Name: "enc", Use: cpm.UseEncryption},
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))))
	return s
}

func (r *rig) protectRequest(uri, body string) *cpm.Request {
	return r.request("payerfsp", cpm.MessageProtect, &cpmv1.MessageProtectRequest{
		Method: "POST", Uri: uri, Headers: headers("payerfsp"), Content: &cpmv1.MessageProtectRequest_Body{Body: body},
	})
}

func (r *rig) protect(q *cpm.Request) *cpmv1.MessageProtectResponse {
	r.t.Helper()
	res, err := r.Process(r.t.Context(), q)
	r.must(err)
	return res.Payload.Message.(*cpmv1.MessageProtectResponse)
}

func (r *rig) openRequest(uri string, p *cpmv1.MessageProtectResponse) *cpm.Request {
	h := headers("payerfsp")
	maps.Copy(h, p.GetHeaders())
	return r.request("payeefsp", cpm.MessageOpen, &cpmv1.MessageOpenRequest{
		Method: "POST", Uri: uri, Headers: h, Content: &cpmv1.MessageOpenRequest_Body{Body: p.GetBody()},
	})
}

func (r *rig) openMessage(q *cpm.Request) *cpmv1.MessageOpenResponse {
	r.t.Helper()
	res, err := r.Process(r.t.Context(), q)
	r.must(err)
	return res.Payload.Message.(*cpmv1.MessageOpenResponse)
}
