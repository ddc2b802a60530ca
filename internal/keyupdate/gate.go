package keyupdate

import (
	"context"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// gate knows the state and counts accepted requests. After drain returned nil none is accepted and none is unanswered.
type gate struct {
	mu       sync.Mutex
	state    cpm.State
	accepted int
	empty    chan struct{} // closed when none is accepted any more after begin
}

func newGate() *gate { return &gate{state: cpm.Starting, empty: make(chan struct{})} }

// open lets requests in, once.
func (g *gate) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != cpm.Starting {
		return false
	}
	g.state = cpm.Active
	return true
}

// enter accepts a request, which must leave, or says why it is declined.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.state {
	case cpm.Active:
		g.accepted++
		return nil
	case cpm.Starting:
		return fault.New(fault.Unavailable, "the adapter is starting; try again shortly").After(retryAfter)
	}
	return fault.New(fault.Unavailable, "the adapter is shutting down; nothing was done").After(retryAfter)
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accepted--
	g.settle()
}

// begin ends accepting. It says whether this call did it.
func (g *gate) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == cpm.ShuttingDown || g.state == cpm.Inactive {
		return false
	}
	g.state = cpm.ShuttingDown
	g.settle()
	return true
}

// settle is called with the lock held. Whoever makes the number zero while shutting down has made it so for good.
func (g *gate) settle() {
	if g.accepted == 0 && g.state == cpm.ShuttingDown {
		g.state = cpm.Inactive
		close(g.empty)
	}
}

func (g *gate) drain(ctx context.Context) error {
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Timeout, "key updates were still being worked on when the timer expired").Because(ctx.Err())
	}
}

func (g *gate) current() cpm.State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}
