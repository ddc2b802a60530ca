package obs

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Count is core's own counter of one operation for one FSP on one adapter, since start. Core keeps it because the Status
// command answers from it too.
type Count struct {
	Operation string `json:"operation"`
	FSP       string `json:"fsp"`
	Adapter   string `json:"adapter"`
	Success   uint64 `json:"success"`
	Failed    uint64 `json:"failed"`
}

// Snapshot gives the counters as they are now. It is called for each scrape, also by several goroutines.
type Snapshot func() []Count

// operations is the collector over a Snapshot.
type operations struct {
	src     Snapshot
	desc    *prometheus.Desc
	withFSP bool
}

// OperationCollector shows the counters as cpm_operations_total{operation,adapter,result} with result success or failed,
// and withFSP the label fsp besides; without it the FSPs are summed.
func OperationCollector(src Snapshot, withFSP bool) prometheus.Collector {
	labels := []string{"operation", "adapter", "result"}
	if withFSP {
		labels = append(labels, "fsp")
	}
	return operations{src, prometheus.NewDesc("cpm_operations_total", "Operations that were finished.", labels, nil), withFSP}
}

// Describe sends the one description.
func (o operations) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect sends two metrics for each operation, adapter and, if wanted, FSP.
func (o operations) Collect(ch chan<- prometheus.Metric) {
	for s, n := range o.sums() {
		o.send(ch, n.success, s, "success")
		o.send(ch, n.failed, s, "failed")
	}
}

type series struct{ operation, adapter, fsp string }

type totals struct{ success, failed uint64 }

// sums adds up what has the same labels; a metric sent twice would fail the whole scrape.
func (o operations) sums() map[series]totals {
	sums := map[series]totals{}
	for _, c := range o.src() {
		s := series{operation: label(c.Operation), adapter: label(c.Adapter)}
		if o.withFSP {
			s.fsp = label(c.FSP)
		}
		n := sums[s]
		sums[s] = totals{n.success + c.Success, n.failed + c.Failed}
	}
	return sums
}

func (o operations) send(ch chan<- prometheus.Metric, n uint64, s series, result string) {
	labels := []string{s.operation, s.adapter, result}
	if o.withFSP {
		labels = append(labels, s.fsp)
	}
	ch <- prometheus.MustNewConstMetric(o.desc, prometheus.CounterValue, float64(n), labels...)
}

// label makes a name fit for a label, which must be UTF-8.
func label(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// states is the collector over the state of the CPM.
type states struct {
	now  func() cpm.State
	desc *prometheus.Desc
}

// StateCollector shows the state as cpm_state{state}: 1 for the one it is in, 0 for the others.
func StateCollector(now func() cpm.State) prometheus.Collector {
	return states{now, prometheus.NewDesc("cpm_state", "1 for the state the CPM is in.", []string{"state"}, nil)}
}

// Describe sends the one description.
func (s states) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect reads the state once, so that exactly one metric is 1.
func (s states) Collect(ch chan<- prometheus.Metric) {
	now := s.now()
	for _, state := range []cpm.State{cpm.Starting, cpm.Active, cpm.ShuttingDown, cpm.Inactive, cpm.Stopped} {
		value := 0.0
		if state == now {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, value, string(state))
	}
}

// RevisionCollector shows the revision of the configuration in force as cpm_config_revision.
func RevisionCollector(now func() int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cpm_config_revision",
		Help: "Revision of the configuration in force.",
	}, func() float64 { return float64(now()) })
}
