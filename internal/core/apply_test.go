package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/spec"
	"github.com/mojaloop/cpm/internal/ssm"
	"github.com/mojaloop/cpm/internal/store"
)

func newSSM(r *rig) *ssm.Module {
	return ssm.New(ssm.Config{Mandated: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}, HeavyWorkers: 1, Now: r.now})
}

func TestSuspendCutsAtOnceAndResumeRestores(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.mustChange("fsp.suspend", "payerfsp", nil)
	_, err := r.sign()
	kind(t, err, fault.State)
	_, err = r.change("fsp.suspend", "payerfsp", nil)
	kind(t, err, fault.State)
	r.mustChange("fsp.resume", "payerfsp", nil)
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	for _, action := range []string{"fsp.suspend", "fsp.resume", "fsp.set"} {
		_, err = r.change(action, "nobody", nil)
		kind(t, err, fault.NotFound)
	}
}

func TestFSPsAreAddedWithAPolicyAndChanged(t *testing.T) {
	t.Parallel()
	r := running(t)
	policy := core.Policy{Algorithms: []string{"RS256", "PS256"}, Forms: []string{"raw"}, DateWindow: core.Duration(time.Minute)}
	r.mustChange("fsp.add", "fxp1", core.FSPDocument{Policy: policy})
	_, err := r.change("fsp.add", "fxp1", core.FSPDocument{})
	kind(t, err, fault.Conflict)
	r.mustChange("fsp.set", "payerfsp", core.FSPDocument{Policy: policy})
	i := slices.IndexFunc(r.FSPs(), func(f core.FSPView) bool { return f.Name == "fxp1" })
	if i < 0 || !slices.Equal(r.FSPs()[i].Policy.Algorithms, policy.Algorithms) || r.FSPs()[i].State != "active" {
		t.Errorf("%+v", r.FSPs())
	}
	signed, err := r.sign()
	r.must(err)
	if reason := r.verify("payerfsp", signed); reason != "algorithm-refused" {
		t.Errorf("ES256 is not on the list, got %q", reason)
	}
	for name, d := range map[string]any{
		"an algorithm": core.FSPDocument{Policy: core.Policy{Algorithms: []string{"HS256"}}},
		"a form":       core.FSPDocument{Policy: core.Policy{Forms: []string{"cooked"}}},
		"a duration":   map[string]any{"policy": map[string]any{"dateWindow": "soon"}},
		"a member":     map[string]any{"polcy": map[string]any{}},
		"a type":       []int{1},
	} {
		_, err := r.change("fsp.set", "payerfsp", d)
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
		kind(t, err, fault.Invalid)
	}
	_, err = r.change("fsp.add", "a/b", core.FSPDocument{})
	kind(t, err, fault.Invalid)
}

func TestOnlyAdministratorsChange(t *testing.T) {
	t.Parallel()
	r := running(t)
	for _, p := range []cpm.Principal{{}, caller, {Kind: cpm.PrincipalLoopback, Name: "dev"}} {
		_, err := r.Apply(t.Context(), p, core.Change{Action: "fsp.suspend", Target: "payerfsp"})
		kind(t, err, fault.Denied)
	}
	_, err := r.change("fsp.destroy", "payerfsp", nil)
	kind(t, err, fault.Invalid)
	_, err = r.Apply(t.Context(), operator, core.Change{Action: "fsp.add", Target: "x", Document: []byte(`{} {}`)})
	kind(t, err, fault.Invalid)
	if !slices.Contains(core.Actions(), "key.delete") {
		t.Error("the actions are not listed")
	}
}

