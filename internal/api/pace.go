package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// beat is the time between two readings of a connection whose requests are declined as busy.
const beat = 2 * time.Millisecond

// busyFor is how long a connection stays slow after such a decline, and longest how long it is not read at most, to the next beat.
const (
	busyFor = 100 * time.Millisecond
	longest = time.Second
)

// priceOf is the time that a processor gives each decline of a port: two or three times what it costs. So those who ask again at
// once, and again, take a part of the processors from the work, and not all of it.
func priceOf(p Port) time.Duration {
	if p == GRPC {
		return 100 * time.Microsecond
	}
	return 300 * time.Microsecond
}

// tempo is what all connections of a Door have in common: the beat, and until when all declines are paid for, one after another.
type tempo struct {
	born       time.Time
	processors time.Duration

	mu   sync.Mutex
	paid time.Duration // after born
}

func newTempo() *tempo {
	return &tempo{born: time.Now(), processors: time.Duration(runtime.GOMAXPROCS(0))}
}

// charge adds a decline, and gives when it will be paid for.
func (t *tempo) charge(now, price time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paid = min(max(t.paid, now)+price/t.processors, now+longest)
	return t.paid
}

// pace slows down the reading of a connection that asks for more than can be done. Each request would wake this process when it
// comes, to be told no, and every time take the processor away from work; read once in a while, many cost little more than one.
// All connections keep the same beat, and leave some out while more is declined than may be.
type pace struct {
	tempo *tempo // nil for one that is read at once whatever happens
	price time.Duration
	slow  atomic.Int64 // until when; both are times after tempo.born
	paid  atomic.Int64
}

// declined is told that a request of the connection was declined as busy.
func (p *pace) declined() {
	if p.tempo == nil {
		return
	}
	now := time.Since(p.tempo.born)
	paid := p.tempo.charge(now, p.price)
	p.paid.Store(int64(paid))
	p.slow.Store(int64(max(now+busyFor, paid)))
}

// wait waits for the next beat if the connection is slow, or for the one when its declines are paid for, but not when done is
// closed: nobody is there any more then.
func (p *pace) wait(done <-chan struct{}) {
	slow := time.Duration(p.slow.Load())
	if slow == 0 {
		return
	}
	now := time.Since(p.tempo.born)
	if now >= slow {
		return
	}
	until := max(time.Duration(p.paid.Load()), now)
	t := time.NewTimer(until - until%beat + beat - now)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	}
}

// paceOf is the pace of a connection of a listener, with or without TLS.
func paceOf(c net.Conn) *pace {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if p, ok := c.(*place); ok {
		return &p.pace
	}
	return &pace{}
}

// paceKey finds the pace of an HTTP connection in the contexts of its requests.
type paceKey struct{}

// rememberPace is for http.Server.ConnContext.
func rememberPace(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, paceKey{}, paceOf(c))
}

// slowDown keeps the connection of a request that was declined as busy from sending the next at once. The answer goes out first.
func slowDown(w http.ResponseWriter, r *http.Request) {
	p, ok := r.Context().Value(paceKey{}).(*pace)
	if !ok {
		return
	}
	p.declined()
	control := http.NewResponseController(w)
	_ = control.Flush()
	if r.Close || w.Header().Get("Connection") == "close" {
		return // there will be no next
	}
	_ = control.SetReadDeadline(time.Time{}) // that of a body which nobody waits for
	p.wait(r.Context().Done())
}
