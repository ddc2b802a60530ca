package server

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mojaloop/cpm/internal/api"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// doorMetrics writes what the Mojaloop ports do into the metrics. A request is counted four times, and to find a metric by its labels
// takes longer than to add to it, so that each is found once.
type doorMetrics map[api.Port]portMetrics

type portMetrics struct {
	inFlight, connections, paused prometheus.Gauge
	handshakeFailures, pausedTime prometheus.Counter
	// durations and declines are those there have been answers for: a histogram for each operation that nobody asks for would
	// make the page several times as long.
	durations map[cpm.Operation]func() prometheus.Observer
	declines  map[fault.Kind]func() prometheus.Counter
}

func newDoorMetrics(m *obs.Metrics) doorMetrics {
	d := doorMetrics{}
	for _, p := range []api.Port{api.JSON, api.GRPC} {
		d[p] = newPortMetrics(m, string(p))
	}
	return d
}

func newPortMetrics(m *obs.Metrics, port string) portMetrics {
	p := portMetrics{
		inFlight: m.InFlight.WithLabelValues(port), connections: m.Connections.WithLabelValues(port), paused: m.Paused.WithLabelValues(port),
		handshakeFailures: m.HandshakeFailures.WithLabelValues(port), pausedTime: m.PausedTime.WithLabelValues(port),
		durations: map[cpm.Operation]func() prometheus.Observer{}, declines: map[fault.Kind]func() prometheus.Counter{},
	}
	add := func(o cpm.Operation) {
		p.durations[o] = sync.OnceValue(func() prometheus.Observer { return m.RequestDuration.WithLabelValues(string(o), port) })
	}
	add("") // not known yet when it was declined
	for _, row := range cpm.Operations() {
		add(row.Operation)
	}
	for _, k := range fault.Kinds() {
		p.declines[k] = sync.OnceValue(func() prometheus.Counter { return m.Declines.WithLabelValues(k.String(), port) })
	}
	return p
}

// Answered counts one answer.
func (d doorMetrics) Answered(a api.Answer) {
	p := d[a.Port]
	p.durations[a.Operation]().Observe(a.Took.Seconds())
	if a.Declined {
		p.declines[a.Kind]().Inc()
	}
}

// InFlight counts requests in and out.
func (d doorMetrics) InFlight(p api.Port, delta int) { d[p].inFlight.Add(float64(delta)) }

// Connections counts connections in and out.
func (d doorMetrics) Connections(p api.Port, delta int) { d[p].connections.Add(float64(delta)) }

// HandshakeFailed counts a connection without an acceptable certificate.
func (d doorMetrics) HandshakeFailed(p api.Port) { d[p].handshakeFailures.Inc() }

// Paused counts connections that are not read, and for how long that was.
func (d doorMetrics) Paused(p api.Port, delta int, took time.Duration) {
	d[p].paused.Add(float64(delta))
	d[p].pausedTime.Add(took.Seconds())
}
