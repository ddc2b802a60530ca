package core_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

func rsaPEM(t *testing.T) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// published are the names of the keys of the set, with their uses, in its order. A key is found by its bytes.
func (r *rig) published(p cpm.Principal, f cpm.FSP) []string {
	r.t.Helper()
	document, err := r.PublishedSet(p, f)
	r.must(err)
	var set jose.JSONWebKeySet
	r.must(json.Unmarshal(document.Body, &set))
	names := []string{}
	for _, k := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(k.Key)
		r.must(err)
		for _, v := range r.Keys(f, "", true) {
			if bytes.Equal(v.PublicKey, der) {
				names = append(names, fmt.Sprintf("%s %s/%d", k.Use, v.Name, v.Version))
				if k.Algorithm != v.Algorithm {
					r.t.Errorf("alg %s, the key is for %s", k.Algorithm, v.Algorithm)
				}
			}
		}
	}
	return names
}

func (r *rig) publishes(when string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.published(caller, "payerfsp")); diff != "" {
		r.t.Errorf("%s: %s", when, diff)
	}
}

func TestKeysArePublishedFromADayBeforeTheirUseToTheEndOfTheirOverlap(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "enc", Use: cpm.UseEncryption, Public: rsaPEM(t)})
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "upd", Use: cpm.UseUpdate, Public: rsaPEM(t)})
	r.publishes("at first", "enc enc/1", "sig jws/1")
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256", NotBefore: r.now().Add(48 * time.Hour)})
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "enc", Use: cpm.UseEncryption, Public: rsaPEM(t), NotBefore: r.now().Add(48 * time.Hour)})
	r.publishes("two days before", "enc enc/1", "sig jws/1")
	r.pass(25 * time.Hour)
	r.publishes("a day before", "sig jws/2", "enc enc/1", "sig jws/1")
	r.pass(23 * time.Hour)
	r.publishes("after the change", "enc enc/2", "sig jws/2", "sig jws/1")
	r.pass(6 * time.Minute)
	r.publishes("after the overlap", "enc enc/2", "sig jws/2")
	r.mustChange("key.suspend", "payerfsp/jws", keys.Which{FSP: "payerfsp", Name: "jws"})
	r.publishes("while suspended", "enc enc/2")
	r.mustChange("key.resume", "payerfsp/jws", keys.Which{FSP: "payerfsp", Name: "jws"})
	r.publishes("resumed", "enc enc/2", "sig jws/2")
	r.mustChange("key.compromise", "payerfsp/jws", keys.Which{FSP: "payerfsp", Name: "jws"})
	r.publishes("compromised", "enc enc/2")
	r.mustChange("key.delete", "payerfsp/enc", core.KeyDocument{FSP: "payerfsp", Name: "enc"})
	if got := r.published(caller, "payerfsp"); len(got) != 0 {
		t.Errorf("deleted: %v", got)
	}
}

func TestTheTagChangesWithTheKeysAndNothingElse(t *testing.T) {
	t.Parallel()
	r := running(t)
	first, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	r.mustChange("fsp.add", "third", core.Policy{})
	second, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "more", Use: cpm.UseSignature, Generate: "ES256"})
	third, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	if first.Tag != second.Tag || second.Tag == third.Tag || first.Fresh != time.Minute || first.Type != "application/jwk-set+json" {
		t.Error(first.Tag, second.Tag, third.Tag, first.Fresh, first.Type)
	}
	again, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	if again != third {
		t.Error("made again although nothing changed")
	}
}

func TestNothingStaysFreshBeyondTheNextDate(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "ends", Use: cpm.UseSignature, Generate: "ES256", NotAfter: r.now().Add(2 * time.Minute)})
	p, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	r.pass(90 * time.Second)
	q, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	if p.Fresh != time.Minute || q.Fresh > 30*time.Second || q.Fresh < 1 || p.Tag != q.Tag {
		t.Error(p.Fresh, q.Fresh)
	}
	r.apply(core.Document{Settings: map[string]json.RawMessage{"keyOverlap": json.RawMessage(`"10s"`)}})
	if p, err = r.PublishedSet(caller, "payerfsp"); err != nil || p.Fresh > 5*time.Second {
		t.Error("fresh for", p.Fresh, err)
	}
}

