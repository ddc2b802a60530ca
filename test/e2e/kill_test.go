package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpmtest"
)

const (
	// kills is how often the process is killed, adders how many add keys then.
	kills  = 50
	adders = 4
)

// TestNoAcknowledgedKeyIsLost kills the process again and again while keys are added: what was acknowledged is there
// afterwards and works, what was not is there whole or not at all, and nothing else has changed.
func TestNoAcknowledgedKeyIsLost(t *testing.T) {
	m := install(t, cpmtest.Config{})
	book, theirs := newLedger(), newP256(t)
	first := int64(0)
	for round := range kills {
		p := launch(t, m)
		n := book.check(t, p)
		status, err := p.Admin.Status(t.Context())
		must(t, err)
		if round == 0 {
			first = status.Revision
		}
		if got := status.Revision - first; got != int64(n) {
			t.Errorf("%d keys were added in %d revisions", n, got)
		}
		if t.Failed() {
			t.Fatalf("after %d kills", round)
		}
		killWhileAdding(t, p, book, theirs, round)
	}
	p := launch(t, m)
	n := book.check(t, p)
	book.proveAll(t, p, n)
	t.Logf("%d kills, %d keys; of those not acknowledged %d were there, %d not", kills, n, book.found, book.absent)
}

// killWhileAdding adds keys, every other one a public key, until the process is killed in the midst of it.
func killWhileAdding(t *testing.T, p *process, book *ledger, theirs keyPair, round int) {
	t.Helper()
	var working sync.WaitGroup
	ctx := context.WithoutCancel(t.Context())
	before := book.size()
	for adder := range adders {
		working.Go(func() {
			for i := 0; ; i++ {
				k := &theirs
				if i%2 == 0 {
					k = nil
				}
				if err := book.add(ctx, t, p, addition(keyName(round, adder, i)), k, k == nil); err != nil {
					if !cut(err) {
						t.Errorf("a key was not added: %v", err)
					}
					return
				}
			}
		})
	}
	eventually(t, "keys are added", func() error {
		if n := book.size() - before; n < adders {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	time.Sleep(rand.N(10 * time.Millisecond)) // not always at the same point
	p.kill()
	working.Wait()
}