func TestAWrongConfigurationChangesNothingAndNamesEveryFault(t *testing.T) {
	t.Parallel()
	r := running(t)
	before := r.Status()
	d := document()
	d.Routes = append(d.Routes, core.RouteEntry{FSP: "nobody", Operation: "*", Adapter: "ssm1"}, core.RouteEntry{FSP: "*", Operation: "x", Adapter: "y"})
	d.Grants = append(d.Grants, core.GrantEntry{Principal: "", FSP: "*", Operations: []string{"*"}})
	d.Settings = map[string]json.RawMessage{"colour": json.RawMessage(`"red"`), "keyOverlap": json.RawMessage(`"long"`)}
	d.FSPs = append(d.FSPs, core.FSPEntry{Name: "fxp1", Policy: core.Policy{Forms: []string{"cooked"}}})
	_, err := r.change("config.apply", "", d)
	kind(t, err, fault.Invalid)
	for _, want := range []string{`"nobody"`, `"y"`, "name the principal", `"colour"`, "keyOverlap", "cooked"} {
		if !strings.Contains(fault.From(err).Public, want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
	if after := r.Status(); after.Revision != before.Revision || after.FSPs != before.FSPs {
		t.Errorf("changed from %+v to %+v", before, after)
	}
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	off := document()
	off.Adapters[0].Disabled = true
	_, err = r.change("config.apply", "", off)
	kind(t, err, fault.Invalid)
}

func TestApplyWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.pass(time.Hour)
	r.apply(document())
	changes, err := r.store.Changes(t.Context(), 0, 1000)
	r.must(err)
	last := changes[len(changes)-1]
	if last.Action != "config.apply" || last.Table != "" {
		t.Errorf("the same configuration again wrote %+v", last)
	}
	d := document()
	d.Settings = map[string]json.RawMessage{"commonName": json.RawMessage(`"cpm-1"`), "keyOverlap": json.RawMessage(`"1m"`)}
	d.Routes[0].Timeout = core.Duration(time.Second)
	d.Grants = d.Grants[:1]
	d.Adapters[0].Settings = json.RawMessage(`{"a":1}`)
	r.apply(d)
	if s := r.Status(); s.Name != "cpm-1" || len(r.Grants()) != 2 || time.Duration(r.Routes()[0].Timeout) != time.Second {
		t.Errorf("%+v %+v %+v", s, r.Grants(), r.Routes())
	}
	if _, err := r.sign(); err != nil {
		t.Errorf("after the adapter was replaced: %v", err)
	}
}

func TestApplyTellsWhatIsGone(t *testing.T) {
	t.Parallel()
	r := running(t)
	d := document()
	d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "*", Adapter: "ssm1"})
	for _, o := range []string{"jws.sign", "jws.verify", "jwe.encrypt", "jwe.decrypt", "ilp.fulfil", "message.open"} {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: "certificate:old", FSP: "payeefsp", Operations: []string{o}})
	}
	receipt, err := r.change("config.apply", "", d)
	r.must(err)
	if receipt.Detail != nil {
		t.Errorf("nothing is gone, and %+v is told", receipt.Detail)
	}
	receipt, err = r.change("config.apply", "", document())
	r.must(err)
	want := core.ConfigDetail{Gone: []core.Gone{
		{Part: "routes", Count: 1, Names: []string{"payerfsp *"}},
		{Part: "grants", Count: 6, Names: []string{
			"certificate:old payeefsp ilp.fulfil", "certificate:old payeefsp jwe.decrypt", "certificate:old payeefsp jwe.encrypt",
			"certificate:old payeefsp jws.sign", "certificate:old payeefsp jws.verify",
		}},
	}}
	if diff := cmp.Diff(any(want), receipt.Detail); diff != "" {
		t.Error(diff)
	}
}

// A grant from before principals were checked is loaded, and stays while other things change.
func TestAStoredGrantWithoutKindIsNoFault(t *testing.T) {
	t.Parallel()
	r := running(t)
	_, err := r.store.Change(t.Context(), store.Entry{Action: "test", Actor: "test", At: r.now()}, func(tx *store.Tx) error {
		return tx.Put(&store.Grant{Principal: "ml-api", Space: "payerfsp", Operation: "jws.sign"})
	})
	r.must(err)
	_, err = r.change("fsp.suspend", "payerfsp", nil)
	r.must(err)
	if len(r.Grants()) != len(document().Grants)+2 {
		t.Errorf("the grants are %v", r.Grants())
	}
	_, err = r.change("grant.remove", "ml-api", core.GrantEntry{Principal: "ml-api", FSP: "payerfsp"})
	r.must(err)
	wrong := document()
	wrong.Grants[0].Principal = "ml-api"
	_, err = r.change("config.apply", "", wrong)
	kind(t, err, fault.Invalid)
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	r := running(t)
	at := r.Revision()
	_, err := r.Apply(t.Context(), operator, core.Change{Action: "fsp.suspend", Target: "payerfsp", ExpectRevision: at - 1})
	kind(t, err, fault.Conflict)
	receipt, err := r.Apply(t.Context(), operator, core.Change{Action: "fsp.suspend", Target: "payerfsp", ExpectRevision: at})
	r.must(err)
	if receipt.Revision != at+1 || r.Revision() != at+1 {
		t.Errorf("revision %d after %d", receipt.Revision, at)
	}
}

func TestARestartSeesWhatWasChanged(t *testing.T) {
	t.Parallel()
	r := running(t)
	signed, err := r.sign()
	r.must(err)
	r.mustChange("fsp.suspend", "payeefsp", nil)
	before := r.Keys("", "", true)
	r.stop()
	r.start(strings.TrimSuffix(r.path, "/cpm.db"))
	r.must(r.Load(t.Context()))
	r.must(r.Activate(t.Context()))
	if after := r.Keys("", "", true); len(after) != len(before) || after[0].ID != before[0].ID {
		t.Errorf("keys %+v, before %+v", after, before)
	}
	if reason := r.verify("payerfsp", signed); reason != "" {
		t.Error(reason)
	}
	if views := r.FSPs(); views[0].State != "suspended" {
		t.Errorf("%+v", views)
	}
}

