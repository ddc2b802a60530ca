package fspiop

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/errors.md explains every reason, and no other word.
func TestTheDocumentHasEveryReason(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Reasons\n")
	if !found {
		t.Fatal("the document has no section about reasons")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []Reason
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("a reason has a word, a meaning and what to do next, not %q", line)
		}
		documented = append(documented, Reason(strings.Trim(strings.TrimSpace(cells[0]), "`")))
	}
	want := Reasons()
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("reasons and document differ (-reasons +document):\n%s", diff)
	}
}
