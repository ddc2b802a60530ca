package core_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestPlanSignsAsItIsWhatThePolicyDoesNotName(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	for uri, body := range map[string]string{
		"/transfers": quote, "/quotes": `{"note":"hi"}`, "/quotes/1": `{"payer":null,"payee":{"partyIdInfo":7}}`, "/fxQuotes/1/error": `{"errorInformation":{}}`,
	} {
		p := r.protect(r.protectRequest(uri, body))
		if _, encrypted := p.GetHeaders()["fspiop-encryption"]; encrypted || p.GetBody() != body && uri != "/quotes/1" || p.GetFields() != nil {
			t.Errorf("%s: got %v", uri, p)
		}
		if o := r.openMessage(r.openRequest(uri, p)); !o.GetValid() || o.GetBody() != p.GetBody() || o.GetEncryptionKey() != nil {
			t.Errorf("%s: got %v", uri, o)
		}
	}
	q := r.protectRequest("/quotes", quote) // the rule is for another recipient
	q.Payload.Message.(*cpmv1.MessageProtectRequest).Headers["fspiop-destination"] = "payerfsp"
	if p := r.protect(q); p.GetFields() != nil || p.GetBody() != quote {
		t.Errorf("got %v", p)
	}
	if n := len(jwe.requests()); n != 0 {
		t.Errorf("%d requests to encrypt or decrypt", n)
	}
}

func TestOpenWantsEncryptedWhatTheRecipientsPolicyNames(t *testing.T) {
	t.Parallel()
	r, _ := planned(t, func(d *core.Document) {
		d.FSPs[1].Policy.Encryption.Receive = []core.EncryptionRule{
			{Resource: "quotes", Fields: []string{"payer.name", "payee"}, Peers: []string{"payerfsp"}},
			{Resource: "transfers", Fields: []string{"note"}, Required: true},
			{Resource: "transfers", Methods: []string{"PUT"}, Fields: []string{"x"}, Required: true},
		}
	})
	p := r.protect(r.protectRequest("/quotes", quote))
	_, err := r.Process(t.Context(), r.openRequest("/quotes", p))
	kind(t, err, fault.Missing)
	if text := fault.From(err).Public; !strings.HasSuffix(text, ": payee") {
		t.Errorf("got %q", text) // part of it was encrypted; payer.name was, with the whole of payer
	}
	p = r.protect(r.protectRequest("/quotes", `{"payer":{"name":"Mats"}}`))
	if o := r.openMessage(r.openRequest("/quotes", p)); !o.GetValid() {
		t.Errorf("got %v", o)
	}
	for body, want := range map[string]string{`{"note":"hi"}`: "not encrypted", `{}`: "does not have the field note", `{"note":1,"note":2}`: "readers may disagree"} {
		q := r.protectRequest("/transfers", body)
		q.Payload.Message.(*cpmv1.MessageProtectRequest).Form = "raw"
		_, err := r.Process(t.Context(), r.openRequest("/transfers", r.protect(q)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", body, err)
		}
	}
	p = r.protect(r.protectRequest("/transfers/1/error", `{}`))
	if o := r.openMessage(r.openRequest("/transfers/1/error", p)); !o.GetValid() {
		t.Errorf("an error lacks the field: %v", o)
	}
}

func TestPolicyOfEncryptionIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	r, _ := planned(t)
	for name, c := range map[string]struct {
		encryption core.Encryption
		want       []string
	}{
		"rules": {core.Encryption{
			Send: []core.EncryptionRule{
				{Resource: "quote", Methods: []string{"get"}, Peers: []string{"a/b"}, Algorithm: "A128CBC-HS256"},
				{Resource: "quotes", Fields: []string{"a..b", "a[0]", strings.Repeat("x", 513), "payer", "payer.name", "note", "note"}},
			},
			Receive: []core.EncryptionRule{{Resource: "quotes", Fields: []string{"a"}, Algorithm: "A256GCM"}},
		}, []string{
			`send[0].resource: "quote"`, `send[0].methods: "get"`, `send[0].peers: "a/b"`, `send[0].algorithm: "A128CBC-HS256"`, `send[0].fields: name 1 to`,
			`send[1].fields: "a..b"`, `send[1].fields: "a[0]"`, `send[1].fields: "xxx`, `"payer.name" is there twice, or`, `"note" is there twice`, `receive[0].algorithm: the sender`,
		}},
		"too many rules": {core.Encryption{Send: make([]core.EncryptionRule, 65)}, []string{"send has more than 64"}},
		"unknown peer":   {core.Encryption{Send: []core.EncryptionRule{{Resource: "quotes", Peers: []string{"payefsp", "*"}, Fields: []string{"a"}}}}, []string{"payefsp"}},
	} {
		policy := core.Policy{Encryption: c.encryption}
		_, set := r.change("fsp.set", "payerfsp", core.FSPDocument{Policy: policy})
		_, applied := r.change("config.apply", "", core.Document{FSPs: []core.FSPEntry{{Name: "payerfsp", Policy: policy}}})
		for _, err := range []error{set, applied} {
			if err == nil {
				t.Errorf("%s: accepted", name)
				continue
			}
			kind(t, err, fault.Invalid)
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is not in\n%v", name, want, err)
				}
			}
		}
	}
}

func TestLongestKeyOfSeveralRulesCounts(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t, func(d *core.Document) {
		d.FSPs[0].Policy.Encryption.Send = []core.EncryptionRule{
			{Resource: "quotes", Fields: []string{"note", "payer.name"}, Algorithm: "A128GCM"},
			{Resource: "quotes", Fields: []string{"payer"}, Algorithm: "A192GCM"},
		}
	})
	p := r.protect(r.protectRequest("/quotes", quote))
	if diff := cmp.Diff([]string{"note", "payer"}, p.GetFields()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if e := jwe.requests()[0].Payload.Message.(*cpmv1.JweEncryptRequest); e.GetEncryption() != "A192GCM" {
		t.Errorf("encrypted with %s", e.GetEncryption())
	}
}
