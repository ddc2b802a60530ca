// Package operator is the Command adapter: the door operators send commands to, and the adapter's own life. It speaks
// HTTPS JSON with one path, POST /v1/commands, and forwards what is a valid command, with the credential and the address
// it came from, to every core it is attached to. Who may do what is decided there; here is decided what is a command at
// all, how often somebody may try, and what to answer while no core can be reached (specification, "Command Adapter").
package operator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
)

// Asker is a link to a core. An error of its Ask is a fault; without a link it is one of kind Unavailable.
type Asker interface {
	Ask(ctx context.Context, op cpm.Operation, requestID string, payload []byte) ([]byte, error)
	Up() bool
}

// Starter starts the CPM of this machine. What it starts is compiled in and configured on this machine; nothing of a
// request reaches it.
type Starter interface {
	// Running says whether a CPM answers where the core should be, although it does not take this adapter.
	Running(ctx context.Context) bool
	// Start starts it. The channel gets one value when the process has ended.
	Start(ctx context.Context) (ended <-chan error, err error)
}

// Config is what a Door is made of.
type Config struct {
	// Name is the adapter's, as the core's configuration has it.
	Name    string
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
	// NewID makes request ids.
	NewID func() string
	// Limits are DefaultLimits if they are zero.
	Limits Limits
	// Names are certificate names that may start a CPM and ask for the status while no core can be asked, whatever the last
	// configuration said.
	Names []string
	// Starter may be nil: then no CPM can be started from here.
	Starter Starter
	// Shut is called when every core has shut this adapter down and closed its link; it may be nil.
	Shut func()
}

// Door takes commands. It is an http.Handler; Serve is the way to put it on a port.
type Door struct {
	config Config
	log    *slog.Logger
	limits Limits
	guard  *guard
	counts counts
	since  time.Time
	// ending is closed when this adapter has begun to shut down for good.
	ending chan struct{}
	// launching holds the one start of a CPM that may be under way.
	launching sync.Mutex

	mu      sync.Mutex
	links   []*Link
	active  bool
	ended   bool
	drained bool
	working work
	// rules are those of the latest revision a core has configured; nil before the first.
	rules    *access.Rules
	revision int64
}

// New makes a Door in the state Starting, with no core.
func New(c Config) *Door {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	return &Door{
		config: c, log: c.Logger, limits: c.Limits, guard: newGuard(c.Limits), counts: newCounts(), since: c.Now(),
		ending: make(chan struct{}),
	}
}

// Core adds a core the commands go to; address is how it is shown. The link is put to use by Bind.
func (d *Door) Core(address string) *Link {
	l := &Link{door: d, address: address}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.links = append(d.links, l)
	return l
}

// Status is what the adapter says of itself when a core asks (specification, "Status", ii).
func (d *Door) Status() cpm.ServiceStatus {
	return cpm.ServiceStatus{State: d.State(), Counts: d.counts.all()}
}

// State is Starting until Activate, ShuttingDown while what was accepted is completed, Inactive after that, and Active
// otherwise, also while no core can be reached: the adapter must be able to start one.
func (d *Door) State() cpm.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state()
}

func (d *Door) state() cpm.State {
	switch {
	case d.ended && d.drained:
		return cpm.Inactive
	case d.ended:
		return cpm.ShuttingDown
	case !d.active:
		return cpm.Starting
	case len(d.links) == 0 || !d.allShut():
		return cpm.Active
	}
	for _, l := range d.links {
		if l.working.number > 0 {
			return cpm.ShuttingDown
		}
	}
	return cpm.Inactive
}

// allShut says whether every core has told this adapter to shut down.
func (d *Door) allShut() bool {
	for _, l := range d.links {
		if !l.shut {
			return false
		}
	}
	return true
}

// accept lets a command in, with the cores it goes to. What was accepted must be released after its answer has been
// written.
func (d *Door) accept() (*accepted, cpm.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state()
	if state != cpm.Active && state != cpm.Inactive || d.ended {
		return nil, state
	}
	a := &accepted{door: d}
	d.working.begin()
	for _, l := range d.links {
		if !l.shut {
			l.working.begin()
			a.links = append(a.links, l)
		}
	}
	return a, state
}

// accepted is a command that will be answered, whatever happens to the adapter meanwhile.
type accepted struct {
	door  *Door
	links []*Link
}

func (a *accepted) release() {
	a.door.mu.Lock()
	defer a.door.mu.Unlock()
	a.door.working.end()
	for _, l := range a.links {
		l.working.end()
	}
}

// work counts what is under way and tells who waits for its end.
type work struct {
	number int
	idle   chan struct{} // made by the first who waits
}

func (w *work) begin() { w.number++ }

func (w *work) end() {
	w.number--
	if w.number == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// finished is closed when nothing is under way.
func (w *work) finished() <-chan struct{} {
	if w.number == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	return w.idle
}
