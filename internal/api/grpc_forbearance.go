package api

import (
	"sync"
	"time"
)

// forbearance is what a stream has with its caller while an answer is sent. gRPC takes that only when all but 64 KiB of those before it are
// written, which takes a slow link longer than any of them may stand still. So it is looked at what is written, and the stream is given up
// when that does not go on, or when nothing is known of it.
type forbearance struct {
	coming *arrival
	within time.Duration
	over   func() // gives up

	mu      sync.Mutex
	timer   *time.Timer
	sending bool
	since   time.Time // when the answer was begun, or the stream was last seen to have gone on
	was     progress  // then
}

// progress is what has been written of a call and of all of its connection, and how many calls that has.
type progress struct {
	own, all int64
	calls    int
}

// progress is that of a call; none where nobody follows.
func (c *arrival) progress() progress {
	if c == nil {
		return progress{}
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return progress{c.written, c.of.written, len(c.of.calls)}
}

// begin is told that an answer is sent from now on.
func (p *forbearance) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sending, p.since, p.was = true, time.Now(), p.coming.progress()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.within/looks, p.look)
	} else {
		p.timer.Reset(p.within / looks)
	}
}

// end is told that gRPC has taken the answer.
func (p *forbearance) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sending = false
	p.timer.Stop()
}

// look gives up, or will look again.
func (p *forbearance) look() {
	if p.isLost(time.Now()) {
		p.over()
	}
}

func (p *forbearance) isLost(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sending {
		return false
	}
	is := p.coming.progress()
	if is.own-p.was.own >= turn {
		p.since, p.was = now, is
	}
	if lasts := now.Sub(p.since); lasts >= p.within && !is.waits(p.was, lasts) {
		p.sending = false
		return true
	}
	p.timer.Reset(p.within / looks)
	return false
}

// waits says that the connection has gone on for so long, and it may not have been the call's turn: those which the connection had
// have their turns before.
func (p progress) waits(was progress, lasts time.Duration) bool {
	gone := p.all - was.all
	return time.Duration(gone)*time.Second >= leastSent*lasts && gone < int64(turnsAhead*turn*was.calls)
}