func TestOneKeyIsPublishedAsPEM(t *testing.T) {
	t.Parallel()
	r := running(t)
	p, err := r.PublishedKey(caller, "payerfsp", "jws")
	r.must(err)
	block, rest := pem.Decode(p.Body)
	if block == nil || len(rest) != 0 || block.Type != "PUBLIC KEY" || !bytes.Equal(block.Bytes, r.Keys("payerfsp", "jws", false)[0].PublicKey) {
		t.Errorf("%s", p.Body)
	}
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256", NotBefore: r.now().Add(48 * time.Hour)})
	if next, err := r.PublishedKey(caller, "payerfsp", "jws"); err != nil || !bytes.Equal(next.Body, p.Body) {
		t.Errorf("with the next version scheduled: %v", err)
	}
	r.pass(49 * time.Hour)
	if next, err := r.PublishedKey(caller, "payerfsp", "jws"); err != nil || bytes.Equal(next.Body, p.Body) {
		t.Errorf("with the next version in force: %v", err)
	}
	for _, name := range []string{"nosuch", ""} {
		_, err = r.PublishedKey(caller, "payerfsp", name)
		kind(t, err, fault.NotFound)
	}
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "upd", Use: cpm.UseUpdate, Public: rsaPEM(t)})
	_, err = r.PublishedKey(caller, "payerfsp", "upd")
	kind(t, err, fault.NotFound)
}

func TestWhoMayVerifyOrEncryptReadsTheKeysForThat(t *testing.T) {
	t.Parallel()
	verifier := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "verifier"}
	sender := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "sender"}
	signer := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "signer"}
	r := running(t, func(d *core.Document) {
		d.FSPs = append(d.FSPs, core.FSPEntry{Name: "Hub"})
		d.Grants = append(d.Grants,
			core.GrantEntry{Principal: verifier.String(), FSP: "payerfsp", Operations: []string{"jws.verify"}},
			core.GrantEntry{Principal: sender.String(), FSP: "payerfsp", Operations: []string{"jwe.encrypt"}},
			core.GrantEntry{Principal: signer.String(), FSP: "payerfsp", Operations: []string{"jws.sign"}})
	})
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "enc", Use: cpm.UseEncryption, Public: rsaPEM(t)})
	for _, c := range []struct {
		who  cpm.Principal
		want []string
	}{
		{caller, []string{"enc enc/1", "sig jws/1"}},
		{verifier, []string{"sig jws/1"}},
		{sender, []string{"enc enc/1"}},
	} {
		if diff := cmp.Diff(c.want, r.published(c.who, "payerfsp")); diff != "" {
			t.Errorf("%s: %s", c.who, diff)
		}
	}
	for _, f := range []cpm.FSP{"payerfsp", "payeefsp", "nosuch", ""} {
		_, err := r.PublishedSet(signer, f)
		kind(t, err, fault.Denied)
	}
	_, err := r.PublishedSet(caller, "nosuch")
	kind(t, err, fault.NotFound)
	_, err = r.PublishedSet(caller, "a b")
	kind(t, err, fault.Invalid)
	r.mustChange("fsp.suspend", "payerfsp", core.FSPEntry{Name: "payerfsp"})
	_, err = r.PublishedSet(caller, "payerfsp")
	kind(t, err, fault.State)
	_, err = r.PublishedKey(caller, "payerfsp", "jws")
	kind(t, err, fault.State)
}

func TestTheHubIsTheFSPOfTheSetting(t *testing.T) {
	t.Parallel()
	r := running(t)
	_, err := r.PublishedSet(caller, "")
	kind(t, err, fault.NotFound)
	r.apply(core.Document{Settings: map[string]json.RawMessage{"hub": json.RawMessage(`"payerfsp"`)}})
	hub, err := r.PublishedSet(caller, "")
	r.must(err)
	own, err := r.PublishedSet(caller, "payerfsp")
	r.must(err)
	if hub != own {
		t.Errorf("%s\n%s", hub.Body, own.Body)
	}
	for _, wrong := range []string{`"a b"`, `7`, `"*"`} {
		_, err := r.change("config.apply", "", core.Document{Settings: map[string]json.RawMessage{"hub": json.RawMessage(wrong)}})
		kind(t, err, fault.Invalid)
	}
}