func TestKeysAreListedWithoutTheirBytes(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.pass(time.Minute)
	receipt := r.mustChange("key.add", "", keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256", NotAfter: r.now().Add(time.Hour)})
	if d := receipt.Detail.(core.KeyDetail); d.Version != 2 || d.Name != "jws" {
		t.Errorf("%+v", d)
	}
	current, all := r.Keys("payerfsp", "", false), r.Keys("", "jws", true)
	if len(current) != 1 || len(all) != 2 || current[0].Version != 2 || current[0].NotAfter == nil || all[1].Backup == "" {
		t.Errorf("%+v %+v", current, all)
	}
	text, err := json.Marshal(all)
	r.must(err)
	if strings.Contains(string(text), "sealed") {
		t.Error("sealed bytes are shown")
	}
	err = r.addSecretKey(keys.Addition{FSP: "payerfsp", Name: "in", Use: cpm.UseSignature}, "nonsense")
	kind(t, err, fault.Invalid)
	_, err = r.change("key.add", "", keys.Addition{FSP: "nobody", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	kind(t, err, fault.NotFound)
	_, err = r.change("key.delete", "", core.KeyDocument{FSP: "payerfsp"})
	kind(t, err, fault.Missing)
}

func TestADeletedKeyLeavesTheModuleAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	module := newSSM(r)
	with(module)(r)
	r.must(r.Load(t.Context()))
	r.apply(document())
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(t.Context()))
	signed, err := r.sign()
	r.must(err)
	q := r.signRequest()
	_, err = r.Process(t.Context(), q)
	r.must(err)
	r.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	if _, err := module.Do(t.Context(), q); !errors.Is(err, cpm.ErrKeyNotHeld) {
		t.Errorf("the module still holds the key: %v", err)
	}
	if reason := r.verify("payerfsp", signed); reason != "key-not-usable" {
		t.Errorf("verified with a deleted key: %q", reason)
	}
}

func TestReplays(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.mustChange("fsp.set", "payerfsp", core.FSPDocument{Policy: core.Policy{ReplayWindow: core.Duration(time.Minute)}})
	signed, err := r.sign()
	r.must(err)
	for _, want := range []string{"", "replayed", "replayed"} {
		if reason := r.verify("payerfsp", signed); reason != want {
			t.Errorf("got %q, want %q", reason, want)
		}
	}
	q := r.verifyRequest("payerfsp", signed)
	q.Caller.Name = "another"
	if _, err := r.Process(t.Context(), q); !errors.Is(err, fault.Denied) {
		t.Error(err)
	}
	r.pass(time.Minute)
	if reason := r.verify("payerfsp", signed); reason != "" {
		t.Errorf("after the window: %q", reason)
	}
}

func TestTryTellsWhatWouldHappen(t *testing.T) {
	t.Parallel()
	r := running(t)
	if got := r.Try("payerfsp", cpm.JWSSign); got.Verdict != "ok" || got.Adapter != "ssm1" || !slices.Equal(got.Keys, []string{"jws/1"}) || got.Rule != "* *" {
		t.Errorf("%+v", got)
	}
	for want, c := range map[string]struct {
		f cpm.FSP
		o cpm.Operation
	}{
		"invalid": {"payerfsp", "x"}, "not-found": {"nobody", cpm.JWSSign},
	} {
		if got := r.Try(c.f, c.o); got.Verdict != want || got.Reason == "" {
			t.Errorf("%+v", got)
		}
	}
	if got := r.Try("payeefsp", cpm.JWSSign); got.Verdict != "not-found" {
		t.Errorf("no key: %+v", got)
	}
}

func TestAnAdapterThatDoesNotStartStopsTheChange(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.open["broken"] = func() (cpm.Module, error) { return nil, errors.New("no such device") }
	d := document()
	second := d.Adapters[0]
	second.Name = "second"
	broken := second
	broken.Name = "broken"
	d.Adapters = append(d.Adapters, second, broken)
	_, err := r.change("config.apply", "", d)
	if err == nil {
		t.Fatal("accepted")
	}
	if _, err := r.sign(); err != nil {
		t.Errorf("the old configuration does not serve: %v", err)
	}
}

func TestChangesUnderLoadDeclineNothing(t *testing.T) {
	t.Parallel()
	r := running(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Process(context.WithoutCancel(ctx), r.signRequest()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		d := document()
		d.Routes[0].Timeout = core.Duration(time.Duration(i+1) * time.Second)
		if i%2 == 0 {
			second := d.Adapters[0]
			second.Name = "second"
			d.Adapters, d.Routes[0].Adapter = append(d.Adapters, second), "second"
		}
		r.apply(d)
		r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	}
	cancel()
	group.Wait()
	spec.Covers(t, "MSG-config")
}
