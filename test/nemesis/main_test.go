// Package nemesis lets a CPM and its remote adapters run as processes of their own, sends requests at a steady rate through
// both ports, and does harm meanwhile: it kills and stops adapters, and cuts, stalls and swallows what is between them and the
// core. Every request and every answer is written down; a checker then holds the journal against cryptography and against
// the counters.
//
//	make test                     some hundred faults, a minute
//	CPM_LONG=1 go test ./test/nemesis   a thousand and more, a quarter of an hour
//	CPM_SEED=…                    the faults of another run
//	CPM_MEASURE=1                 the figures of docs/evidence/failover.txt and nemesis.txt
package nemesis

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test; TestMain sets it once, before any test.
var binary string

// TestMain builds the program as it is released, without the race detector.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cpm-nemesis")
	if err != nil {
		return broken(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "cpm")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", binary, "github.com/mojaloop/cpm/cmd/cpm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return broken(fmt.Errorf("%w\n%s", err, out))
	}
	return m.Run()
}

func broken(err error) int {
	fmt.Fprintln(os.Stderr, "the program cannot be built:", err)
	return 1
}
