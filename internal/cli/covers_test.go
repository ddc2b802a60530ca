package cli

import (
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mojaloop/cpm/internal/spec"
)

// covers is the command with which a script declares the steps of the specification it has asserted. A script that fails
// does not get past its failure, and then nothing of the whole test is recorded.
func covers(t *testing.T) func(*testscript.TestScript, bool, []string) {
	var mu sync.Mutex
	var ids []string
	t.Cleanup(func() { // after all scripts, which run beside each other
		if len(ids) > 0 {
			spec.Covers(t, ids...)
		}
	})
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: covers ID...")
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, args...)
	}
}
