package admission

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func flow(fsp, caller string) Flow {
	return Flow{cpm.FSP(fsp), Caller{cpm.PrincipalCertificate, caller}}
}

// patient takes everything.
func patient() *Queue[string] {
	return NewQueue[string](QueueConfig{Workers: 1, Most: 1 << 20, Patience: time.Hour})
}

func offer(t *testing.T, q *Queue[string], f Flow, effort time.Duration, n int) {
	t.Helper()
	for range n {
		if e := q.Offer(f, time.Time{}, Job[string]{Work: string(f.FSP) + "/" + f.Caller.Name, Effort: effort}); e != nil {
			t.Fatal(e)
		}
	}
}

// take counts whose work the next n are.
func take(q *Queue[string], n int) map[string]int {
	found := map[string]int{}
	for range n {
		j, _ := q.Take()
		found[j.Work]++
	}
	return found
}

func expect(t *testing.T, what string, got map[string]int, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestAFloodOfOneFSPDoesNotHoldUpAnother(t *testing.T) {
	q := patient()
	offer(t, q, flow("flood", "a"), quantum, 1000)
	offer(t, q, flow("small", "a"), quantum, 10)
	expect(t, "the next 20", take(q, 20), map[string]int{"flood/a": 10, "small/a": 10})
	offer(t, q, flow("late", "a"), quantum, 1)
	expect(t, "the next 2", take(q, 2), map[string]int{"flood/a": 1, "late/a": 1})
}

func TestFSPsGetEqualPartsOfTheTime(t *testing.T) {
	q := patient()
	offer(t, q, flow("rsa4096", "a"), 8*quantum, 1000)
	offer(t, q, flow("rsa2048", "a"), quantum, 1000)
	expect(t, "a time of 18 quanta", take(q, 9*9), map[string]int{"rsa4096/a": 9, "rsa2048/a": 72})
}

func TestCallersOfAnFSPTakeTurns(t *testing.T) {
	q := patient()
	offer(t, q, flow("x", "flood"), quantum, 1000)
	offer(t, q, flow("x", "other"), quantum, 5)
	offer(t, q, flow("y", "third"), quantum, 10)
	expect(t, "the next 20", take(q, 20), map[string]int{"x/flood": 5, "x/other": 5, "y/third": 10})
}

func TestWorkOfOneCallerStaysInOrder(t *testing.T) {
	q := NewQueue[int](QueueConfig{Workers: 1, Most: 1 << 20, Patience: time.Hour})
	next, want := 0, 0
	for range 500 { // the line is never empty and moves all the time
		for range 3 {
			if e := q.Offer(flow("x", "a"), time.Time{}, Job[int]{Work: next, Effort: quantum}); e != nil {
				t.Fatal(e)
			}
			next++
		}
		for range 2 {
			if j, _ := q.Take(); j.Work != want {
				t.Fatalf("got %d, want %d", j.Work, want)
			}
			want++
		}
	}
	if n := len(q.shares["x"].lines[0].jobs); n > 1500 {
		t.Errorf("500 wait in a line of %d", n)
	}
}

func TestOfAFullQueueThereIsAPartForEverybody(t *testing.T) {
	q := NewQueue[string](QueueConfig{Workers: 1, Most: 9, Patience: time.Hour})
	fill := func(fsp string) (n int) {
		for {
			e := q.Offer(flow(fsp, "a"), time.Time{}, Job[string]{Effort: quantum})
			if e != nil {
				if ReasonOf(e) != QueueFull || e.Kind != fault.Busy || e.RetryAfter < minAdvice {
					t.Error(e, e.RetryAfter)
				}
				return n
			}
			n++
		}
	}
	if a, b, c := fill("a"), fill("b"), fill("c"); a != 5 || b != 2 || c != 1 {
		t.Errorf("%d, %d, %d", a, b, c)
	}
}

// served is what a simulated time of load came to.
type served struct {
	mu                       sync.Mutex
	accepted, answered, shed int
	reasons                  map[Reason]int
	longest                  time.Duration
}

// load offers work of 1 ms to two workers for some time, in virtual time, one each gap.
func (s *served) load(q *Queue[func()], f Flow, gap, d time.Duration) {
	for range int(d / gap) {
		at := time.Now()
		e := q.Offer(f, at.Add(2*time.Second), Job[func()]{Effort: quantum, Work: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.answered++
			s.longest = max(s.longest, time.Since(at))
		}})
		s.mu.Lock()
		if e != nil {
			s.shed++
			s.reasons[ReasonOf(e)]++
		} else {
			s.accepted++
		}
		s.mu.Unlock()
		time.Sleep(gap)
	}
}

