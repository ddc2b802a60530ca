package core_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// withPolicies is a rig whose payerfsp has the keys data (A256GCM) and jws (ES256).
func withPolicies(t *testing.T) *rig {
	t.Helper()
	r := running(t, everything("payerfsp"))
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"})
	return r
}

func (r *rig) setPolicy(name string, p keys.Policy) {
	r.t.Helper()
	r.mustChange("key.policy", "payerfsp/"+name, core.KeyPolicyDocument{FSP: "payerfsp", Name: name, Policy: p})
}

func (r *rig) encrypt(text string) ([]byte, error) {
	res, err := r.Process(r.t.Context(), r.request("payerfsp", cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte(text)}))
	if err != nil {
		return nil, err
	}
	return res.Payload.Message.(*cpmv1.EncryptResponse).GetCiphertext(), nil
}

func (r *rig) decrypt(ciphertext []byte) (string, error) {
	res, err := r.Process(r.t.Context(), r.request("payerfsp", cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: ciphertext}))
	if err != nil {
		return "", err
	}
	return string(res.Payload.Message.(*cpmv1.DecryptResponse).GetPlaintext()), nil
}

// Each rule declines what it excludes, says so, and lets the rest pass. The caller is told the key's name only if it gave it, the log
// always.
func TestAKeysPolicyDeclines(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	hour := r.now().UTC().Add(-time.Hour).Format("15:04") + "-" + r.now().UTC().Add(time.Hour).Format("15:04")
	other := r.now().UTC().Add(2*time.Hour).Format("15:04") + "-" + r.now().UTC().Add(3*time.Hour).Format("15:04")
	for name, c := range map[string]struct {
		policy keys.Policy
		want   fault.Kind
		says   string
	}{
		"another caller":    {keys.Policy{Callers: []string{"certificate:other"}}, fault.Denied, "callers"},
		"another operation": {keys.Policy{Operations: []cpm.Operation{cpm.Decrypt}}, fault.Denied, "does not allow the operation encrypt"},
		"hardware":          {keys.Policy{Assurance: keys.AssuranceHardware}, fault.State, "wants hardware"},
		"a long message":    {keys.Policy{MaxBytes: 5}, fault.State, "at most 5 bytes"},
		"another hour":      {keys.Policy{Hours: []string{other}}, fault.State, "at this hour"},
	} {
		r.setPolicy("data", c.policy)
		_, err := r.encrypt("a message of more than five bytes")
		kind(t, err, c.want)
		if text := fault.From(err).Public; !strings.Contains(text, c.says) || strings.Contains(text, "data") || !strings.Contains(err.Error(), "key data/1") {
			t.Errorf("%s: %s, logged as %v", name, text, err)
		}
		_, err = r.Process(t.Context(), r.request("payerfsp", cpm.Encrypt, &cpmv1.EncryptRequest{
			Plaintext: []byte("a message of more than five bytes"), Key: &cpmv1.KeySelector{Name: "data"},
		}))
		if text := fault.From(err).Public; !strings.Contains(text, c.says) || !strings.Contains(text, "key data") {
			t.Errorf("%s, with the key named: %s", name, text)
		}
	}
	r.setPolicy("data", keys.Policy{
		Callers: []string{caller.String(), "certificate:other"}, Operations: []cpm.Operation{cpm.Decrypt, cpm.Encrypt}, Assurance: keys.AssuranceSoftware,
		MaxBytes: 100, Hours: []string{other, hour}, MaxUses: 10,
	})
	ciphertext, err := r.encrypt("a message")
	r.must(err)
	if text, err := r.decrypt(ciphertext); text != "a message" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if trial := r.Try("payerfsp", cpm.Encrypt); trial.Verdict != "ok" {
		t.Errorf("the trial says %+v", trial)
	}
	r.setPolicy("data", keys.Policy{})
	if p := r.Keys("payerfsp", "data", false)[0].Policy; p != nil {
		t.Errorf("a policy is left: %+v", p)
	}
}

// What the policy of one key refuses is not done with another one, whether the request named the key or not.
func TestARefusalNeverLeadsToAnotherKey(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	r.pass(time.Second)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "other", Use: cpm.UseDataEncryption, Generate: "A256GCM"})
	r.setPolicy("data", keys.Policy{Callers: []string{"certificate:other"}})
	_, err := r.encrypt("text")
	kind(t, err, fault.Denied)
	_, err = r.Process(t.Context(), r.request("payerfsp", cpm.Encrypt, &cpmv1.EncryptRequest{
		Plaintext: []byte("text"), Key: &cpmv1.KeySelector{Name: "data"},
	}))
	kind(t, err, fault.Denied)
	_, err = r.Process(t.Context(), r.request("payerfsp", cpm.Encrypt, &cpmv1.EncryptRequest{
		Plaintext: []byte("text"), Key: &cpmv1.KeySelector{Name: "other"},
	}))
	r.must(err)
}

