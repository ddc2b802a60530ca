package nemesis

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/spec"
)

// plan is how long and how much.
type plan struct {
	duration time.Duration
	faults   int           // at least so many
	percent  int           // of the accepted requests must be ok; a short run on a busy machine may be unlucky
	restarts int           // of the core
	pause    time.Duration // the longest between two faults
}

func planned() plan {
	if os.Getenv("CPM_LONG") != "" {
		return plan{duration: 15 * time.Minute, faults: 1000, percent: 80, restarts: 30, pause: 800 * time.Millisecond}
	}
	return plan{duration: 30 * time.Second, faults: 100, percent: 20, restarts: 3, pause: 100 * time.Millisecond}
}

// seed is that of the run's faults; CPM_SEED repeats another's.
func seed(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("CPM_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		return n
	}
	return rand.Uint64()
}

// TestNemesis does harm to the adapters and the links, and holds every answer and every counter against the journal.
func TestNemesis(t *testing.T) {
	p, s := planned(), seed(t)
	w := newWorld(t, 2, timer)
	w.up()
	l := w.begin()
	n := &nemesis{
		w: w, random: rand.New(rand.NewPCG(s, 0)), shortest: 50 * time.Millisecond, longest: 500 * time.Millisecond,
		endless: 5 * time.Second, longEvery: 60, done: map[string]int{},
	}
	began := time.Now()
	for n.total < p.faults || time.Since(began) < p.duration {
		n.strike()
		time.Sleep(time.Duration(n.random.Int64N(int64(p.pause))))
	}
	took := time.Since(began)
	w.up() // whatever has happened, it recovers by itself
	l.end()
	v := l.journal.check(false)
	v.compare("the CPM", w.settled(v))
	late := w.dropped()
	n.conclude(fmt.Sprintf("%d faults in %s, seed %d\n%s, %d %% ok\n%d answers dropped because they were late, %d answers of a stream overtaken by later ones",
		n.total, took.Round(time.Second), s, v, 100*v.ok/max(v.accepted, 1), late, l.overtaken.Load()))
	report(t, v)
	if late == 0 || l.overtaken.Load() == 0 || v.declined == 0 {
		t.Error("the nemesis did not meet what it is for")
	}
	if 100*v.ok < p.percent*v.accepted {
		t.Errorf("%d of %d requests were ok, %d %% are wanted", v.ok, v.accepted, p.percent)
	}
	spec.Covers(t, "MSG-6", "MSG-8", "MSG-9", "MSG-10", "MSG-11", "CMD-6")
}

// evidence keeps the last long run.
const evidence = "../../docs/evidence/nemesis.txt"

// conclude tells what was done and what came of it, and keeps that of a long run.
func (n *nemesis) conclude(summary string) {
	t := n.w.t
	t.Helper()
	summary += "\n"
	for _, name := range slices.Sorted(maps.Keys(n.done)) {
		summary += fmt.Sprintf("%6d %s\n", n.done[name], name)
	}
	t.Log("nemesis: " + summary)
	if os.Getenv("CPM_LONG") != "" {
		summary = fmt.Sprintf("One adapter at two endpoints, %d requests a second over JSON and gRPC streams, the timer of the routes %s.\n%s\n%s",
			rate, timer, machine(), summary)
		must(t, os.WriteFile(evidence, []byte(summary), 0o644))
	}
}

// machine is what the figures were taken on, and when.
func machine() string {
	return fmt.Sprintf("%s, %d processors, %s/%s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// report writes the first violations; all of them would hide what happened.
func report(t *testing.T, v *verdict) {
	t.Helper()
	for _, text := range v.violations[:min(len(v.violations), 20)] {
		t.Error(text)
	}
	if n := len(v.violations); n > 20 {
		t.Errorf("and %d violations more", n-20)
	}
}

// settled is what the CPM counts once it counts no more: a count follows its answer.
func (w *world) settled(v *verdict) counters {
	w.t.Helper()
	var last counters
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now, err := w.counted()
		if err == nil && fmt.Sprint(now) == fmt.Sprint(v.counters) {
			return now
		}
		last = now
		if time.Now().After(deadline) {
			if err != nil {
				w.t.Error(err)
			}
			return last
		}
	}
}

// dropped is how many answers the CPM says it dropped because they came late.
func (w *world) dropped() uint64 {
	w.t.Helper()
	s, err := w.Admin.Status(w.t.Context())
	must(w.t, err)
	return s.Late
}

// TestTheCoreIsKilled counts apart: what is under way when the core dies has no answer. Everything that is answered is
// answered once and rightly, and the core serves again each time.
func TestTheCoreIsKilled(t *testing.T) {
	w := newWorld(t, 1, timer)
	w.up()
	l := w.begin()
	for range planned().restarts {
		time.Sleep(300*time.Millisecond + rand.N(500*time.Millisecond))
		w.core.kill()
		w.startCore()
	}
	w.up()
	time.Sleep(500 * time.Millisecond)
	l.end()
	v := l.journal.check(true)
	t.Logf("the core killed %d times: %s", planned().restarts, v)
	report(t, v)
	if v.cut == 0 || v.ok == 0 {
		t.Error("no kill met a request under way, or nothing was served")
	}
}
