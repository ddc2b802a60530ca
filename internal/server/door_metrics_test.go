package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/api"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// A pause is seen while it lasts, and its length when it has ended.
func TestPausesAreInTheMetrics(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics(obs.Build{})
	d := newDoorMetrics(m)
	d.Paused(api.GRPC, +1, 0)
	d.Paused(api.JSON, +1, 0)
	d.Paused(api.JSON, -1, 1500*time.Millisecond)
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "cpm_paused_connections" && f.GetName() != "cpm_paused_seconds_total" {
			continue
		}
		for _, s := range f.GetMetric() {
			got[f.GetName()+" "+s.GetLabel()[0].GetValue()] = s.GetGauge().GetValue() + s.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"cpm_paused_connections grpc": 1, "cpm_paused_connections json": 0,
		"cpm_paused_seconds_total grpc": 0, "cpm_paused_seconds_total json": 1.5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every answer there can be is counted, and what nobody asked for is not among the metrics.
func TestAnswersAreInTheMetrics(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics(obs.Build{})
	d := newDoorMetrics(m)
	d.Answered(api.Answer{Port: api.GRPC, Operation: cpm.JWSSign, Took: time.Millisecond})
	d.Answered(api.Answer{Port: api.GRPC, Operation: cpm.JWSSign, Took: time.Millisecond})
	d.Answered(api.Answer{Port: api.JSON, Took: time.Millisecond, Declined: true, Kind: fault.Invalid})
	want := map[string]uint64{"cpm_request_duration_seconds jws.sign grpc": 2, "cpm_request_duration_seconds  json": 1, "cpm_declines_total invalid json": 1}
	if diff := cmp.Diff(want, answersIn(t, m)); diff != "" {
		t.Error(diff)
	}
	for _, p := range []api.Port{api.JSON, api.GRPC} {
		for _, row := range cpm.Operations() {
			for _, k := range fault.Kinds() {
				d.Answered(api.Answer{Port: p, Operation: row.Operation, Declined: true, Kind: k})
			}
		}
	}
	if got, want := len(answersIn(t, m)), 2*(len(cpm.Operations())+len(fault.Kinds()))+1; got != want {
		t.Errorf("%d metrics of answers, want %d", got, want)
	}
}

// answersIn is how often each metric of answers was counted.
func answersIn(t *testing.T, m *obs.Metrics) map[string]uint64 {
	t.Helper()
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != "cpm_request_duration_seconds" && f.GetName() != "cpm_declines_total" {
			continue
		}
		for _, s := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range s.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			name := f.GetName() + " " + labels["operation"] + labels["kind"] + " " + labels["port"]
			got[name] = s.GetHistogram().GetSampleCount() + uint64(s.GetCounter().GetValue())
		}
	}
	return got
}
