package core_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/spec"
)

// mute is a module that does not answer a question about its status.
type mute struct {
	cpm.Module

	asked chan struct{}
	free  chan struct{}
}

func (m mute) Status(context.Context) (cpm.Status, error) {
	close(m.asked)
	<-m.free
	return cpm.Status{State: cpm.Active}, nil
}

// adapterOf finds an adapter in a status document.
func adapterOf(t *testing.T, v core.StatusView, name string) core.AdapterView {
	t.Helper()
	for _, a := range v.Adapters {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no adapter %s in %+v", name, v)
	return core.AdapterView{}
}

// status is the document of the command Status.
func (r *rig) status(adapter string) (v core.StatusView) {
	r.t.Helper()
	reply := r.does("Status", adapter)
	r.must(json.Unmarshal(reply.GetStatus(), &v))
	return v
}

func TestStatusAsksEveryAdapter(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	r.attach("cmd1", "command", &dialler{})
	r.attach("cmd1", "command", &dialler{})
	update := &dialler{status: func(context.Context) (cpm.ServiceStatus, error) {
		return cpm.ServiceStatus{State: cpm.ShuttingDown, Counts: map[string]cpm.Outcomes{
			"Add": {Success: 2}, strings.Repeat("x", 65): {Success: 1},
		}}, nil
	}}
	r.attach("kup1", "keyupdate", update)
	_, err := r.sign()
	r.must(err)
	v := r.status("")
	if v.State != cpm.Active || v.Status != "Active" || v.Since.IsZero() {
		t.Errorf("the CPM: %+v", v)
	}
	want := []core.OwnCount{{Name: "", Invalid: 4}, {Name: "Status", Success: 6, Failed: 2}}
	if a := adapterOf(t, v, "cmd1"); a.Status != "Active" || a.Connected != 2 || !cmp.Equal(want, a.Own) {
		t.Errorf("the Command adapter: %+v", a)
	}
	if a := adapterOf(t, v, "kup1"); a.Status != "Stopped" || a.State != cpm.ShuttingDown || !cmp.Equal([]core.OwnCount{{Name: "Add", Success: 2}}, a.Own) {
		t.Errorf("the Key Update adapter: %+v", a)
	}
	if a := adapterOf(t, v, "ssm1"); a.Endpoints[0].Status != "Active" || !cmp.Equal([]core.OwnCount{{Name: "jws.sign", Success: 1}}, a.Own) || len(a.HSMs) != 0 {
		t.Errorf("the security adapter: %+v", a)
	}
	if reply := r.does("Status", "kup1"); len(reply.GetAdapters()) != 1 || reply.GetAdapters()[0].GetName() != "kup1" {
		t.Errorf("one adapter: %v", reply.GetAdapters())
	}
	r.fails("Status", "nobody", "not known")
	spec.Covers(t, "CMD-5a", "CMD-5c", "CMD-5d", "CMD-5f", "CMD-5f-ii-valid", "CMD-5f-iii-valid", "CMD-5f-iii-invalid", "CMD-5f-iv-valid", "CMD-5f-iv-invalid")
}

func TestAnAdapterThatDoesNotAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	m := mute{asked: make(chan struct{}), free: make(chan struct{})}
	r := newRig(t)
	m.Module = newSSM(r)
	r.open["mute"] = func() (cpm.Module, error) { return m, nil }
	r.must(r.Load(t.Context()))
	d := document()
	operators(&d)
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "mute", Kind: "ssm"})
	d.Settings = map[string]json.RawMessage{"statusTimeout": json.RawMessage(`"2s"`)}
	r.apply(d)
	r.must(r.Activate(t.Context()))
	r.attach("cmd1", "command", &dialler{status: func(ctx context.Context) (cpm.ServiceStatus, error) {
		<-ctx.Done()
		return cpm.ServiceStatus{}, ctx.Err()
	}})
	v := r.status("")
	<-m.asked
	close(m.free) // the late answer goes nowhere
	for name, want := range map[string]string{"mute": "Unknown", "cmd1": "Unknown", "kup1": "Unknown", "ssm1": "Active"} {
		if a := adapterOf(t, v, name); a.Status != want || (want == "Unknown" && len(a.Own) != 0) {
			t.Errorf("%s: %+v, want %s", name, a, want)
		}
	}
	spec.Covers(t, "CMD-5b", "CMD-5e", "CMD-5f-i")
}

func TestStatusAgreesWithTheMetrics(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	for range 3 {
		_, err := r.sign()
		r.must(err)
	}
	q := r.signRequest()
	q.Caller.Name = "stranger"
	_, _ = r.Process(t.Context(), q)
	r.does("RefreshKeys", "")
	r.fails("Startup", "ssm1", "is not stopped")
	_, err := r.order("Reboot", "")
	if err == nil {
		t.Error("done")
	}
	_, _ = r.KeyUpdate(t.Context(), "kup1", "r-1", nil)
	r.does("Status", "")
	v := r.status("")
	want := map[string]float64{"cpm_commands_total Status success": 1} // the second one was counted after it was answered
	for _, n := range v.Commands {
		if n.Command == "Status" && n.Success != 1 {
			t.Errorf("Status is counted %+v while it is done", n)
		}
		for result, value := range map[string]uint64{"success": n.Success, "failed": n.Failed, "invalid": n.Invalid} {
			want["cpm_commands_total "+n.Command+" "+result] += float64(value)
		}
	}
	for _, n := range v.KeyUpdates {
		for result, value := range map[string]uint64{"success": n.Success, "failed": n.Failed, "invalid": n.Invalid} {
			want["cpm_key_updates_total "+n.Action+" "+n.FSP+" "+result] += float64(value)
		}
	}
	for _, n := range v.Counts {
		want["cpm_operations_total "+n.Adapter+" "+n.FSP+" "+n.Operation+" success"] += float64(n.Success)
		want["cpm_operations_total "+n.Adapter+" "+n.FSP+" "+n.Operation+" failed"] += float64(n.Failed)
	}
	if diff := cmp.Diff(want, r.gathered()); diff != "" {
		t.Error(diff)
	}
	if want["cpm_commands_total  invalid"] != 1 || want["cpm_commands_total Startup failed"] != 1 || want["cpm_operations_total ssm1 payerfsp jws.sign success"] != 3 {
		t.Errorf("%v", want)
	}
	spec.Covers(t, "CMD-5f-vi-commands", "CMD-5f-vi-updates", "CMD-5f-vi-encryptions", "CMD-6")
}

// gathered are the counters of the metrics by name and labels, the labels in the order of their names.
func (r *rig) gathered() map[string]float64 {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(obs.OperationCollector(r.Counts, true), obs.CommandCollector(r.CommandCounts), obs.UpdateCollector(r.KeyUpdateCounts, true))
	families, err := registry.Gather()
	r.must(err)
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			all[name] = m.GetCounter().GetValue()
		}
	}
	return all
}
