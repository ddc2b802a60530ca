package core

import (
	"context"
	"sync"
	"time"
)

// lasting is a context with a deadline that has no timer until somebody waits for it. Most work in this process is done
// without waiting, and to set a timer and take it back costs as much as a twentieth of an ECDSA signature.
type lasting struct {
	context.Context
	end time.Time

	mu     sync.Mutex
	timed  context.Context // nil until somebody waits
	cancel context.CancelFunc
	over   bool
}

// lastingUntil gives a context that ends with parent, at end, which must not be later than parent's own deadline, and when it is
// stopped, which it has to be.
func lastingUntil(parent context.Context, end time.Time) *lasting {
	return &lasting{Context: parent, end: end}
}

// Deadline is the end.
func (l *lasting) Deadline() (time.Time, bool) { return l.end, true }

// Done is closed when the context has ended.
func (l *lasting) Done() <-chan struct{} { return l.wait().Done() }

// Err says why the context has ended, and is nil before.
func (l *lasting) Err() error {
	l.mu.Lock()
	unasked := l.timed == nil && !l.over
	l.mu.Unlock()
	if unasked && l.Context.Err() == nil && time.Now().Before(l.end) {
		return nil
	}
	return l.wait().Err()
}

// Value is also how package context finds what ends the contexts that are derived from this one.
func (l *lasting) Value(key any) any {
	l.mu.Lock()
	timed := l.timed
	l.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return l.Context.Value(key)
}

// stop ends the context.
func (l *lasting) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.cancel != nil {
		l.cancel()
	}
}

// wait is the context that has the timer.
func (l *lasting) wait() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timed == nil {
		l.timed, l.cancel = context.WithDeadline(l.Context, l.end)
		if l.over {
			l.cancel()
		}
	}
	return l.timed
}
