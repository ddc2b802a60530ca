package core_test

import (
	"errors"
	"strings"
	"testing"

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
	receipt, err := r.Refresh(t.Context(), operator)
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
	_, err = r.Refresh(t.Context(), caller)
	kind(t, err, fault.Denied)
}

func TestARefreshThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.must(r.store.Close())
	if _, err := r.Refresh(t.Context(), operator); err == nil {
		t.Error("refreshed without a database")
	}
	if _, err := r.sign(); err != nil {
		t.Errorf("the keys are gone: %v", err)
	}
}
