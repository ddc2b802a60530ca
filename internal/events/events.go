// Package events hands the events of the log on as Mojaloop's event messages: to an event sidecar over gRPC, or to the
// topics of a Kafka cluster. The log itself is written first and does not depend on it.
//
// A record with an event code becomes a message of type audit if its level is audit, and of type log otherwise. Its content
// is what the log line says: the words and the typed attributes, nothing else. Messages wait in a bounded queue; one that
// finds it full is dropped and counted. Whoever logs is never held up. Messages are sent at least once and in order; their
// ids tell repetitions.
package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Transport sends messages. Send returns nil when all of them are taken; after an error all of them are sent again.
// Refused counts what the other side did not want; it is not sent again.
type Transport interface {
	Send(ctx context.Context, messages []*Message) (refused int, err error)
	Close()
}

// Config is how events are forwarded.
type Config struct {
	// Transport is closed with the Forwarder.
	Transport Transport
	// Next writes the log; what the Forwarder itself has to say goes there alone.
	Next slog.Handler
	Now  func() time.Time
}

// Bounds of what waits, and the pace of what is tried again.
const (
	maxWaiting  = 4096
	maxBatch    = 64
	sendTimeout = 10 * time.Second
	firstPause  = 100 * time.Millisecond
	lastPause   = 30 * time.Second
	tellEvery   = time.Minute
)

// Counts are what became of the events since start.
type Counts struct{ Sent, Dropped, Refused uint64 }

// Forwarder sends what its Handler is given.
type Forwarder struct {
	config Config
	log    *slog.Logger // writes to Next, not to this Forwarder
	queue  chan *Message

	sent, dropped, refused atomic.Uint64

	mu     sync.Mutex // guards what follows, and that nothing enters a closed queue
	closed bool
	told   time.Time // when the log last said that events were dropped

	ended  chan struct{}
	cancel context.CancelFunc
}

// New starts to forward. It runs until Close, also after the end of ctx.
func New(ctx context.Context, c Config) *Forwarder {
	if c.Now == nil {
		c.Now = time.Now
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &Forwarder{config: c, log: slog.New(c.Next), queue: make(chan *Message, maxWaiting), ended: make(chan struct{}), cancel: cancel}
	go f.run(running)
	return f
}

// Counts tells what became of the events; Prometheus asks it.
func (f *Forwarder) Counts() Counts {
	return Counts{Sent: f.sent.Load(), Dropped: f.dropped.Load(), Refused: f.refused.Load()}
}

// Close sends what waits until ctx ends, and drops and counts the rest.
func (f *Forwarder) Close(ctx context.Context) {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.queue)
	}
	f.mu.Unlock()
	select {
	case <-f.ended:
	case <-ctx.Done():
		f.cancel()
		<-f.ended
	}
	f.cancel()
}

// offer puts a message into the queue, or drops it.
func (f *Forwarder) offer(ctx context.Context, m *Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		select {
		case f.queue <- m:
			return
		default:
		}
	}
	f.drop(ctx, 1)
}

// drop counts, and says so at most once a minute. Its caller holds mu.
func (f *Forwarder) drop(ctx context.Context, n int) {
	all := f.dropped.Add(uint64(n)) //nolint:gosec // never negative
	if now := f.config.Now(); f.told.IsZero() || now.Sub(f.told) >= tellEvery {
		f.told = now
		f.logDropped(ctx, all)
	}
}
