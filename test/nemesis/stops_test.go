package nemesis

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/spec"
)

// stopsEvidence keeps the last run that was more than few.
const stopsEvidence = "../../docs/evidence/stops.txt"

// few is enough to see that it works.
const few = 5

// stops is how many orderly ends of adapters a run makes, of each sort.
func stops() int {
	if os.Getenv("CPM_LONG") != "" || os.Getenv("CPM_MEASURE") != "" {
		return 50
	}
	return few
}

// TestOrderlyEndsLoseNothing ends adapters under load: one endpoint of two by a signal, as an operating system does, and the
// whole adapter by an operator's command. Every request has its one answer. As long as an endpoint is left, none is declined.
func TestOrderlyEndsLoseNothing(t *testing.T) {
	bySignal := ended(t, "SIGTERM to one endpoint of two", func(w *world, i int) {
		e := w.places[i%2]
		e.child.signal(syscall.SIGTERM)
		<-e.child.ended
		w.linked(1) // a core that has not noticed yet would take the old link for the new one
		w.startAdapter(e)
		w.up()
	})
	if bySignal.declined != 0 {
		t.Errorf("%d requests were declined although an endpoint was there: %v", bySignal.declined, bySignal.texts)
	}
	byCommand := ended(t, "adapter stop and adapter start", func(w *world, _ int) {
		w.Change(core.Change{Action: "adapter.stop", Target: adapterName})
		for _, e := range w.places {
			<-e.child.ended
			w.startAdapter(e)
		}
		w.Change(core.Change{Action: "adapter.start", Target: adapterName})
		w.up()
	})
	if stops() > few {
		must(t, os.WriteFile(stopsEvidence, fmt.Appendf(nil, "%s\nSIGTERM to one endpoint of two, %d times under load:\n  %s\nadapter stop and adapter start by an operator, %d times under load:\n  %s\n",
			machine(), stops(), bySignal, stops(), byCommand), 0o644))
	}
	if n := byCommand.kinds["unavailable"]; n == 0 || n != byCommand.declined {
		t.Errorf("while the adapter is stopped, requests are declined as unavailable, not %v", byCommand.kinds)
	}
	spec.Covers(t, "SSM-down-2a", "SSM-down-3", "MSG-4a")
}

// ended does something again and again under load, and checks the journal.
func ended(t *testing.T, what string, act func(w *world, i int)) *verdict {
	t.Helper()
	w := newWorld(t, 2, patience/2) // no decline here may come from a busy machine
	w.up()
	l := w.begin()
	for i := range stops() {
		time.Sleep(200 * time.Millisecond)
		act(w, i)
	}
	time.Sleep(200 * time.Millisecond)
	l.end()
	v := l.journal.check(false)
	v.compare("the CPM", w.settled(v))
	t.Logf("%s, %d times: %s", what, stops(), v)
	report(t, v)
	if v.ok == 0 {
		t.Error("nothing was served")
	}
	return v
}
