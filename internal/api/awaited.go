package api

import (
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/fault"
)

// What follows is what the handler of a call does with what is on its way to it. There is nothing to wait for where nobody follows.

// refusal says why a message was refused, if one was.
func (c *arrival) refusal() *fault.Error {
	if c == nil {
		return nil
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return c.refused
}

// isBatch is told at once when the only message of the call is a batch, which keeps its bytes until there is an answer.
func (c *arrival) isBatch() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.batch = true
}

// await waits until the only message of a call is let in or refused, or the call ends.
func (c *arrival) await() *fault.Error {
	if c == nil {
		return nil
	}
	select {
	case <-c.told:
	case <-c.call.Done():
	}
	return c.refusal()
}

// refusing is closed when a message of a stream is refused.
func (c *arrival) refusing() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.told
}

// next waits until the next message of a stream is let in, or the call ends. Before that nobody may ask gRPC for it, which would open the
// window for all of a message that may be refused.
func (c *arrival) next() {
	if c == nil {
		return
	}
	for c.asked++; c.entered.Load() < c.asked; {
		select {
		case <-c.news:
		case <-c.call.Done():
			return
		}
	}
}

// turned is told when the call begins to wait for a message, and when it has one.
func (c *arrival) turned() {
	if c != nil {
		c.turns.Add(1)
	}
}

// flooding is closed when too much has come after the refusal.
func (c *arrival) flooding() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.flooded
}

// claim takes over what is reserved for a message of n bytes, which has come.
func (c *arrival) claim(n int) pledge {
	if c == nil || n <= small {
		return pledge{}
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	n = min(n, c.held)
	c.held -= n
	return c.pledged(n)
}

// pledged are n bytes that are reserved for the call.
func (c *arrival) pledged(n int) pledge {
	p := pledge{room: c.of.room, caller: c.of.caller, n: n}
	if c.batch {
		p.long = n
	}
	return p
}

// tooMuchRead is the decline of a request for which there is no room while it is read.
func tooMuchRead() *fault.Error {
	return admission.Decline(admission.Reading, time.Second, "too many bytes of requests at once, try again")
}