// simulate runs two workers, each of which takes 1 ms for a quantum times slowness.
func simulate(t *testing.T, slowness int, run func(q *Queue[func()])) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[func()](QueueConfig{Workers: 2, Most: 1 << 14, Patience: 100 * time.Millisecond})
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				for j, ok := q.Take(); ok; j, ok = q.Take() {
					began := time.Now()
					time.Sleep(j.Effort * time.Duration(slowness))
					q.Took(j, time.Since(began))
					j.Work()
				}
			})
		}
		run(q)
		for q.Waiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		q.Close()
		workers.Wait()
		if q.effort != 0 || q.count != 0 || len(q.ring) != 0 || len(q.shares) != 0 {
			t.Errorf("an empty queue has %v, %d, %d", q.effort, q.count, len(q.ring))
		}
	})
}

func TestFiveTimesTheCapacityKeepsTheWorkersBusyAndTheWaitShort(t *testing.T) {
	for _, slowness := range []int{1, 7} {
		simulate(t, slowness, func(q *Queue[func()]) {
			capacity := 2 * time.Second / time.Millisecond / time.Duration(slowness) // a second
			gap := time.Second / (5 * capacity)
			first := &served{reasons: map[Reason]int{}}
			first.load(q, flow("x", "a"), gap, 2*time.Second) // while the burst is worked off
			s := &served{reasons: map[Reason]int{}}
			s.load(q, flow("x", "a"), gap, 3*time.Second)
			s.mu.Lock()
			defer s.mu.Unlock()
			if got, want := s.answered, int(3*capacity)*96/100; got < want {
				t.Errorf("slowness %d: %d answered in 3 s, want %d", slowness, got, want)
			}
			if s.longest > 130*time.Millisecond {
				t.Errorf("slowness %d: one waited %v", slowness, s.longest)
			}
			if s.reasons[QueueWait] != s.shed || s.shed == 0 {
				t.Errorf("slowness %d: %v of %d", slowness, s.reasons, s.shed)
			}
		})
	}
}

func TestAfterAnOverloadNobodyIsDeclined(t *testing.T) {
	simulate(t, 1, func(q *Queue[func()]) {
		over, after := &served{reasons: map[Reason]int{}}, &served{reasons: map[Reason]int{}}
		over.load(q, flow("x", "a"), 100*time.Microsecond, 3*time.Second)
		time.Sleep(200 * time.Millisecond)
		after.load(q, flow("x", "a"), time.Millisecond, 5*time.Second) // half of the capacity
		synctest.Wait()
		if after.shed != 0 || after.longest > 2*time.Millisecond || over.shed == 0 {
			t.Errorf("%d declined, one waited %v; %d before", after.shed, after.longest, over.shed)
		}
	})
}

func TestAShortBurstIsTakenInWhole(t *testing.T) {
	simulate(t, 1, func(q *Queue[func()]) {
		s := &served{reasons: map[Reason]int{}}
		for range 5 {
			for range 400 { // a fifth of a second of work, at once
				s.load(q, flow("x", "a"), time.Nanosecond, time.Nanosecond)
			}
			time.Sleep(2 * time.Second)
		}
		if s.shed != 0 {
			t.Errorf("%v", s.reasons)
		}
	})
}

