package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheListIsReadable(t *testing.T) {
	t.Parallel()
	steps := Steps()
	if len(steps) < 200 {
		t.Errorf("%d steps", len(steps))
	}
	hardware := 0
	for _, s := range steps {
		if s.Hardware {
			hardware++
		}
		if strings.HasPrefix(s.ID, "HSM-") != strings.Contains(s.Section, "Hardware Security Module Adapter") {
			t.Errorf("%s stands in %q", s.ID, s.Section)
		}
	}
	if hardware == 0 || hardware > len(steps)/4 {
		t.Errorf("%d of %d steps are excused as hardware", hardware, len(steps))
	}
}

func TestListsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"A-1 | no section",
		"== S\nA-1 | twice\nA-1 | twice",
		"== S\nA-1",
		"== S\nA-1 | a | b | c",
		"== S\nA 1 | an id of two words",
		"== S\n | no id",
		"== S\nA-1 | one two three four five six seven eight nine ten eleven twelve thirteen",
	} {
		if steps, err := parse(text); err == nil {
			t.Errorf("%q was read as %v", text, steps)
		}
	}
}

// spy stands for the test that calls Covers: it can be told to have failed, and keeps what was asked of it.
type spy struct {
	testing.TB

	failed, skipped bool
	fatal           bool
	cleanups        []func()
}

func (s *spy) Helper()               {}
func (s *spy) Name() string          { return "TestSpy/row" }
func (s *spy) Failed() bool          { return s.failed }
func (s *spy) Skipped() bool         { return s.skipped }
func (s *spy) Cleanup(f func())      { s.cleanups = append(s.cleanups, f) }
func (s *spy) Errorf(string, ...any) { s.failed = true }

// A real Fatal ends the goroutine; here a panic does, so that nothing after it runs.
func (s *spy) Fatalf(string, ...any) { s.fatal = true; panic(s) }
func (s *spy) Fatal(...any)          { s.fatal = true; panic(s) }

// declare runs Covers as the test s would, to its end.
func declare(s *spy, ids ...string) {
	defer func() {
		if r := recover(); r != nil && r != any(s) {
			panic(r)
		}
	}()
	Covers(s, ids...)
	for _, f := range s.cleanups {
		f()
	}
}

func TestOnlyPassingTestsAreRecorded(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(ResultsVariable, dir)
	declare(&spy{}, "MSG-1", "CMD-1a-iv")
	declare(&spy{}, "MSG-1")
	declare(&spy{failed: true}, "MSG-2")
	declare(&spy{skipped: true}, "MSG-3")
	got, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Results{"MSG-1": {"internal/spec TestSpy"}, "CMD-1a-iv": {"internal/spec TestSpy"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestUnknownStepsFailAtOnce(t *testing.T) {
	t.Setenv(ResultsVariable, "")
	for _, ids := range [][]string{{"MSG-0"}, {"MSG-1", "msg-2"}, {}} {
		s := &spy{}
		if declare(s, ids...); !s.fatal || len(s.cleanups) != 0 {
			t.Errorf("%v was accepted", ids)
		}
	}
	s := &spy{}
	if declare(s, "MSG-1"); s.fatal || len(s.cleanups) != 0 {
		t.Error("without a directory there is nothing to record")
	}
}

func TestARecordThatCannotBeWrittenFailsTheTest(t *testing.T) {
	t.Setenv(ResultsVariable, filepath.Join(t.TempDir(), "missing"))
	s := &spy{}
	if declare(s, "MSG-1"); !s.failed {
		t.Error("the test passed although nothing was recorded")
	}
}

func TestResultsThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "torn"), []byte("internal/core\tTest"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadResults(dir); err == nil {
		t.Error("half a line was read")
	}
	if _, err := ReadResults(filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that is not there was read")
	}
}

func TestTheDocumentSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	steps := []Step{
		{ID: "A-1", Section: "A", Quote: "first"},
		{ID: "A-2", Section: "A", Quote: "second", Note: "Otherwise."},
		{ID: "B-1", Section: "B", Quote: "third", Hardware: true},
		{ID: "B-2", Section: "B", Quote: "fourth", Hardware: true},
	}
	results := Results{"A-1": {"internal/core TestA", "test/e2e TestB"}, "B-2": {"internal/store TestC"}}
	_, got, _ := strings.Cut(Document(steps, results), "stands in\n[spec-traps.md](spec-traps.md).\n\n")
	want := `4 steps: 2 covered, 1 of hardware not built yet, 1 not covered.

## A

| step | the specification | tests |
|---|---|---|
| A-1 | “first” | ` + "`internal/core TestA`, `test/e2e TestB`" + ` |
| A-2 | “second” *Otherwise.* | **NOT COVERED** |

## B

| step | the specification | tests |
|---|---|---|
| B-1 | “third” | not built yet |
| B-2 | “fourth” | ` + "`internal/store TestC`" + ` |
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A-2"}, Uncovered(steps, results)); diff != "" {
		t.Errorf("uncovered (-want +got):\n%s", diff)
	}
}
