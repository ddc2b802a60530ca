package obs

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Agreement says how far a CPM follows its database.
type Agreement struct {
	// Age is how long ago memory and database were last known to agree.
	Age time.Duration
	// Failures counts the looks at the database that failed, since start.
	Failures uint64
	// Reachable is whether the database answered the last look.
	Reachable bool
}

// agreements is the collector over an Agreement.
type agreements struct {
	now                      func() Agreement
	age, failures, reachable *prometheus.Desc
}

// AgreementCollector shows how far the CPM follows its database as cpm_database_agreement_age_seconds,
// cpm_database_poll_failures_total and cpm_database_reachable.
func AgreementCollector(now func() Agreement) prometheus.Collector {
	return agreements{
		now: now,
		age: prometheus.NewDesc("cpm_database_agreement_age_seconds",
			"Seconds since memory and database were last known to agree.", nil, nil),
		failures: prometheus.NewDesc("cpm_database_poll_failures_total",
			"Looks at the database that failed.", nil, nil),
		reachable: prometheus.NewDesc("cpm_database_reachable",
			"1 if the database answered the last look, else 0.", nil, nil),
	}
}

// Describe sends the descriptions.
func (a agreements) Describe(ch chan<- *prometheus.Desc) {
	ch <- a.age
	ch <- a.failures
	ch <- a.reachable
}

// Collect reads the agreement once.
func (a agreements) Collect(ch chan<- prometheus.Metric) {
	now, reachable := a.now(), 0.0
	if now.Reachable {
		reachable = 1
	}
	ch <- prometheus.MustNewConstMetric(a.age, prometheus.GaugeValue, now.Age.Seconds())
	ch <- prometheus.MustNewConstMetric(a.failures, prometheus.CounterValue, float64(now.Failures))
	ch <- prometheus.MustNewConstMetric(a.reachable, prometheus.GaugeValue, reachable)
}
