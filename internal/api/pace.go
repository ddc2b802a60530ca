package api

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
)

// beat is the time between two readings of a connection whose requests are declined as busy.
const beat = 2 * time.Millisecond

const (
	// busyFor is how long a connection stays slow after such a decline was paid for.
	busyFor = 100 * time.Millisecond
	// longest bounds how long a connection is not read.
	longest = 10 * time.Second
	// itemPrice is that of an item of a batch, which has no message of its own.
	itemPrice = 50 * time.Microsecond
)

// priceOf is the time that a processor gives each decline of a port: two or three times what it costs on a slow machine. So those
// who ask again at once, and again, take a part of the processors from the work, and not all of it.
func priceOf(p Port) time.Duration {
	if p == GRPC {
		return 100 * time.Microsecond
	}
	return 300 * time.Microsecond
}

// tempo is what all connections of a Door have in common: the beat, and until when each caller's declines are paid for, of which those
// who are in debt pay one after another, in turns.
type tempo struct {
	born       time.Time
	processors time.Duration
	metrics    Metrics
	// over is closed when nobody shall wait any more, because what is read now is the last.
	over chan struct{}
	once sync.Once

	mu    sync.Mutex
	paid  map[admission.Caller]time.Duration // after born
	swept time.Duration
}

func newTempo(m Metrics) *tempo {
	return &tempo{
		born: time.Now(), processors: time.Duration(runtime.GOMAXPROCS(0)), metrics: m, over: make(chan struct{}),
		paid: map[admission.Caller]time.Duration{},
	}
}

func (t *tempo) end() { t.once.Do(func() { close(t.over) }) }

// charge adds a decline, and gives when the caller's will be paid for.
func (t *tempo) charge(c admission.Caller, now, price time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	paid := max(t.paid[c], now)
	t.paid[c] = paid
	paid = min(paid+price*time.Duration(len(t.paid))/t.processors, now+longest)
	t.paid[c] = paid
	return paid
}

// sweep forgets, once in a while, those who are not in debt any more.
func (t *tempo) sweep(now time.Duration) {
	if now-t.swept < beat {
		return
	}
	t.swept = now
	maps.DeleteFunc(t.paid, func(_ admission.Caller, paid time.Duration) bool { return paid <= now })
}

// debt is until when a caller's declines are, or were, paid for.
func (t *tempo) debt(c admission.Caller) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paid[c]
}

// pace slows down the reading of a connection that asks for more than can be done. Each request would wake this process when it
// comes, to be told no, and every time take the processor away from work; read once in a while, many cost little more than one.
// All connections keep the same beat, and leave some out while more is declined than may be.
type pace struct {
	tempo  *tempo // nil for one that is read at once whatever happens
	port   Port
	caller admission.Caller
	paid   atomic.Int64 // until when, after tempo.born; 0 for never
}

// belongsTo is told whose connection it is, before its first request. Debts are not left behind with a connection.
func (p *pace) belongsTo(c admission.Caller) {
	p.caller = c
	if paid := p.tempo.debt(c); paid > time.Since(p.tempo.born) {
		p.paid.Store(int64(paid))
	}
}

// declined is told that a request of the connection was declined as busy, and whether that is about one FSP only: then those of the other
// FSPs do not wait on its account, until so many are declined that they are not paid for by the next beat. It gives how long the caller
// now pays.
func (p *pace) declined(price time.Duration, oneFSP bool) time.Duration {
	if p.tempo == nil {
		return 0
	}
	now := time.Since(p.tempo.born)
	paid := p.tempo.charge(p.caller, now, price)
	if !oneFSP || paid-now > beat {
		p.paid.Store(int64(paid))
	}
	return paid - now
}

// pause is how long the connection is not to be read: until the next beat if it is slow, or the one when its declines are paid
// for.
func (p *pace) pause() time.Duration {
	paid := time.Duration(p.paid.Load())
	if paid == 0 {
		return 0
	}
	now := time.Since(p.tempo.born)
	if now >= paid+busyFor {
		return 0
	}
	until := max(paid, now)
	return until - until%beat + beat - now
}

// wait waits for as long as the connection is not to be read, but not when done is closed: nobody is there any more then.
func (p *pace) wait(done <-chan struct{}) {
	switch d := p.pause(); {
	case d == 0:
	case d <= beat:
		p.sleep(d, done)
	default:
		p.hold(d, done)
	}
}

// hold waits until declines are paid for, and tells of it: that may be long, and nothing else shows that something waits to be read.
// The beat is too short to tell of.
func (p *pace) hold(d time.Duration, done <-chan struct{}) {
	p.tempo.metrics.Paused(p.port, +1, 0)
	began := time.Now()
	p.sleep(d, done)
	p.tempo.metrics.Paused(p.port, -1, time.Since(began))
}

func (p *pace) sleep(d time.Duration, done <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	case <-p.tempo.over:
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

// paceIn is the pace of the connection of an HTTP request.
func paceIn(ctx context.Context) *pace {
	if p, ok := ctx.Value(paceKey{}).(*pace); ok {
		return p
	}
	return &pace{}
}

// slowDown keeps a slow HTTP connection from sending the next request at once. The answer goes out first. Deadlines stay as they are:
// of a body that nobody has read, the server takes what comes until Limits.ReadTimeout, and does not wait longer for one that never does.
func (p *pace) slowDown(w http.ResponseWriter, r *http.Request) {
	if p.pause() == 0 {
		return
	}
	_ = http.NewResponseController(w).Flush()
	if r.Close || w.Header().Get("Connection") == "close" {
		return // there will be no next
	}
	p.wait(r.Context().Done())
}