// Of the keys that may have signed, those the caller may not use are left out; with none left the request is declined.
func TestVerificationLeavesOutKeysThatRefuse(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	signed, err := r.sign()
	r.must(err)
	r.pass(time.Second)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws2", Use: cpm.UseSignature, Generate: "ES256"})
	r.setPolicy("jws2", keys.Policy{Callers: []string{"certificate:other"}})
	if reason := r.verify("payerfsp", signed); reason != "" {
		t.Errorf("refused: %s", reason)
	}
	r.setPolicy("jws", keys.Policy{Operations: []cpm.Operation{cpm.JWSSign}})
	_, err = r.Process(t.Context(), r.verifyRequest("payerfsp", signed))
	kind(t, err, fault.Denied)
}

func TestAKeyIsUsedAsOftenAsItMay(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	r.setPolicy("data", keys.Policy{MaxUses: 3})
	var ciphertext []byte
	for range 3 {
		var err error
		ciphertext, err = r.encrypt("text")
		r.must(err)
	}
	_, err := r.encrypt("text")
	kind(t, err, fault.State)
	if text := fault.From(err).Public; strings.Contains(text, "data") || !strings.Contains(text, "3 times") || !strings.Contains(err.Error(), "key data") {
		t.Error(err)
	}
	// What was encrypted can still be decrypted, and a new version begins anew.
	if text, err := r.decrypt(ciphertext); text != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"})
	_, err = r.encrypt("text")
	r.must(err)
	uses, err := r.Uses(t.Context(), "payerfsp", "data")
	if err != nil || len(uses) != 2 || uses[0] != (core.KeyUses{Version: 2, Limit: 3, SetAside: 1}) || uses[1] != (core.KeyUses{Version: 1, Limit: 3, SetAside: 3}) {
		t.Errorf("%+v, %v", uses, err)
	}
}

// What is set aside of a limit is used while the database is down.
func TestAKeyIsUsedWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	_, err := r.encrypt("text")
	r.must(err)
	uses, err := r.Uses(t.Context(), "payerfsp", "data")
	if err != nil || uses[0].Limit != 1<<32 || uses[0].SetAside != 1<<20 {
		t.Errorf("%+v, %v", uses, err)
	}
	r.must(r.store.Close())
	if _, err := r.encrypt("text"); err != nil {
		t.Errorf("declined while there are uses left: %v", err)
	}
	r.addKeyDown("payerfsp")
}

// addKeyDown shows that the database is really down.
func (r *rig) addKeyDown(f cpm.FSP) {
	r.t.Helper()
	_, err := r.change("key.add", string(f)+"/x", keys.Addition{FSP: f, Name: "x", Use: cpm.UseMAC, Generate: "HS256"})
	kind(r.t, err, fault.Unavailable)
}

func TestAPolicyThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	for _, p := range []keys.Policy{
		{Callers: []string{"somebody"}},
		{Callers: []string{"nobody:x"}},
		{Operations: []cpm.Operation{cpm.JWSSign}},
		{Operations: []cpm.Operation{"x"}},
		{MaxUses: -1},
		{MaxBytes: -1},
		{Hours: []string{"always"}},
		{Assurance: "strong"},
		{Hours: make([]string, 65)},
	} {
		_, err := r.change("key.policy", "payerfsp/data", core.KeyPolicyDocument{FSP: "payerfsp", Name: "data", Policy: p})
		kind(t, err, fault.Invalid)
	}
	_, err := r.change("key.policy", "payerfsp/none", core.KeyPolicyDocument{FSP: "payerfsp", Name: "none"})
	kind(t, err, fault.NotFound)
	_, err = r.change("key.policy", "", core.KeyPolicyDocument{})
	kind(t, err, fault.Missing)
}

// A key may come with its policy, and keeps it with the next version.
func TestAKeyComesWithItsPolicy(t *testing.T) {
	t.Parallel()
	r := withPolicies(t)
	a := keys.Addition{FSP: "payerfsp", Name: "mac", Use: cpm.UseMAC, Generate: "HS256", Policy: &keys.Policy{Operations: []cpm.Operation{cpm.MACVerify}}}
	r.addKey(a)
	a.Policy = nil
	r.addKey(a)
	_, err := r.Process(t.Context(), r.request("payerfsp", cpm.MAC, &cpmv1.MacRequest{Data: []byte("data")}))
	kind(t, err, fault.Denied)
}

