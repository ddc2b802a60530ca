package adapter

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// How long the side that dials waits between attempts to connect: doubled each time, and jittered, so that the replicas of
// a core do not come back all at once.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// steadyAfter is how long a link must have been up for the next pause to be the first again. A side that greets and dies is
// not hammered.
const steadyAfter = 250 * time.Millisecond

// keeper keeps one link up: it dials, and dials again whenever the link is lost.
type keeper[L any] struct {
	party   party
	address string
	logger  *slog.Logger // names the adapter
	cancel  context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	link    *L
	failure error         // why the last link ended or did not come up
	changed chan struct{} // closed and replaced when link changes
}

// keep starts connecting. once connects, calls set when the link is up, and serves until it ends; it tells how long it was up.
func keep[L any](ctx context.Context, k *keeper[L], once func(context.Context) (time.Duration, error)) {
	ctx, k.cancel = context.WithCancel(ctx) //nolint:gosec // Close calls it
	k.ended, k.changed = make(chan struct{}), make(chan struct{})
	go k.run(ctx, once)
}

func (k *keeper[L]) run(ctx context.Context, once func(context.Context) (time.Duration, error)) {
	defer close(k.ended)
	pause := firstPause
	for ctx.Err() == nil {
		up, err := once(ctx)
		if ctx.Err() != nil {
			return
		}
		k.set(nil, err)
		k.logger.LogAttrs(ctx, slog.LevelWarn, "the link is down", obs.Event("link.down"),
			slog.String("address", k.address), obs.Err(err))
		if up >= steadyAfter {
			pause = firstPause
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// Close ends the link and stops connecting.
func (k *keeper[L]) Close() {
	k.cancel()
	<-k.ended
}

// set tells who waits that the link is there, or is not and why.
func (k *keeper[L]) set(l *L, failure error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.link, k.failure = l, failure
	close(k.changed)
	k.changed = make(chan struct{})
}

// holds marks the link as up until its end, which over tells.
func (k *keeper[L]) holds(ctx context.Context, l *L, version uint32, over <-chan error) (time.Duration, error) {
	began := time.Now()
	k.set(l, nil)
	defer k.set(nil, nil)
	k.logger.LogAttrs(ctx, slog.LevelInfo, "the link is up", obs.Event("link.up"),
		slog.String("address", k.address), slog.Uint64("version", uint64(version)))
	err := <-over
	return time.Since(began), err
}

func (k *keeper[L]) current() (*L, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link == nil {
		return nil, fault.New(fault.Unavailable, "the %s is not connected", k.party)
	}
	return k.link, nil
}

// Up says whether the link is there now.
func (k *keeper[L]) Up() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.link != nil
}

// Connected waits until the link is up, or ctx ends.
func (k *keeper[L]) Connected(ctx context.Context) error {
	for {
		k.mu.Lock()
		up, changed, failure := k.link != nil, k.changed, k.failure
		k.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the %s is not reachable", k.party).Because(errors.Join(ctx.Err(), failure))
		}
	}
}
