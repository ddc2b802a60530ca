package obs

import "github.com/prometheus/client_golang/prometheus"

// sheds is the collector over the requests that were declined as busy.
type sheds struct {
	now  func() map[string]uint64
	desc *prometheus.Desc
}

// ShedCollector shows the requests that were declined because too much was asked for as cpm_shed_total{reason}.
func ShedCollector(now func() map[string]uint64) prometheus.Collector {
	return sheds{now, prometheus.NewDesc("cpm_shed_total", "Requests that were declined because too much was asked for.", []string{"reason"}, nil)}
}

// Describe sends the one description.
func (s sheds) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect sends a metric for each reason there has been.
func (s sheds) Collect(ch chan<- prometheus.Metric) {
	for reason, n := range s.now() {
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.CounterValue, float64(n), reason)
	}
}
