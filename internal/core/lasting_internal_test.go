package core

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A lasting context ends as one of package context does that was made of the same parent, and so do those derived from it.
func TestLastingContextEnds(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		act  func(parent context.CancelFunc, l *lasting)
		want error
	}{
		"at its end":         {func(context.CancelFunc, *lasting) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		"with its parent":    {func(parent context.CancelFunc, _ *lasting) { parent() }, context.Canceled},
		"when it is stopped": {func(_ context.CancelFunc, l *lasting) { l.stop() }, context.Canceled},
	}
	for name, end := range ends {
		for _, waited := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancel(t.Context())
					defer cancel()
					l := lastingUntil(parent, time.Now().Add(time.Second))
					defer l.stop()
					child := context.Context(l)
					if waited {
						var done context.CancelFunc
						child, done = context.WithCancel(l)
						defer done()
					}
					if l.Err() != nil || child.Err() != nil {
						t.Fatal("ended before", l.Err(), child.Err())
					}
					end.act(cancel, l)
					synctest.Wait()
					<-l.Done()
					<-child.Done()
					if !errors.Is(l.Err(), end.want) || !errors.Is(child.Err(), end.want) {
						t.Errorf("%v, its child %v, want %v", l.Err(), child.Err(), end.want)
					}
				})
			})
		}
	}
}

func TestLastingContextHasItsParentsValuesAndItsOwnDeadline(t *testing.T) {
	t.Parallel()
	type key struct{}
	end := time.Now().Add(time.Hour)
	l := lastingUntil(context.WithValue(t.Context(), key{}, "value"), end)
	defer l.stop()
	for range 2 {
		if at, limited := l.Deadline(); l.Value(key{}) != "value" || !limited || !at.Equal(end) {
			t.Error(l.Value(key{}), at, limited)
		}
		_ = l.Done() // from now on it has a timer
	}
}

// What does not wait sets no timer.
func TestLastingContextHasNoTimerBeforeSomebodyWaits(t *testing.T) {
	t.Parallel()
	l := lastingUntil(t.Context(), time.Now().Add(time.Hour))
	defer l.stop()
	if err := l.Err(); err != nil || l.timed != nil {
		t.Error(err, l.timed)
	}
}
