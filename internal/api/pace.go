package api

import (
	"net"
	"sync/atomic"
	"time"
)

// beat is the time between two readings of a connection whose requests are declined as busy.
const beat = 2 * time.Millisecond

// busyFor is how long a connection stays slow after such a decline.
const busyFor = 100 * time.Millisecond

// pace slows down the reading of a connection that asks for more than can be done. Each request would wake this process when it
// comes, to be told no, and every time take the processor away from work; read once in a while, many cost little more than one.
// All connections keep the same beat. The zero pace is one of a connection that is read at once.
type pace struct {
	born time.Time
	slow atomic.Int64 // until when, after born
}

// declined is told that a request of the connection was declined as busy.
func (p *pace) declined() { p.slow.Store(int64(time.Since(p.born) + busyFor)) }

// wait waits for the next beat if the connection is slow.
func (p *pace) wait() {
	slow := time.Duration(p.slow.Load())
	if slow == 0 {
		return
	}
	if now := time.Since(p.born); now < slow {
		time.Sleep(beat - now%beat)
	}
}

// paceOf is the pace of a connection of a listener.
func paceOf(c net.Conn) *pace {
	if p, ok := c.(*place); ok {
		return &p.pace
	}
	return &pace{}
}
