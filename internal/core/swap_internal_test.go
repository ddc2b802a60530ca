package core

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestMeasureSwap measures how long it takes to put a snapshot in the place of another while every processor reads the
// present one without a pause. Nothing else of a refresh meets requests. It runs on request only, and asserts nothing about
// time.
func TestMeasureSwap(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	var (
		c       Core
		readers sync.WaitGroup
		over    atomic.Bool
	)
	one, other := emptySnapshot(), emptySnapshot()
	c.snapshot.Store(one)
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for !over.Load() {
				if c.snapshot.Load() == nil {
					t.Error("there was no snapshot")
					return
				}
			}
		})
	}
	const times = 100_000
	took := make([]time.Duration, times)
	for i := range took {
		began := time.Now()
		c.snapshot.Store(other)
		took[i] = time.Since(began)
		one, other = other, one
	}
	over.Store(true)
	readers.Wait()
	slices.Sort(took)
	t.Logf("%d swaps: median %s, p99.9 %s, longest %s", times, took[times/2], took[times*999/1000], took[times-1])
}
