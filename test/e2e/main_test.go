// Package e2e tests the program cpm as others meet it: a process of its own, reached through its ports, its socket and
// the signals of the operating system.
package e2e

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

// TestMain builds the program as it is released: static, and without the race detector, whose memory would be counted.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cpm-e2e")
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
