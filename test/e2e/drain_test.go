package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/spec"
)

const (
	// rounds is how often the process is told to end.
	rounds = 20
	// crowd is how many callers there are at a time.
	crowd = 32
)

// TestTermUnderLoad ends the process again and again while it has much to do: every request is answered or clearly
// declined, none is lost, and the process ends by itself.
func TestTermUnderLoad(t *testing.T) {
	m := install(t, cpmtest.Config{Tune: func(c *config.Config) { c.DrainTimeout = 45 * time.Second }})
	var sent, late, declined, refused int64
	for round := range rounds {
		p := launch(t, m)
		if round == 0 {
			p.AddKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "RS256"}, nil)
		}
		l := begin(t, p, crowd)
		time.Sleep(rand.N(20 * time.Millisecond)) // not always at the same point
		l.terminateUnderLoad(3 * crowd)
		l.settle()
		p.end()
		p.endedInOrder()
		if t.Failed() {
			t.Fatalf("in round %d", round+1)
		}
		sent, late, declined, refused = sent+l.sent.Load(), late+l.late.Load(), declined+l.declined.Load(), refused+l.refused.Load()
	}
	t.Logf("%d requests: %d declined, %d refused after the port was closed, 0 lost; %d were answered after the signal", sent, declined, refused, late)
	if late == 0 || declined == 0 {
		t.Error("the signal never met a request under way")
	}
	spec.Covers(t, "DOWN-1", "DOWN-2a", "DOWN-3", "DOWN-5", "DOWN-6", "DOWN-7", "DOWN-8", "DOWN-9", "DOWN-notes")
}

// endedInOrder looks at what the specification's "Shutdown" says must be logged, and at the database: SQLite takes its log
// away when the last connection is closed well.
func (p *process) endedInOrder() {
	p.t.Helper()
	var order []string
	for _, e := range p.log.where(func(e event) bool {
		return slices.Contains([]string{"cpm.shutting-down", "adapter.closed", "cpm.inactive", "database.close", "cpm.stopped"}, e.Event)
	}) {
		order = append(order, e.Event)
	}
	if diff := cmp.Diff([]string{"cpm.shutting-down", "adapter.closed", "cpm.inactive", "cpm.stopped"}, order); diff != "" {
		p.t.Errorf("the end is logged as (-want +got):\n%s", diff)
	}
	if left, err := filepath.Glob(filepath.Join(p.Config.DataDir, "*-wal")); err != nil || len(left) != 0 {
		p.t.Errorf("the database was not closed: %v %v", left, err)
	}
}
