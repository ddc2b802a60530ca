package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

func managed(ts *testscript.TestScript, neg bool, _ []string) {
	if found := managedProcesses(ts); (len(found) == 0) != neg {
		ts.Fatalf("processes of managed adapters: %v", found)
	}
}

func killManaged(ts *testscript.TestScript, neg bool, args []string) {
	found := managedProcesses(ts)
	if neg || len(args) != 1 || len(found) != 1 {
		ts.Fatalf("usage: killmanaged SIGNAL; there are %v", found)
	}
	signal, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(syscall.Kill(found[0], syscall.Signal(signal)))
}

// managedProcesses finds the processes of managed adapters among the children of those in the background.
func managedProcesses(ts *testscript.TestScript) []int {
	parents := map[string]bool{}
	for _, c := range ts.BackgroundCmds() {
		parents[strconv.Itoa(c.Process.Pid)] = true
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	var found []int
	for _, dir := range processes {
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may have ended meanwhile
		status, _ := os.ReadFile(filepath.Join(dir, "status"))
		if !strings.HasPrefix(string(line), "cpm\x00adapter\x00ssm\x00--managed\x00") {
			continue
		}
		for row := range strings.Lines(string(status)) {
			if parent, ok := strings.CutPrefix(row, "PPid:"); ok && parents[strings.TrimSpace(parent)] {
				pid, err := strconv.Atoi(filepath.Base(dir))
				ts.Check(err)
				found = append(found, pid)
			}
		}
	}
	return found
}
