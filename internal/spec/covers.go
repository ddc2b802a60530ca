package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// ResultsVariable names the directory in which passing tests record what they cover. Without it nothing is recorded.
const ResultsVariable = "CPM_SPEC_RESULTS"

// Covers declares that this test asserts what the named steps ask for. Call it after the assertions. An id that is not in
// the list fails the test at once. What is recorded is recorded when the test ends and has passed.
func Covers(t testing.TB, ids ...string) {
	t.Helper()
	known := map[string]bool{}
	for _, s := range Steps() {
		known[s.ID] = true
	}
	for _, id := range ids {
		if !known[id] {
			t.Fatalf("spec: there is no step %q in internal/spec/steps.txt", id)
		}
	}
	if len(ids) == 0 {
		t.Fatal("spec: no step is named")
	}
	dir := os.Getenv(ResultsVariable)
	if dir == "" {
		return
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		if err := record(dir, testedPackage(), t.Name(), ids); err != nil {
			t.Errorf("spec: what this test covers could not be recorded: %v", err)
		}
	})
}

// record appends a line for each id: package, test and id, with tabs between. The file belongs to this process alone, and
// each call is one write, so that tests at the same time do not mix their lines.
func record(dir, pkg, test string, ids []string) error {
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(pkg, "/", "_"), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&lines, "%s\t%s\t%s\n", pkg, test, id)
	}
	_, err = f.WriteString(lines.String())
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// testedPackage is the package this test binary was built for, without the module's name.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return strings.TrimPrefix(strings.TrimSuffix(info.Path, ".test"), info.Main.Path+"/")
}
