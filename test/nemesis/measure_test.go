package nemesis

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpmtest"
)

const (
	failoverEvidence = "../../docs/evidence/failover.txt"
	// measured is how often an adapter is killed, and probers how many callers ask without a pause meanwhile.
	measured = 100
	probers  = 4
)

// TestMeasureFailover measures how long it takes from kill -9 of an adapter until requests are served again, and keeps the
// figures. It runs on request only.
func TestMeasureFailover(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "From kill -9 of an adapter to the first ES256 signature of a request that was sent after it; %d kills each,\n", measured)
	fmt.Fprintf(&out, "%d callers that ask without a pause over HTTPS JSON, the core and every adapter a process of its own.\n%s\n\n", probers, machine())
	fmt.Fprintln(&out, measure(t, "two endpoints, one is killed", 2, func(_ *world, e *endpoint) func() { return e.child.kill }))
	fmt.Fprintln(&out, measure(t, "one endpoint, killed and started again at once", 1, func(w *world, e *endpoint) func() {
		return func() {
			e.child.kill()
			w.startAdapter(e)
		}
	}))
	fmt.Fprintln(&out, measure(t, "a managed adapter, which the core starts again", 0, func(w *world, _ *endpoint) func() {
		pid := w.managed()
		return func() { must(w.t, syscall.Kill(pid, syscall.SIGKILL)) }
	}))
	t.Logf("\n%s", &out)
	must(t, os.WriteFile(failoverEvidence, out.Bytes(), 0o644))
}

// measure repeats a kill, and gives a line with what it took. What has to be found out before is done by prepare.
func measure(t *testing.T, what string, places int, prepare func(*world, *endpoint) (kill func())) string {
	t.Helper()
	w := newWorld(t, places, timer)
	var took, ready, held []time.Duration
	asked, failed := 0, 0
	for i := range measured {
		w.linked(max(places, 1))
		time.Sleep(2100 * time.Millisecond) // a link that was up for one second dials again without delay, a process for two starts so
		p := w.probe()
		time.Sleep(20 * time.Millisecond)
		var e *endpoint
		if places > 0 {
			e = w.places[i%places]
		}
		kill := prepare(w, e)
		killed := time.Now()
		kill()
		ready = append(ready, time.Since(killed))
		took = append(took, p.served(killed))
		p.end()
		held = append(held, p.longest)
		asked, failed = asked+p.asked, failed+p.failed
		if places > 1 {
			w.startAdapter(e)
		}
	}
	return fmt.Sprintf("%s\n  serving again             %s\n  process gone, or up again %s\n  longest answer of a round %s\n  %d of %d requests declined\n",
		what, quantiles(took), quantiles(ready), quantiles(held), failed, asked)
}

// quantiles sorts durations and writes their p50, p90, p99 (nearest rank) and the last.
func quantiles(all []time.Duration) string {
	slices.Sort(all)
	rank := func(percent int) string { return millis(all[(len(all)*percent+99)/100-1]) }
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  slowest %s", rank(50), rank(90), rank(99), rank(100))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// probe is a few callers who ask without a pause.
type probe struct {
	over    chan struct{}
	callers sync.WaitGroup

	mu            sync.Mutex
	good          []time.Time // when requests that were answered well were sent
	answered      []time.Time // and when their answers came
	asked, failed int
	longest       time.Duration
}

func (w *world) probe() *probe {
	p := &probe{over: make(chan struct{})}
	for range probers {
		l := &load{w: w, client: w.HTTP(cpmtest.Client)}
		p.callers.Go(func() {
			for {
				select {
				case <-p.over:
					l.client.CloseIdleConnections()
					return
				default:
				}
				began := time.Now()
				p.take(began, l.exchange(w.parties.compose(w.t, 1, 1, "json")))
			}
		})
	}
	return p
}

func (p *probe) take(began time.Time, g got) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.longest = max(p.longest, now.Sub(began))
	if g.outcome != good {
		p.failed++
		return
	}
	p.good, p.answered = append(p.good, began), append(p.answered, now)
}

// served waits for the first good answer to a request sent after a moment, and tells how long after it the answer came.
func (p *probe) served(after time.Time) time.Duration {
	for {
		p.mu.Lock()
		for i, began := range p.good {
			if began.After(after) {
				defer p.mu.Unlock()
				return p.answered[i].Sub(after)
			}
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (p *probe) end() {
	close(p.over)
	p.callers.Wait()
}

// managed is the process of the managed adapter: the child of the core.
func (w *world) managed() int {
	w.t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	must(w.t, err)
	parent := fmt.Sprintf("\nPPid:\t%d\n", w.core.cmd.Process.Pid)
	for _, file := range processes {
		if status, _ := os.ReadFile(file); strings.Contains(string(status), parent) { // one may have ended meanwhile
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			must(w.t, err)
			return pid
		}
	}
	w.t.Fatal("the managed adapter has no process")
	return 0
}
