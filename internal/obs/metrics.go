package obs

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build is what a binary says of itself.
type Build struct {
	Version  string // such as 1.4.0
	Revision string // of the source
}

// Metrics are the instruments of one CPM on a registry of its own. Doors and core write them; labels are closed sets of
// words, never a value from a request.
type Metrics struct {
	Registry *prometheus.Registry

	// OperationDuration is cpm_operation_duration_seconds{operation,adapter}: from the module's start to its answer.
	OperationDuration *prometheus.HistogramVec
	// RequestDuration is cpm_request_duration_seconds{operation,port}: from the arrival stamp to the answer, queues included.
	RequestDuration *prometheus.HistogramVec
	// Declines is cpm_declines_total{kind,port}.
	Declines *prometheus.CounterVec
	// SignatureRefusals is cpm_signature_refusals_total{reason}.
	SignatureRefusals *prometheus.CounterVec
	// InFlight is cpm_inflight{port}: requests accepted and not answered yet.
	InFlight *prometheus.GaugeVec
	// Connections is cpm_connections{port}: connections open on a port.
	Connections *prometheus.GaugeVec
	// HandshakeFailures is cpm_handshake_failures_total{port}: connections that showed no acceptable certificate.
	HandshakeFailures *prometheus.CounterVec
	// Paused is cpm_paused_connections{port}: connections that are not read until their caller's declines are paid for.
	Paused *prometheus.GaugeVec
	// PausedTime is cpm_paused_seconds_total{port}: for how long such pauses were, when they have ended.
	PausedTime *prometheus.CounterVec

	certificateExpiry *prometheus.GaugeVec
}

// NewRegistry makes a private registry with the process, the Go runtime and cpm_build_info.
func NewRegistry(b Build) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "cpm_build_info",
			Help:        "Always 1; the labels say what is running.",
			ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return r
}

// NewMetrics makes a registry and registers every instrument on it. The collectors over core's own counters are added
// with Registry.Register, once there is a core: OperationCollector, StateCollector, RevisionCollector.
func NewMetrics(b Build) *Metrics {
	m := &Metrics{
		Registry: NewRegistry(b),
		OperationDuration: histogram("cpm_operation_duration_seconds",
			"Time a module took for an operation.", "operation", "adapter"),
		RequestDuration: histogram("cpm_request_duration_seconds",
			"Time from a request's arrival to its answer, waiting included.", "operation", "port"),
		Declines: counter("cpm_declines_total",
			"Requests that were declined.", "kind", "port"),
		SignatureRefusals: counter("cpm_signature_refusals_total",
			"Signatures that did not verify.", "reason"),
		InFlight: gauge("cpm_inflight",
			"Requests accepted and not answered yet.", "port"),
		Connections: gauge("cpm_connections",
			"Connections open on a port.", "port"),
		HandshakeFailures: counter("cpm_handshake_failures_total",
			"Connections that showed no acceptable certificate.", "port"),
		Paused: gauge("cpm_paused_connections",
			"Connections that are not read now, because too much of what their callers asked for was declined.", "port"),
		PausedTime: counter("cpm_paused_seconds_total",
			"Seconds that connections were not read, because too much of what their callers asked for was declined.", "port"),
		certificateExpiry: gauge("cpm_certificate_expiry_seconds",
			"When a certificate or a list of revoked ones expires, in seconds since 1970; entry 1 of a role is the first to expire.",
			"role", "entry"),
	}
	m.Registry.MustRegister(m.OperationDuration, m.RequestDuration, m.Declines, m.SignatureRefusals, m.InFlight,
		m.Connections, m.HandshakeFailures, m.Paused, m.PausedTime, m.certificateExpiry)
	return m
}

// maxEntries bounds the label entry. Of a longer bundle those that expire first are shown.
const maxEntries = 8

// Expiry is when something in a role expires: own, authority or crl.
type Expiry struct {
	Role string
	At   time.Time
}

// CertificatesExpire records the dates of all TLS files in the place of those before; they are sorted, the first to
// expire first.
func (m *Metrics) CertificatesExpire(all []Expiry) {
	m.certificateExpiry.Reset()
	entries := map[string]int{}
	for _, e := range all {
		entries[e.Role]++
		if n := entries[e.Role]; n <= maxEntries {
			m.certificateExpiry.WithLabelValues(e.Role, strconv.Itoa(n)).Set(float64(e.At.Unix()))
		}
	}
}

// durationBuckets are 50 µs·2ⁿ up to 3.3 s: a signature takes some 50 µs at best, and the default timer ends at 2 s.
func durationBuckets() []float64 { return prometheus.ExponentialBuckets(50e-6, 2, 17) }

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durationBuckets()}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}
