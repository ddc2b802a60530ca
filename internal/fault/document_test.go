package fault

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rows of docs/errors.md are those of the table, in its order.
func TestTheDocumentHasTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Kinds of decline\n")
	if !found {
		t.Fatal("the document has no section about kinds")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []Code
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		documented = append(documented, documentedCode(t, line))
	}
	if diff := cmp.Diff(table[:], documented); diff != "" {
		t.Errorf("table and document differ (-table +document):\n%s", diff)
	}
}

// documentedCode reads one row. Of its eight cells the last two are words for people, and must be there.
func documentedCode(t *testing.T, line string) Code {
	t.Helper()
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
	if len(cells) != 8 {
		t.Fatalf("%d cells in %q", len(cells), line)
	}
	for i := range cells {
		if cells[i] = strings.TrimSpace(cells[i]); cells[i] == "" {
			t.Errorf("cell %d is empty in %q", i, line)
		}
	}
	name := strings.Trim(cells[0], "`")
	status, err := strconv.Atoi(cells[1])
	if err != nil {
		t.Error(err)
	}
	exit, err := strconv.Atoi(cells[5])
	if err != nil {
		t.Error(err)
	}
	c := Code{Name: name, HTTP: status, FSPIOP: cells[2], Title: cells[3], Exit: exit}
	if kind, known := KindNamed(name); known && kind.Code().GRPC.String() == cells[4] {
		c.GRPC = kind.Code().GRPC // codes are numbers; the document has their names
	}
	return c
}
