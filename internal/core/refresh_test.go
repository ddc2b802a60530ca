package core_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

func TestAStoppedAdapterStaysStoppedUntilItIsStarted(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.mustChange("adapter.stop", "ssm1", nil)
	_, err := r.sign()
	kind(t, err, fault.Unavailable)
	if s := r.Status().Adapters[0]; s.State != cpm.Stopped || s.Status != "Stopped" {
		t.Errorf("%+v", s)
	}
	_, err = r.change("adapter.stop", "ssm1", nil)
	kind(t, err, fault.State)
	d := document()
	d.Adapters = append(d.Adapters, d.Adapters[0])
	d.Adapters[1].Name = "ssm2"
	r.apply(d)
	r.stop()
	r.start(strings.TrimSuffix(r.path, "/cpm.db"))
	r.must(r.Load(t.Context()))
	r.must(r.Activate(t.Context()))
	_, err = r.sign()
	kind(t, err, fault.Unavailable)
	r.mustChange("adapter.start", "ssm1", nil)
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	_, err = r.change("adapter.start", "ssm1", nil)
	kind(t, err, fault.State)
	_, err = r.change("adapter.start", "nobody", nil)
	kind(t, err, fault.NotFound)
}

func TestRefreshFollowsWhatAnotherProcessStored(t *testing.T) {
	t.Parallel()
	r := running(t)
	other := &rig{t: t, path: r.path, open: map[string]func() (cpm.Module, error){}}
	other.start(strings.TrimSuffix(r.path, "/cpm.db"))
	other.must(other.Load(t.Context()))
	signed, err := r.sign()
	r.must(err)
	other.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	other.addKey(keys.Addition{FSP: "payeefsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	if _, err := r.sign(); err != nil {
		t.Errorf("before the refresh: %v", err)
	}
	receipt, err := r.Refresh(t.Context(), operator, core.RefreshOrder{})
	r.must(err)
	if receipt.Revision != other.Revision() {
		t.Errorf("at revision %d, the other at %d", receipt.Revision, other.Revision())
	}
	if _, err := r.sign(); !errors.Is(err, fault.State) {
		t.Errorf("the deleted key still signs: %v", err)
	}
	if reason := r.verify("payerfsp", signed); reason != "key-not-usable" {
		t.Errorf("the deleted key still verifies: %q", reason)
	}
	_, err = r.Refresh(t.Context(), caller, core.RefreshOrder{})
	kind(t, err, fault.Denied)
}

func TestARefreshThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.must(r.store.Close())
	if _, err := r.Refresh(t.Context(), operator, core.RefreshOrder{}); err == nil {
		t.Error("refreshed without a database")
	}
	if _, err := r.sign(); err != nil {
		t.Errorf("the keys are gone: %v", err)
	}
}

// switched is a module that is on a link which a test takes down and up.
type switched struct {
	cpm.Module

	up atomic.Bool
}

func (s *switched) Late() uint64 { return 0 }

func (s *switched) Up() bool { return s.up.Load() }

func TestAdaptersShowTheirEndpoints(t *testing.T) {
	t.Parallel()
	one, two := &switched{}, &switched{}
	one.up.Store(true)
	r := newRig(t)
	r.must(r.Load(t.Context()))
	r.open["far@a.example:1"] = func() (cpm.Module, error) { return one, nil }
	r.open["far@b.example:2"] = func() (cpm.Module, error) { return two, nil }
	d := document()
	d.Adapters = append(d.Adapters, core.AdapterEntry{
		Name: "far", Type: "security", Kind: "ssm", Launch: "external", Identity: "far.example", Endpoints: []string{"a.example:1", "b.example:2"},
	})
	r.apply(d)
	want := core.AdapterView{
		Name: "far", Type: "security", Kind: "ssm", Launch: "external", Identity: "far.example", Status: "Active", State: cpm.Active, Enabled: true, Operations: []cpm.Operation{}, HSMs: []core.HSMView{},
		Endpoints: []core.EndpointView{{Address: "a.example:1", Up: true}, {Address: "b.example:2"}},
	}
	same := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, r.Adapters()[0]); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	same("with one up")
	one.up.Store(false)
	want.Endpoints[0].Up, want.Status, want.State = false, "Unknown", cpm.Inactive
	same("with none up")
	r.mustChange("adapter.stop", "far", nil)
	one.up.Store(true)
	want.Stopped, want.Status, want.State = true, "Stopped", cpm.Stopped
	same("stopped")
	if got := r.Adapters()[1]; got.Name != "ssm1" || got.Launch != "inproc" || len(got.Endpoints) != 1 || !got.Endpoints[0].Up {
		t.Errorf("the adapter in process: %+v", got)
	}
}
