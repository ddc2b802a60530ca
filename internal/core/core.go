// Package core is the heart: Process performs one request, Apply makes one change. Every door calls these two; both judge
// by one immutable Snapshot. Core knows modules by their interface only.
package core

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/store"
)

// Opener starts or dials what an adapter row describes, at one of its endpoints; an adapter in process has the endpoint "".
type Opener func(ctx context.Context, a *route.Adapter, endpoint string) (cpm.Module, error)

// Config is what a Core is made of.
type Config struct {
	Store  *store.Store
	Ring   *seal.Keyring
	Open   Opener
	Logger *slog.Logger
	// Now is the clock for dates and records; timers run on the contexts.
	Now func() time.Time
	// BytesInFlight bounds the payloads being processed; 0 is 256 MiB.
	BytesInFlight int64
	// RequestTimeout bounds every route's timer; 0 does not.
	RequestTimeout time.Duration
	// Observe is told of every finished operation, for histograms; it may be nil.
	Observe func(o Observation)
	// End ends the run of this CPM; the command Shutdown without an adapter asks for it. It returns at once. nil is a CPM that
	// cannot be ended by command.
	End func()
	// Replica gives the name of this process among those that share a database. nil shares none, and has the common name.
	Replica func() string
}

// Observation is one finished operation.
type Observation struct {
	Operation cpm.Operation
	Adapter   string
	// Refused is the reason word of a signature that did not verify.
	Refused string
	// Module is the time in the module, Total the time since the request's arrival.
	Module, Total time.Duration
}

// Core processes requests and applies changes.
type Core struct {
	config    Config
	manager   *keys.Manager
	log       *slog.Logger
	rows      map[cpm.Operation]cpm.Row
	snapshot  atomic.Pointer[Snapshot]
	counters  *counters
	replays   *replays
	usage     *usage
	updates   *updateCounters
	imports   *keys.Imports
	runners   *runners
	attached  *attachments
	commands  *tally[cpm.CommandName]
	bytes     *admission.Room[admission.Caller]
	quotas    *quotas
	published publications
	started   time.Time

	commanded atomic.Bool // an operator has commanded the Shutdown of the whole

	changing sync.Mutex // one Apply at a time in this process
	// ended says, to who holds changing, that the adapters have ended: nothing may start others.
	ended bool
	// retiring are the adapters that complete what they have, beside what follows.
	retiring  sync.WaitGroup
	agreement agreement

	mu       sync.Mutex // guards state, closed and the entry of requests
	state    cpm.State
	closed   bool // no request is let in any more
	inFlight sync.WaitGroup
}

// defaultBytesInFlight bounds the payloads being processed at once.
const defaultBytesInFlight = 256 << 20

// New makes a Core in state Starting.
func New(c Config) *Core {
	if c.BytesInFlight <= 0 {
		c.BytesInFlight = defaultBytesInFlight
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	core := &Core{
		config: c, manager: keys.NewManager(c.Ring, c.Now), log: c.Logger.With(slog.String("component", "core")),
		rows: map[cpm.Operation]cpm.Row{}, counters: newCounters(), replays: newReplays(), updates: newUpdateCounters(), imports: keys.NewImports(c.Now),
		runners: newRunners(), started: c.Now(), state: cpm.Starting, attached: newAttachments(), commands: newTally[cpm.CommandName](),
		quotas: newQuotas(),
	}
	core.usage = newUsage(c.Store.TakeUses, core.log)
	core.agreement.born = time.Now()
	core.bytes = admission.NewRoom[admission.Caller](int(c.BytesInFlight))
	for _, row := range cpm.Operations() {
		core.rows[row.Operation] = row
	}
	core.snapshot.Store(emptySnapshot())
	return core
}

// Load reads the whole configuration and all keys, starts the adapters and makes the first snapshot.
func (c *Core) Load(ctx context.Context) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	began := time.Now()
	next, _, err := c.rebuild(ctx, nil)
	if err != nil {
		return err
	}
	c.agreement.confirm(began)
	c.snapshot.Store(next)
	return nil
}

// Activate lets requests in. It wants at least one enabled security adapter; requests for one that cannot be reached are
// declined.
func (c *Core) Activate(ctx context.Context) error {
	if c.snapshot.Load().enabledAdapters() == 0 {
		return fault.New(fault.State, "no enabled security adapter is configured; add one with: cpm apply -f")
	}
	c.announce(ctx)
	c.become(cpm.Active)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the CPM is Active and accepts transactions", obs.Event("cpm.active"))
	return nil
}

// State is the state of the CPM.
func (c *Core) State() cpm.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// ending says that no changes and no commands are accepted any more.
func (c *Core) ending() bool {
	s := c.State()
	return s == cpm.ShuttingDown || s == cpm.Inactive
}

// errEnding declines what comes while the CPM is ending.
func errEnding() error {
	return fault.New(fault.Unavailable, "the CPM is shutting down; no changes are accepted")
}

func (c *Core) become(s cpm.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// enter counts a request in. While shutting down those a door had accepted before are still let in.
func (c *Core) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.closed && (c.state == cpm.Active || c.state == cpm.ShuttingDown):
		c.inFlight.Add(1)
		return nil
	case c.state == cpm.Starting:
		return fault.New(fault.Unavailable, "the CPM is starting; try again shortly").After(time.Second)
	}
	return errClosed()
}

// errClosed declines a request that comes too late.
func errClosed() error {
	return fault.New(fault.Unavailable, "the CPM is shutting down; send the request to another one").After(time.Second)
}

// BeginShutdown sets the state, so that probes and Status show it and changes are declined. The doors now decline new
// requests and hand in those they had accepted; then Shutdown is called.
func (c *Core) BeginShutdown(ctx context.Context) {
	c.mu.Lock()
	again := c.state == cpm.ShuttingDown
	c.state = cpm.ShuttingDown
	c.mu.Unlock()
	if !again {
		c.log.LogAttrs(ctx, slog.LevelInfo, "the CPM is ShuttingDown", obs.Event("cpm.shutting-down"))
	}
}

// Shutdown declines new requests and changes, completes the accepted ones, and ends Inactive. If an operator has
// commanded it every adapter is told to end (specification, "Shutdown"), after everything accepted has been forwarded and
// answered.
func (c *Core) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.state, c.closed = cpm.ShuttingDown, true
	c.mu.Unlock()
	err := errors.Join(wait(ctx, &c.inFlight), c.endAdapters(ctx))
	c.usage.ahead.Wait()
	c.runners.close()
	c.become(cpm.Inactive)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the CPM is Inactive", obs.Event("cpm.inactive"))
	return err
}

func wait(ctx context.Context, g *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Timeout, "requests were still in flight when the timer expired").Because(ctx.Err())
	}
}
