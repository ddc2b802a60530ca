package obs

import (
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestShedRequestsAreShownByReason(t *testing.T) {
	want := map[string]uint64{"fsp-rate": 3, "queue-wait": 5}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(ShedCollector(func() map[string]uint64 { return want }))
	families, err := r.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "cpm_shed_total" {
		t.Fatal(families, err)
	}
	got := map[string]uint64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()] = uint64(m.GetCounter().GetValue())
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
