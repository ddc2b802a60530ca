package admission

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// TestASlotGoesOnWhoeverGivesUp: before it was given, or in the moment in which it was.
func TestASlotGoesOnWhoeverGivesUp(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "too late": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSlots(QueueConfig{Workers: 1, Most: 10, Patience: time.Hour})
				first, err := s.Enter(t.Context(), flow("a", "a"), 0)
				if err != nil || first != nil {
					t.Fatal(first, err)
				}
				given := &Turn{ready: make(chan struct{})}
				if err := s.line(t.Context(), flow("b", "b"), 0, given); err != nil {
					t.Fatal(err)
				}
				next := make(chan error, 1)
				go func() {
					turn, err := s.Enter(t.Context(), flow("c", "c"), 0)
					s.Leave(turn)
					next <- err
				}()
				synctest.Wait()
				if late {
					s.Leave(first)
					s.abandon(given)
				} else {
					s.abandon(given)
					s.Leave(first)
				}
				if err := <-next; err != nil {
					t.Error(err)
				}
				if s.free != 1 || s.Waiting() != 0 {
					t.Errorf("%d free, %d wait", s.free, s.Waiting())
				}
			})
		})
	}
}

func TestNobodyWaitsForASlotBeyondTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(QueueConfig{Workers: 1, Most: 10, Patience: time.Hour})
		_, _ = s.Enter(t.Context(), flow("a", "a"), 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Enter(ctx, flow("b", "b"), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		short, done := context.WithTimeout(t.Context(), time.Microsecond)
		defer done()
		if _, err := s.Enter(short, flow("b", "b"), 0); !errors.Is(err, fault.Busy) || ReasonOf(err) != Deadline {
			t.Error(err)
		}
	})
}
