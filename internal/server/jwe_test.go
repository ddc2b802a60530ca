package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/pki"
)

// fieldsCPM encrypts and decrypts fields: for nearfsp in process, for farfsp across a link.
func fieldsCPM(t *testing.T) *cpmtest.CPM {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now(), "test")
	if err != nil {
		t.Fatal(err)
	}
	remote := newRemote(t, authority)
	remote.start()
	d := document(remote.address)
	d.Adapters[0].Operations = []cpm.Operation{cpm.JWEEncrypt, cpm.JWEDecrypt}
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "ssm1", Kind: "ssm", Operations: d.Adapters[0].Operations})
	d.Routes = []core.RouteEntry{{FSP: "nearfsp", Operation: "*", Adapter: "ssm1"}, {FSP: "farfsp", Operation: "*", Adapter: "ssm2"}}
	for i := range d.Routes {
		d.Routes[i].Timeout = core.Duration(30 * time.Second)
	}
	d.FSPs = []core.FSPEntry{{Name: "nearfsp"}, {Name: "farfsp"}}
	d.Grants = cpmtest.Grants(cpmtest.Client, nil)
	for _, f := range d.FSPs {
		d.Grants = append(d.Grants, core.GrantEntry{
			Principal: d.Grants[0].Principal, FSP: f.Name, Operations: []string{string(cpm.JWEDecrypt)},
		})
	}
	m := cpmtest.Start(t, cpmtest.Config{Document: d, Authority: authority})
	for _, f := range d.FSPs {
		m.AddKey(keys.Addition{FSP: cpm.FSP(f.Name), Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256}, nil)
	}
	return m
}

// Fields that were encrypted with a key before its update are decrypted after it, through both ports, in process and across a
// link; what was tampered with is refused, and nothing of it is in the log.
func TestFieldsThroughThePortsAndAcrossALink(t *testing.T) {
	t.Parallel()
	m := fieldsCPM(t)
	p := portsOf(t, m)
	const body = `{"payee":{"id":"15295558888"},"payer":{"name":"Bill Lee"},"amount":150.00}`
	for _, fsp := range []string{"nearfsp", "farfsp"} {
		encrypted := p.encryptFields(t, fsp, body)
		for version := 1; version <= 2; version++ {
			var opened struct {
				Body, Algorithm string
				Fields          []string
				KeyVersion      int
			}
			p.operate(t, fsp, cpm.JWEDecrypt, map[string]any{"headers": encrypted.Headers, "body": encrypted.Body}, &opened)
			if opened.Body != body || len(opened.Fields) != 3 || opened.KeyVersion != 1 || opened.Algorithm != cpm.RSAOAEP256 {
				t.Errorf("%s: opened %+v", fsp, opened)
			}
			m.AddKey(keys.Addition{FSP: cpm.FSP(fsp), Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256}, nil)
		}
		if again := p.encryptFields(t, fsp, body); again.KeyVersion != 3 {
			t.Errorf("%s: encrypted with version %d", fsp, again.KeyVersion)
		}
		encrypted.Body = strings.Replace(encrypted.Body, `"amount":"`, `"amount":"AAAA`, 1)
		p.refused(t, fsp, encrypted)
	}
	if log := m.Log(); strings.Contains(log, "15295558888") || strings.Contains(log, "Bill Lee") || !strings.Contains(log, "authentication tag") {
		t.Error("the log has what was encrypted, or not why it was refused")
	}
}

type encryptedFields struct {
	Headers    map[string]string
	Body       string
	KeyVersion int
}

// encryptFields asks over JSON alone: no two answers are equal.
func (p ports) encryptFields(t *testing.T, fsp, body string) (answer encryptedFields) {
	t.Helper()
	status, text := p.ask(t, fsp, cpm.JWEEncrypt, map[string]any{"fields": []string{"payee.id", "payer", "amount"}, "body": body})
	if err := json.Unmarshal(text, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	return answer
}

// refused wants the one answer to everything that cryptography refuses, at both ports.
func (p ports) refused(t *testing.T, fsp string, sent encryptedFields) {
	t.Helper()
	status, text := p.ask(t, fsp, cpm.JWEDecrypt, map[string]any{"headers": sent.Headers, "body": sent.Body})
	if status != http.StatusBadRequest || !strings.Contains(string(text), `"3100"`) || !strings.Contains(string(text), "the encrypted fields were refused") {
		t.Errorf("%s: %d %s", fsp, status, text)
	}
	_, err := p.grpc.Process(t.Context(), &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JweDecrypt{
		JweDecrypt: &cpmv1.JweDecryptRequest{Headers: sent.Headers, Content: &cpmv1.JweDecryptRequest_Body{Body: sent.Body}},
	}})
	if err == nil || !strings.Contains(err.Error(), "the encrypted fields were refused") {
		t.Errorf("%s: %v", fsp, err)
	}
}
