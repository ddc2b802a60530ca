package core

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/store"
)

// counts is a database of uses that can be down.
type counts struct {
	mu    sync.Mutex
	used  map[[16]byte]int64
	down  bool
	taken int
}

var errDown = errors.New("the database is down")

func (c *counts) take(_ context.Context, id [16]byte, n, limit int64) (took, used int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return 0, 0, errDown
	}
	c.taken++
	took = max(0, min(n, limit-c.used[id]))
	c.used[id] += took
	return took, c.used[id], nil
}

func (c *counts) usage() *usage { return newUsage(c.take, slog.New(slog.DiscardHandler)) }

func limited(limit int64) *keys.Version {
	return &keys.Version{Ref: cpm.KeyRef{ID: cpm.KeyID{1}, Name: "data"}, Policy: &keys.Policy{MaxUses: limit}}
}

func spendAll(t *testing.T, u *usage, v *keys.Version) (n int64) {
	t.Helper()
	for {
		if _, err := u.spend(t.Context(), v); err != nil {
			if !errors.Is(err, fault.State) {
				t.Fatal(err)
			}
			return n
		}
		n++
	}
}

// However many processes and requests share a limit, together they use the key exactly that often.
func TestALimitOfUsesHoldsForAllProcessesTogether(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{1, 7, 1023, 5000, 100_000} {
		c := &counts{used: map[[16]byte]int64{}}
		var total atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			u := c.usage()
			for range 4 {
				all.Go(func() { total.Add(spendAll(t, u, limited(limit))) })
			}
			defer u.ahead.Wait()
		}
		all.Wait()
		if total.Load() != limit {
			t.Errorf("a limit of %d lets %d uses pass", limit, total.Load())
		}
	}
}

func TestACrashLosesAtMostABlockAndGainsNothing(t *testing.T) {
	t.Parallel()
	const limit, block = 102_400, 100
	c := &counts{used: map[[16]byte]int64{}}
	uses, crashes := int64(0), int64(5)
	for range crashes {
		u := c.usage()
		for range 130 {
			if _, err := u.spend(t.Context(), limited(limit)); err != nil {
				t.Fatal(err)
			}
			uses++
		}
		u.ahead.Wait()
	}
	u := c.usage()
	uses += spendAll(t, u, limited(limit))
	u.ahead.Wait()
	// A block that is fetched ahead may be lost as well.
	if uses > limit || uses < limit-2*crashes*block {
		t.Errorf("%d uses of %d after %d crashes", uses, limit, crashes)
	}
}

func TestWhatIsSetAsideIsUsedWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counts{used: map[[16]byte]int64{}}
		u, v := c.usage(), limited(102_400)
		if _, err := u.spend(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.down = true
		c.mu.Unlock()
		for i := range 99 {
			if _, err := u.spend(t.Context(), v); err != nil {
				t.Fatalf("use %d: %v", i+2, err)
			}
		}
		synctest.Wait()
		_, err := u.spend(t.Context(), v)
		if !errors.Is(err, fault.Unavailable) || !errors.Is(err, errDown) {
			t.Errorf("got %v", err)
		}
		c.mu.Lock()
		c.down = false
		c.mu.Unlock()
		if _, err := u.spend(t.Context(), v); err != nil {
			t.Errorf("the database is back: %v", err)
		}
	})
}

func TestAKeyWithoutALimitIsNotCounted(t *testing.T) {
	t.Parallel()
	c := &counts{used: map[[16]byte]int64{}}
	u := c.usage()
	for _, v := range []*keys.Version{{Row: store.Object{Algorithm: "HS256"}}, {Row: store.Object{Algorithm: "A256KW"}}} {
		if _, err := u.spend(t.Context(), v); err != nil || c.taken != 0 {
			t.Errorf("%d blocks, %v", c.taken, err)
		}
	}
	gcm := &keys.Version{Row: store.Object{Algorithm: "A256GCM"}}
	if _, err := u.spend(t.Context(), gcm); err != nil || c.taken != 1 || c.used[gcm.Ref.ID] != maxBlock || gcm.UseLimit() != 1<<32 {
		t.Errorf("%d blocks, %d uses of %d, %v", c.taken, c.used[gcm.Ref.ID], gcm.UseLimit(), err)
	}
}

func TestACountThatWentBackIsNoticed(t *testing.T) {
	t.Parallel()
	c := &counts{used: map[[16]byte]int64{}}
	u, v := c.usage(), limited(10)
	for range 2 {
		if _, err := u.spend(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	clear(c.used)
	if _, err := u.spend(t.Context(), v); !errors.Is(err, fault.State) {
		t.Errorf("got %v", err)
	}
}

func TestALowerLimitHoldsForWhatWasSetAside(t *testing.T) {
	t.Parallel()
	c := &counts{used: map[[16]byte]int64{}}
	u := c.usage()
	defer u.ahead.Wait()
	before, err := u.spend(t.Context(), limited(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := u.spend(t.Context(), limited(5)); !errors.Is(err, fault.State) {
			t.Errorf("got %v", err)
		}
		before.giveBack() // one of the limit before is none of this one
	}
}

func BenchmarkSpend(b *testing.B) {
	c := &counts{used: map[[16]byte]int64{}}
	u, v := c.usage(), &keys.Version{Row: store.Object{Algorithm: "A256GCM"}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := u.spend(b.Context(), v); err != nil {
				b.Error(err)
				return
			}
		}
	})
	u.ahead.Wait()
}