// At most three keys are tried. Those whose policy refuses the caller are not among them, however new they are.
func TestKeysThatRefuseTakeNoPlacesOfOthers(t *testing.T) {
	t.Parallel()
	r := running(t, everything("payerfsp"))
	addMAC := func(name string, p *keys.Policy) {
		t.Helper()
		r.pass(time.Second)
		r.addKey(keys.Addition{FSP: "payerfsp", Name: name, Use: cpm.UseMAC, Generate: "HS256", Policy: p})
	}
	addMAC("mine", nil)
	res, err := r.Process(t.Context(), r.request("payerfsp", cpm.MAC, &cpmv1.MacRequest{Data: []byte("text")}))
	r.must(err)
	code := res.Payload.Message.(*cpmv1.MacResponse).GetMac()
	valid := func() bool {
		t.Helper()
		res, err := r.Process(t.Context(), r.request("payerfsp", cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: []byte("text"), Mac: code}))
		r.must(err)
		return res.Payload.Message.(*cpmv1.MacVerifyResponse).GetValid()
	}
	for range 3 {
		addMAC("theirs", &keys.Policy{Callers: []string{"certificate:other"}})
	}
	for range 2 {
		addMAC("more", nil)
		if !valid() {
			t.Fatal("not valid: the key that made the code was not tried")
		}
	}
	addMAC("more", nil)
	if valid() {
		t.Error("valid: a fourth key was tried")
	}
}

// A fulfilment that is made again counts for the secret that gave it, also when the module found it among several.
func TestASecretFulfilsAgainAsOftenAsItMay(t *testing.T) {
	t.Parallel()
	r := running(t, withILP)
	r.addKey(keys.Addition{FSP: "payeefsp", Name: "old", Use: cpm.UseILP, Generate: "HS256", Policy: &keys.Policy{MaxUses: 3}})
	answer, err := r.fulfil(ilpQuote(1))
	r.must(err)
	r.pass(time.Minute)
	r.addKey(keys.Addition{FSP: "payeefsp", Name: "new", Use: cpm.UseILP, Generate: "HS256"})
	again := packet(answer.GetIlpPacket())
	again.Condition = answer.GetCondition()
	for range 2 {
		a, err := r.fulfil(again)
		r.must(err)
		if a.GetFulfilment() != answer.GetFulfilment() || a.GetKey().GetName() != "old" {
			t.Errorf("got %v", a)
		}
	}
	a, err := r.fulfil(again)
	kind(t, err, fault.State)
	if a != nil {
		t.Errorf("declined with %v", a)
	}
	uses, err := r.Uses(t.Context(), "payeefsp", "old")
	if err != nil || len(uses) != 1 || uses[0].SetAside != 3 {
		t.Errorf("%+v, %v", uses, err)
	}
}

// An adapter that says a fulfilment came from another secret than those it was given leaves nothing to count.
func TestAFulfilmentOfAnUnknownSecretIsNotGiven(t *testing.T) {
	t.Parallel()
	r := runningWith(t, &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.IlpFulfilResponse{Fulfilment: "x", Key: &cpmv1.KeyIdentity{Id: "other"}}}}, nil
	}}, withILP)
	r.addKey(keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Generate: "HS256"})
	_, err := r.fulfil(packet("AQ"))
	kind(t, err, fault.Device)
}

// suspending is a key holder on whose first key something happens while it is put there.
type suspending struct {
	holding

	once    sync.Once
	suspend func()
}

func (s *suspending) Put(ctx context.Context, m cpm.Material) error {
	s.once.Do(s.suspend)
	return s.KeyHolder.Put(ctx, m)
}

// suspendedOnTheWay is a rig whose key jws is suspended while it is put into the module for the first time.
func suspendedOnTheWay(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	with(&suspending{holding: newHolding(r), suspend: func() {
		r.mustChange("key.suspend", "payerfsp/jws", keys.Which{FSP: "payerfsp", Name: "jws"})
	}})(r)
	r.ready()
	return r
}

// signsWith expects the next signature to be of a certain key.
func (r *rig) signsWith(name string) {
	r.t.Helper()
	signed, err := r.sign()
	r.must(err)
	if got := signed.GetKey().GetName(); got != name {
		r.t.Errorf("signed with %q, want %q", got, name)
	}
}

// A key that takes the place of one that was taken out of use on the way is counted, and only once.
func TestTheKeyThatTakesAnothersPlaceIsCounted(t *testing.T) {
	t.Parallel()
	r := suspendedOnTheWay(t)
	r.pass(time.Second)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "other", Use: cpm.UseSignature, Generate: "ES256", Policy: &keys.Policy{MaxUses: 2}})
	for range 2 {
		r.signsWith("other")
	}
	_, err := r.sign()
	kind(t, err, fault.State)
}
