package events

import "github.com/prometheus/client_golang/prometheus"

// collector is the collector over a Forwarder.
type collector struct {
	forwarder              *Forwarder
	sent, dropped, refused *prometheus.Desc
}

// Collector shows the counts as cpm_events_sent_total, cpm_events_dropped_total and cpm_events_refused_total.
func Collector(f *Forwarder) prometheus.Collector {
	return collector{
		f,
		prometheus.NewDesc("cpm_events_sent_total", "Events that were forwarded.", nil, nil),
		prometheus.NewDesc("cpm_events_dropped_total", "Events that were not forwarded: the queue was full, or the CPM ended.", nil, nil),
		prometheus.NewDesc("cpm_events_refused_total", "Events that the sidecar did not want.", nil, nil),
	}
}

// Describe sends the descriptions.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.sent
	ch <- c.dropped
	ch <- c.refused
}

// Collect reads the counts once.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	n := c.forwarder.Counts()
	ch <- prometheus.MustNewConstMetric(c.sent, prometheus.CounterValue, float64(n.Sent))
	ch <- prometheus.MustNewConstMetric(c.dropped, prometheus.CounterValue, float64(n.Dropped))
	ch <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n.Refused))
}
