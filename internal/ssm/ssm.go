// Package ssm is the software security module: keys in memory and the standard library's cryptography (specification,
// "Software Security Module Adapter"). Hardware-only operations are unknown to it.
package ssm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
)

// Config is what the module is told when it is made.
type Config struct {
	// Mandated are the operations the adapter's configuration lets it do.
	Mandated []cpm.Operation
	// HeavyWorkers is how many RSA private operations run at once; 0 is one per processor.
	HeavyWorkers int
	// LightWorkers is how many other operations run at once; 0 is one per processor.
	LightWorkers int
	// Queue is how many requests may wait for a heavy worker, and how many for a light one, before Busy; 0 is 2,048. One FSP gets
	// half of what is free.
	Queue int
	// MaxWait is how long they may wait, but for a short burst, before Busy; 0 is 250 ms.
	MaxWait time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Module holds key bytes (the ring) and bounds the work (the workers).
type Module struct {
	engine   *operation.Engine
	ring     *ring
	workers  *workers
	mandated atomic.Pointer[map[cpm.Operation]bool]
	halves   map[cpm.Operation]cpm.Half
	counts   *counts

	mu       sync.Mutex // guards state and the start of a request against Shutdown
	state    cpm.State
	inFlight sync.WaitGroup
}

var (
	_ cpm.Module       = (*Module)(nil)
	_ cpm.KeyHolder    = (*Module)(nil)
	_ cpm.Controlled   = (*Module)(nil)
	_ cpm.Configurable = (*Module)(nil)
	_ cpm.Prompt       = (*Module)(nil)
)

// New makes an Active module.
func New(c Config) *Module {
	m := &Module{ring: newRing(), workers: newWorkers(c), counts: newCounts(), state: cpm.Active}
	m.engine = operation.New(m.ring, c.Now)
	m.mandate(c.Mandated)
	m.halves = map[cpm.Operation]cpm.Half{}
	for _, row := range cpm.Operations() {
		m.halves[row.Operation] = row.Half
	}
	return m
}

// usualKeys is as many keys as the core sends with a request at most.
const usualKeys = 3

// Do performs one operation, in the steps of the specification's "Software Security Module Adapter, Processing".
func (m *Module) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if err := m.enter(); err != nil {
		m.counts.add(m.label(r.Operation), err)
		return nil, err
	}
	defer m.inFlight.Done()
	res, err := m.do(ctx, r)
	m.counts.add(m.label(r.Operation), err)
	return res, err
}

// label is the operation if it is a known one, so that a caller's words never become counters.
func (m *Module) label(o cpm.Operation) cpm.Operation {
	if m.engine.Knows(o) {
		return o
	}
	return ""
}

func (m *Module) do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if !(*m.mandated.Load())[r.Operation] || !m.engine.Knows(r.Operation) {
		return nil, fault.New(fault.Unsupported, "the adapter is not mandated to do this operation; add it to the adapter's operations with: cpm apply -f")
	}
	return m.workers.run(ctx, m.work(r), func() (*cpm.Result, error) { return m.engine.Do(ctx, r) })
}

// work is the class and the effort of a request.
func (m *Module) work(r *cpm.Request) work {
	half := m.halves[r.Operation]
	w := work{
		flow: admission.Flow{FSP: r.FSP, Caller: admission.CallerOf(r.Caller)},
		cost: operation.CostOf(half, "", r.Size), effort: operation.EffortOf(half, "", 0, r.Size),
	}
	var room [usualKeys]time.Duration
	each := room[:0]
	for _, ref := range r.Keys {
		algorithm, bits := m.ring.describe(ref)
		w.cost = max(w.cost, operation.CostOf(half, algorithm, r.Size))
		each = append(each, operation.EffortOf(half, algorithm, bits, r.Size))
	}
	if len(each) > 0 {
		w.effort = operation.EffortOfKeys(r, each)
	}
	return w
}

// enter counts a request in, unless the module is ending.
func (m *Module) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != cpm.Active {
		return fault.New(fault.Unavailable, "the adapter is %s; try again or ask the operator to start it", m.state)
	}
	m.inFlight.Add(1)
	return nil
}

// Prompt says that Do answers by its deadline: heavy work is waited for no longer, and light work takes microseconds.
func (m *Module) Prompt() {}

// Status tells state and counters.
func (m *Module) Status(context.Context) (cpm.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cpm.Status{State: m.state, Counts: m.counts.all()}, nil
}

// Configure puts new operations in place of those the module is mandated to do. A software module has no settings.
func (m *Module) Configure(_ context.Context, operations []cpm.Operation, _ []byte) error {
	m.mandate(operations)
	return nil
}

func (m *Module) mandate(operations []cpm.Operation) {
	mandated := map[cpm.Operation]bool{}
	for _, o := range operations {
		mandated[o] = true
	}
	m.mandated.Store(&mandated)
}

// Put takes a key in.
func (m *Module) Put(_ context.Context, k cpm.Material) error {
	m.ring.put(k)
	return nil
}

// Drop forgets keys and overwrites their bytes.
func (m *Module) Drop(_ context.Context, ids ...cpm.KeyID) error {
	m.ring.drop(ids...)
	return nil
}

// Shutdown declines what comes, completes what is accepted, forgets every key and ends Inactive. It returns early with
// an error when ctx ends first; the keys are then still held by the operations in flight.
func (m *Module) Shutdown(ctx context.Context) error {
	m.become(cpm.ShuttingDown)
	done := make(chan struct{})
	go func() {
		m.inFlight.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fault.New(fault.Timeout, "the adapter still has requests in flight").Because(ctx.Err())
	}
	m.workers.close()
	m.ring.dropAll()
	m.become(cpm.Inactive)
	return nil
}

func (m *Module) become(s cpm.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = s
}
