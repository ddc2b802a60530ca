package ssm

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// lightly asks for light work of an FSP and gives the answer's fault.
func lightly(ctx context.Context, w *workers, f cpm.FSP, do func()) error {
	_, err := w.run(ctx, work{flow: admission.Flow{FSP: f}}, func() (*cpm.Result, error) {
		do()
		return &cpm.Result{}, nil
	})
	return err
}

// TestWhoFloodsLightWorkWaitsForItself: one FSP asks for a thousand times what can wait; others who ask later for a little are
// neither declined nor behind it.
func TestWhoFloodsLightWorkWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 200
		w := newWorkers(Config{LightWorkers: 1, Queue: most})
		defer w.close()
		var begun []cpm.FSP // guarded by there being one slot
		var all sync.WaitGroup
		var mu sync.Mutex
		declined := map[cpm.FSP]int{}
		ask := func(f cpm.FSP, n int) {
			for range n {
				all.Go(func() {
					asked := time.Now()
					err := lightly(t.Context(), w, f, func() {
						begun = append(begun, f)
						time.Sleep(50 * time.Microsecond)
					})
					if err == nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					declined[f]++
					if !errors.Is(err, fault.Busy) || time.Since(asked) > 0 {
						t.Errorf("%s: %v after %v", f, err, time.Since(asked))
					}
				})
			}
			synctest.Wait()
		}
		ask("flood", 1000)
		ask("modest", 5)
		ask("other", 5)
		all.Wait()
		if declined["flood"] != 1000-1-most/2 || declined["modest"]+declined["other"] != 0 {
			t.Errorf("declined: %v", declined)
		}
		place := map[cpm.FSP]int{} // of the last
		for i, f := range begun {
			place[f] = i
		}
		if len(begun) != 1+most/2+10 || place["modest"] > 50 || place["other"] > 50 {
			t.Errorf("of %d, the last of each were %v", len(begun), place)
		}
	})
}

// TestLightWorkWhoseTimeIsUpIsNotBegun: neither is its place lost to those who wait still.
func TestLightWorkWhoseTimeIsUpIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers(Config{LightWorkers: 1})
		defer w.close()
		var all sync.WaitGroup
		all.Go(func() { _ = lightly(t.Context(), w, "a", func() { time.Sleep(time.Second) }) })
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		all.Go(func() {
			if err := lightly(short, w, "b", func() { t.Error("begun") }); !errors.Is(err, fault.Timeout) {
				t.Error(err)
			}
		})
		done := false
		all.Go(func() {
			if err := lightly(t.Context(), w, "b", func() { done = true }); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if !done || w.light.slots.Waiting() != 0 {
			t.Error("the next was not done")
		}
	})
}

// TestWhoComesToACrowdIsNotLast: the requests of one FSP are all ready to run before that of another, on one processor.
func TestWhoComesToACrowdIsNotLast(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const crowd = 200
	w := newWorkers(Config{})
	defer w.close()
	var all sync.WaitGroup
	var mu sync.Mutex
	done, place := 0, 0
	ask := func(f cpm.FSP) {
		all.Go(func() {
			err := lightly(t.Context(), w, f, func() {
				for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
				}
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; f == "other" {
				place = done
			}
		})
	}
	for range crowd {
		ask("flood")
	}
	ask("other")
	ask("flood") // the last to be started is the first to run
	all.Wait()
	if place > crowd/2 {
		t.Errorf("was number %d of %d", place, done)
	}
}
