package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/api"
	"github.com/mojaloop/cpm/internal/obs"
)

// A pause is seen while it lasts, and its length when it has ended.
func TestPausesAreInTheMetrics(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics(obs.Build{})
	d := doorMetrics{m}
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