func TestUnderTheFloodOfAnotherAModestFSPIsNotDeclined(t *testing.T) {
	simulate(t, 1, func(q *Queue[func()]) {
		flood, modest := &served{reasons: map[Reason]int{}}, &served{reasons: map[Reason]int{}}
		var both sync.WaitGroup
		both.Go(func() { flood.load(q, flow("flood", "a"), 100*time.Microsecond, 3*time.Second) })
		both.Go(func() { modest.load(q, flow("modest", "a"), 2*time.Millisecond, 3*time.Second) })
		both.Wait()
		synctest.Wait()
		if modest.shed != 0 || modest.longest > 5*time.Millisecond || flood.shed == 0 {
			t.Errorf("%d declined, one waited %v; of the flood %d", modest.shed, modest.longest, flood.shed)
		}
	})
}

func TestWhatCannotBeDoneInTimeIsDeclinedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[string](QueueConfig{Workers: 1, Most: 100, Patience: time.Hour})
		offer(t, q, flow("x", "a"), 10*quantum, 10) // 100 ms of work
		job := Job[string]{Effort: quantum}
		if e := q.Offer(flow("x", "a"), time.Now().Add(90*time.Millisecond), job); e == nil || ReasonOf(e) != Deadline {
			t.Error("a deadline that cannot be met:", e)
		}
		if e := q.Offer(flow("x", "a"), time.Now().Add(110*time.Millisecond), job); e != nil {
			t.Error("one that can:", e)
		}
		if e := q.Offer(flow("y", "a"), time.Now().Add(10*time.Millisecond), job); e != nil {
			t.Error("one that another FSP's turn leaves time for:", e)
		}
		if !q.TooLate(time.Now(), job) || q.TooLate(time.Time{}, job) || q.TooLate(time.Now().Add(time.Second), job) {
			t.Error("too late is what is due now")
		}
	})
}

// TestEverythingThatIsTakenInComesOutOnce offers and takes at random and compares with a list.
func TestEverythingThatIsTakenInComesOutOnce(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		q := NewQueue[int](QueueConfig{Workers: 1 + r.IntN(3), Most: 1 + r.IntN(60), Patience: time.Duration(r.IntN(50)) * time.Millisecond})
		waiting, offered := map[int]bool{}, 0
		for range 5000 {
			if r.IntN(5) < 3 {
				f := flow(fmt.Sprint(r.IntN(6)), fmt.Sprint(r.IntN(4)))
				e := q.Offer(f, time.Time{}, Job[int]{Work: offered, Effort: time.Duration(r.IntN(100)) * time.Millisecond})
				if e == nil {
					waiting[offered] = true
				} else if !errors.Is(e, fault.Busy) {
					t.Fatal(e)
				}
				offered++
			} else if len(waiting) > 0 {
				j, ok := q.Take()
				if !ok || !waiting[j.Work] {
					t.Fatalf("seed %d: %d came out, and did not wait", seed, j.Work)
				}
				delete(waiting, j.Work)
				q.Took(j, time.Duration(r.IntN(1e8)))
			}
			if q.Waiting() != len(waiting) {
				t.Fatalf("seed %d: %d wait, not %d", seed, q.Waiting(), len(waiting))
			}
		}
		q.Close()
		for range waiting {
			if j, ok := q.Take(); !ok || !waiting[j.Work] {
				t.Fatalf("seed %d: %d came out, and did not wait", seed, j.Work)
			}
		}
		if _, ok := q.Take(); ok || q.effort != 0 {
			t.Fatalf("seed %d: a closed and empty queue gave work, or has %v", seed, q.effort)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	q := NewQueue[int](QueueConfig{Workers: 2, Most: 1024, Patience: time.Hour})
	f := flow("payerfsp", "switch")
	b.ReportAllocs()
	for b.Loop() {
		if e := q.Offer(f, time.Time{}, Job[int]{Effort: quantum}); e != nil {
			b.Fatal(e)
		}
		q.Take()
	}
}

func BenchmarkGate(b *testing.B) {
	g := NewGate[Caller](100)
	who, l := Caller{cpm.PrincipalCertificate, "switch.example"}, Limits{PerSecond: 1_000_000, Concurrent: 100}
	b.ReportAllocs()
	for b.Loop() {
		p, no := g.Enter(who, l)
		if no == nil {
			p.Leave()
		}
	}
}
