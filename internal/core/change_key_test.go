package core_test

import (
	"errors"
	"testing"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

func TestMovesOfAKeyHoldForRequestsAtOnce(t *testing.T) {
	t.Parallel()
	r := running(t)
	which := keys.Which{FSP: "payerfsp", Name: "jws"}
	signed, err := r.sign()
	r.must(err)
	signs := func(want bool) {
		t.Helper()
		if _, err := r.sign(); (err == nil) != want {
			t.Errorf("signs: %v", err)
		}
	}
	verifies := func(want string) {
		t.Helper()
		if got := r.verify("payerfsp", signed); got != want {
			t.Errorf("verifies: %q, want %q", got, want)
		}
	}
	r.mustChange("key.suspend", "", which)
	signs(false)
	verifies("key-not-usable")
	r.mustChange("key.resume", "", which)
	signs(true)
	verifies("")
	r.mustChange("key.deactivate", "", which)
	signs(false)
	verifies("key-not-usable")
	receipt := r.mustChange("key.restore", "", keys.Which{FSP: "payerfsp", Name: "jws", Version: 1})
	if d, ok := receipt.Detail.(core.KeyDetail); !ok || d.Version != 2 {
		t.Errorf("%+v", receipt)
	}
	signs(true)
	verifies("") // it is the same key
	r.mustChange("key.update", "", keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	verifies("") // superseded, within the overlap
	r.mustChange("key.compromise", "", keys.Which{FSP: "payerfsp", Name: "jws", Version: 2})
	verifies("signature-mismatch") // no overlap
	signs(true)
	_, err = r.change("key.restore", "", keys.Which{FSP: "payerfsp", Name: "jws", Version: 1})
	kind(t, err, fault.State)
	r.mustChange("key.destroy", "", keys.Which{FSP: "payerfsp", Name: "jws", Version: 1})
	r.mustChange("key.destroy", "", which)
	signs(false)

	history := r.Keys("payerfsp", "jws", true)
	var states []string
	for _, v := range history {
		states = append(states, v.State)
		if v.Destroyed == nil || v.UpdatedBy != operator.String() || v.Thumbprint == "" {
			t.Errorf("%+v", v)
		}
	}
	if len(states) != 3 || states[0] != keys.Destroyed || states[1] != keys.DestroyedCompromised || states[2] != keys.DestroyedCompromised {
		t.Errorf("%v", states)
	}
	for _, event := range []string{"suspended", "resumed", "deactivated", "restored", "updated", "compromised"} {
		lines := r.logged("key." + event)
		if len(lines) != 1 || lines[0]["fspId"] != "payerfsp" || lines[0]["kid"] != "jws" || lines[0]["actor"] != operator.String() {
			t.Errorf("%s: %v", event, lines)
		}
	}
	if n := len(r.logged("key.destroyed")); n != 2 {
		t.Errorf("destroyed was logged %d times", n)
	}
}

func TestActionsOnKeysThatAreNotThere(t *testing.T) {
	t.Parallel()
	r := running(t)
	for _, action := range []string{"key.suspend", "key.resume", "key.deactivate", "key.compromise", "key.destroy", "key.restore"} {
		_, err := r.change(action, "", keys.Which{FSP: "payerfsp", Name: "other", Version: 1})
		kind(t, err, fault.NotFound)
		_, err = r.change(action, "", keys.Which{FSP: "payerfsp", Name: "jws", Version: 9})
		kind(t, err, fault.NotFound)
		_, err = r.change(action, "", keys.Which{Name: "jws"})
		kind(t, err, fault.Missing)
		_, err = r.change(action, "", map[string]string{"fsp": "payerfsp", "key": "jws"})
		kind(t, err, fault.Invalid)
	}
	addition := keys.Addition{FSP: "payerfsp", Name: "other", Use: cpm.UseSignature, Generate: "ES256"}
	_, err := r.change("key.update", "", addition)
	kind(t, err, fault.NotFound)
	r.addKey(addition)
	r.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "other"})
	r.mustChange("key.update", "", addition)
}

func TestAnFSPDoesNotBringBackWhatWasCompromised(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	key := newECKey(t)
	p.mustSend(p.add("jws", "sig", key))
	r.mustChange("key.compromise", "", keys.Which{FSP: "payeefsp", Name: "jws"})
	_, err := p.send(p.add("jws", "sig", key))
	if !errors.Is(err, keys.RuleReturning) {
		t.Error(err)
	}
	p.mustSend(p.add("jws", "sig", newECKey(t)))
}
