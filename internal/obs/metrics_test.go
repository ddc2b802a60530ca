package obs_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

// values gathers what a registry shows of our own metrics, as name{label="value",…} and value; a histogram by its count.
func values(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "cpm_") {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestMetricsAndTheirLabels(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics(obs.Build{Version: "1.2.3", Revision: "abc"})
	m.OperationDuration.WithLabelValues("jws.sign", "ssm").Observe(0.001)
	m.RequestDuration.WithLabelValues("jws.sign", "http").Observe(0.002)
	m.Declines.WithLabelValues("busy", "grpc").Inc()
	m.SignatureRefusals.WithLabelValues("key-unknown").Add(2)
	m.InFlight.WithLabelValues("http").Set(3)
	m.Paused.WithLabelValues("grpc").Add(2)
	m.PausedTime.WithLabelValues("grpc").Add(1.5)
	m.CertificatesExpire([]obs.Expiry{{"own", time.Unix(1, 0)}, {"gone", time.Unix(2, 0)}})
	m.CertificatesExpire([]obs.Expiry{{"own", time.Unix(1_800_000_000, 0)}, {"crl", time.Unix(1_700_000_000, 0)}, {"own", time.Unix(1_900_000_000, 0)}})
	m.Registry.MustRegister(obs.RevisionCollector(func() int64 { return 41 }), obs.StateCollector(func() cpm.State { return cpm.Active }))
	got := values(t, m.Registry)
	maps.DeleteFunc(got, func(name string, _ float64) bool {
		return strings.HasPrefix(name, "cpm_build_info{goversion=go") && strings.HasSuffix(name, ",revision=abc,version=1.2.3}")
	})
	want := map[string]float64{
		"cpm_operation_duration_seconds{adapter=ssm,operation=jws.sign}": 1,
		"cpm_request_duration_seconds{operation=jws.sign,port=http}":     1,
		"cpm_declines_total{kind=busy,port=grpc}":                        1,
		"cpm_signature_refusals_total{reason=key-unknown}":               2,
		"cpm_inflight{port=http}":                                        3,
		"cpm_paused_connections{port=grpc}":                              2,
		"cpm_paused_seconds_total{port=grpc}":                            1.5,
		"cpm_certificate_expiry_seconds{entry=1,role=own}":               1.8e9,
		"cpm_certificate_expiry_seconds{entry=2,role=own}":               1.9e9,
		"cpm_certificate_expiry_seconds{entry=1,role=crl}":               1.7e9,
		"cpm_config_revision{}":                                          41,
		"cpm_state{state=Active}":                                        1,
		"cpm_state{state=Starting}":                                      0,
		"cpm_state{state=ShuttingDown}":                                  0,
		"cpm_state{state=Inactive}":                                      0,
		"cpm_state{state=Stopped}":                                       0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARegistryIsPrivateAndShowsTheProcess(t *testing.T) {
	t.Parallel()
	first, second := obs.NewRegistry(obs.Build{Version: "1"}), obs.NewMetrics(obs.Build{Version: "2"}).Registry
	if len(values(t, first)) != 1 || len(values(t, second)) != 1 {
		t.Error("registries see each other")
	}
	families, err := first.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, name := range []string{"cpm_build_info", "go_goroutines", "process_start_time_seconds"} {
		if !slices.Contains(names, name) {
			t.Errorf("no %s", name)
		}
	}
}

func TestDurationsFallIntoBucketsFrom50MicrosecondsTo3Seconds(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics(obs.Build{})
	m.OperationDuration.WithLabelValues("o", "a").Observe(3.2)
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "cpm_operation_duration_seconds" {
			continue
		}
		b := f.GetMetric()[0].GetHistogram().GetBucket()
		if len(b) != 17 || b[0].GetUpperBound() != 50e-6 || b[1].GetUpperBound() != 100e-6 || b[16].GetUpperBound() != 3.2768 {
			t.Errorf("got %v", b)
		}
		if b[15].GetCumulativeCount() != 0 || b[16].GetCumulativeCount() != 1 {
			t.Errorf("3.2 s is not in the last bucket: %v", b)
		}
		return
	}
	t.Error("no histogram")
}

func counts() []obs.Count {
	return []obs.Count{
		{Operation: "jws.sign", FSP: "a", Adapter: "ssm", Success: 1, Failed: 10},
		{Operation: "jws.sign", FSP: "b", Adapter: "ssm", Success: 2, Failed: 20},
		{Operation: "jws.sign", FSP: "b", Adapter: "ssm", Success: 4},
		{Operation: "jws.sign", FSP: "b", Adapter: "hsm\xff", Success: 8},
	}
}

func TestOperationsAreSummedOverFSPs(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(obs.OperationCollector(counts, false))
	want := map[string]float64{
		"cpm_operations_total{adapter=ssm,operation=jws.sign,result=success}":       7,
		"cpm_operations_total{adapter=ssm,operation=jws.sign,result=failed}":        30,
		"cpm_operations_total{adapter=hsm\uFFFD,operation=jws.sign,result=success}": 8,
		"cpm_operations_total{adapter=hsm\uFFFD,operation=jws.sign,result=failed}":  0,
	}
	if diff := cmp.Diff(want, values(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestOperationsByFSP(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(obs.OperationCollector(counts, true), obs.StateCollector(func() cpm.State { return "" }))
	got := values(t, r)
	for name, want := range map[string]float64{
		"cpm_operations_total{adapter=ssm,fsp=a,operation=jws.sign,result=failed}":  10,
		"cpm_operations_total{adapter=ssm,fsp=b,operation=jws.sign,result=success}": 6,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 6+5 {
		t.Errorf("got %d metrics: %v", len(got), got)
	}
}
