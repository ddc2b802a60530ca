package api

import (
	"context"
	"sync"
	"sync/atomic"
)

// gate counts accepted requests and knows when no more are accepted. After wait returned nil, none is accepted and none
// is without its answer; over gRPC the last answers may still be on their way, for which closeGRPC waits.
type gate struct {
	metrics   Metrics
	accepted  atomic.Int64
	declining atomic.Bool
	once      sync.Once
	empty     chan struct{}
}

func newGate(m Metrics) *gate { return &gate{metrics: m, empty: make(chan struct{})} }

// enter accepts a request, which must leave, or says that it is to be declined.
func (g *gate) enter(p Port) bool {
	g.accepted.Add(1)
	if g.declining.Load() {
		g.subtract()
		return false
	}
	g.metrics.InFlight(p, +1)
	return true
}

func (g *gate) leave(p Port) {
	g.metrics.InFlight(p, -1)
	g.subtract()
}

func (g *gate) subtract() {
	if g.accepted.Add(-1) == 0 && g.declining.Load() {
		g.isEmpty()
	}
}

func (g *gate) isEmpty() { g.once.Do(func() { close(g.empty) }) }

// decline ends accepting.
func (g *gate) decline() {
	g.declining.Store(true)
	if g.accepted.Load() == 0 {
		g.isEmpty()
	}
}

func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
