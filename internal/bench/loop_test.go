package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// slow is a caller that takes its time, which is virtual in these tests.
type slow struct {
	takes time.Duration
	// failing says how many operations of the n-th call fail.
	failing func(n int) int
	calls   int
}

func (s *slow) call(context.Context) (int, error) {
	time.Sleep(s.takes)
	s.calls++
	if s.failing != nil && s.failing(s.calls) > 0 {
		return s.failing(s.calls), errors.New("failed on purpose")
	}
	return 0, nil
}

func (*slow) signed() []*cpmv1.ProcessRequest { return nil }

func runOf(duration time.Duration, size int, callers ...caller) *run {
	return &run{callers: callers, size: size, duration: duration, sleep: time.Sleep, tally: new(tally)}
}

func TestTheClosedLoopSendsAsSoonAsItHasAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runOf(time.Second, 3, &slow{takes: 10 * time.Millisecond}, &slow{takes: 300 * time.Millisecond})
		start := time.Now()
		done := r.closed(t.Context())
		// The slower caller begins its fourth call before the time is over, and that call counts.
		if got, want := done.calls, 100+4; got != want {
			t.Errorf("%d calls, want %d", got, want)
		}
		if got, want := done.succeeded, 3*(100+4); got != want {
			t.Errorf("%d operations, want %d", got, want)
		}
		if got, want := time.Since(start), 1200*time.Millisecond; got != want {
			t.Errorf("ended after %s, want %s", got, want)
		}
		for _, l := range done.latencies {
			if l != 10*time.Millisecond && l != 300*time.Millisecond {
				t.Errorf("a latency of %s", l)
			}
		}
	})
}

func TestFailuresOfPartOfABatchAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing := func(n int) int { return n % 3 }
		r := runOf(90*time.Millisecond, 5, &slow{takes: 10 * time.Millisecond, failing: failing})
		done := r.closed(t.Context())
		if done.calls != 9 || done.failed != 9 || done.succeeded != 9*5-9 || len(done.latencies) != 3 {
			t.Errorf("%d calls, %d failed, %d succeeded, %d latencies", done.calls, done.failed, done.succeeded, len(done.latencies))
		}
		failures := r.tally.failures()
		if len(failures) != 1 || failures[0].Operations != 9 {
			t.Errorf("failures %v", failures)
		}
	})
}

func TestACaseThatOnlyFailsEndsEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runOf(time.Minute, 1, &slow{takes: time.Microsecond, failing: func(int) int { return 1 }})
		if done := r.closed(t.Context()); done.failed != maxFailures || done.calls != maxFailures {
			t.Errorf("%d calls, %d failed, want %d", done.calls, done.failed, maxFailures)
		}
	})
}

func TestTheOpenLoopSendsWhatIsDueAndNoMore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rate     int
		duration time.Duration
		want     int
	}{
		"divides evenly":  {100, time.Second, 100},
		"odd interval":    {333, 3 * time.Second, 999},
		"part of second":  {1000, 250 * time.Millisecond, 250},
		"none due":        {1, 500 * time.Millisecond, 0},
		"the most":        {maxRate, 10 * time.Millisecond, 10_000},
		"one for a start": {2, 500 * time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := runOf(test.duration, 1, &slow{}, &slow{}, &slow{})
				done := r.open(t.Context(), test.rate)
				if done.calls != test.want || done.unsent != 0 || len(done.latencies) != test.want {
					t.Errorf("%d calls, %d unsent, %d latencies, want %d calls", done.calls, done.unsent, len(done.latencies), test.want)
				}
			})
		})
	}
}

func TestTheOpenLoopCountsTheWaitBehindASlowAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// One caller, an arrival each 100 ms, each answer takes 150 ms: the n-th waits n × 50 ms, counted from 0.
		r := runOf(time.Second, 1, &slow{takes: 150 * time.Millisecond})
		done := r.open(t.Context(), 10)
		if len(done.latencies) != 10 {
			t.Fatalf("%d latencies, want 10", len(done.latencies))
		}
		for i, got := range done.latencies {
			if want := 150*time.Millisecond + time.Duration(i)*50*time.Millisecond; got != want {
				t.Errorf("latency %d is %s, want %s", i, got, want)
			}
		}
	})
}

func TestTheOpenLoopGivesUpArrivalsNobodyIsFreeFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runOf(10*time.Second, 1, &slow{takes: time.Second})
		start := time.Now()
		done := r.open(t.Context(), 5)
		if done.calls+done.unsent != 50 || done.unsent == 0 || len(done.latencies) != 50 {
			t.Errorf("%d calls, %d unsent, %d latencies, want 50 together", done.calls, done.unsent, len(done.latencies))
		}
		if took, most := time.Since(start), 10*time.Second+patience+2*time.Second; took > most {
			t.Errorf("took %s, want at most %s", took, most)
		}
		unsent := 0
		for _, l := range done.latencies {
			if l > patience+time.Second {
				t.Errorf("a latency of %s, although nobody waits longer than %s to be sent", l, patience)
			}
			if l >= patience {
				unsent++
			}
		}
		if unsent < done.unsent {
			t.Errorf("%d long latencies for %d unsent arrivals", unsent, done.unsent)
		}
	})
}

func TestACancelledOpenLoopEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := runOf(time.Minute, 1, &slow{}).open(ctx, 10)
		if done.calls > 11 || done.calls+done.unsent != 600 {
			t.Errorf("%d calls, %d unsent, want about 10 of 600", done.calls, done.unsent)
		}
	})
}

func TestWarmingUpMakesOneCallEach(t *testing.T) {
	t.Parallel()
	callers := []caller{&slow{}, &slow{}, &slow{failing: func(int) int { return 2 }}}
	done := runOf(time.Second, 2, callers...).warm(t.Context())
	if done.calls != 3 || done.succeeded != 4 || done.failed != 2 {
		t.Errorf("%d calls, %d succeeded, %d failed", done.calls, done.succeeded, done.failed)
	}
}

func TestThePrimitivesWork(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{algorithmRS256, algorithmES256} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			p, err := newPrimitive(algorithm, 2048)
			if err != nil {
				t.Fatal(err)
			}
			var signed atomic.Int64
			done, err := runRaw(t.Context(), time.Millisecond, func() error {
				signed.Add(1)
				return errors.Join(p.do(opSign)(), p.do(opVerify)())
			})
			if err != nil {
				t.Fatal(err)
			}
			if done.calls == 0 || int64(done.succeeded) != signed.Load() {
				t.Errorf("%d calls, %d succeeded, %d made", done.calls, done.succeeded, signed.Load())
			}
			_, err = runRaw(t.Context(), time.Millisecond, func() error { return errors.New("broken") })
			if err == nil {
				t.Error("a primitive that fails is taken for fast")
			}
		})
	}
}

func TestTheSleeperWaits(t *testing.T) {
	t.Parallel()
	s, err := newSleeper()
	if err != nil {
		t.Fatal(err)
	}
	s.sleep(0)
	s.sleep(-time.Second)
	start := time.Now()
	s.sleep(time.Millisecond)
	if took := time.Since(start); took < time.Millisecond {
		t.Errorf("slept %s, less than a millisecond", took)
	}
	s.close()
	s.sleep(time.Microsecond) // still returns
}
