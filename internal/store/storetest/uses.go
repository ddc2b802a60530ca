package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// usesAreTaken has several processes take the uses of one key at once: together they take the limit and not one more.
func usesAreTaken(t *testing.T, g Target) {
	const limit = 100
	var (
		total atomic.Int64
		all   sync.WaitGroup
		id    = [16]byte{7}
	)
	for range 3 {
		s := g.trusted(t)
		all.Go(func() {
			for {
				took, used, err := s.TakeUses(t.Context(), id, 7, limit)
				total.Add(took)
				if err != nil || used > limit || took > 7 {
					t.Errorf("%d taken, %d used, %v", took, used, err)
				}
				if took == 0 || err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	s := g.trusted(t)
	if used, err := s.Uses(t.Context(), id); used != limit || total.Load() != limit || err != nil {
		t.Errorf("%d used, %d taken, %v", used, total.Load(), err)
	}
	if took, used, err := s.TakeUses(t.Context(), id, 5, limit+3); took != 3 || used != limit+3 || err != nil {
		t.Errorf("a higher limit: %d taken, %d used, %v", took, used, err)
	}
	if took, used, err := s.TakeUses(t.Context(), id, 5, 10); took != 0 || used != limit+3 || err != nil {
		t.Errorf("a lower limit: %d taken, %d used, %v", took, used, err)
	}
	if used, err := s.Uses(t.Context(), [16]byte{8}); used != 0 || err != nil {
		t.Errorf("another key: %d used, %v", used, err)
	}
	load(t, s) // the counts are no part of what the root covers
}

func alteredUses(t *testing.T, g Target) {
	s := g.trusted(t)
	if _, _, err := s.TakeUses(t.Context(), [16]byte{7}, 5, 10); err != nil {
		t.Fatal(err)
	}
	g.exec(t, `UPDATE "key_uses" SET "used" = 1`)
	_, _, err := s.TakeUses(t.Context(), [16]byte{7}, 5, 10)
	is(t, err, fault.State)
	_, err = s.Uses(t.Context(), [16]byte{7})
	is(t, err, fault.State)
}
