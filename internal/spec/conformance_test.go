package spec

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	update  = flag.Bool("update", false, "write docs/spec-conformance.md from the directory -results")
	results = flag.String("results", "", "the directory in which a whole run of the tests has recorded what it covers")
)

const (
	documentFile = "../../docs/spec-conformance.md"
	ratchetFile  = "testdata/uncovered"
)

// The document in the repository is the one that a whole run makes, and the steps nobody covers only become fewer. Without
// the results of a run, as in a plain go test, the document must still list the steps there are.
func TestConformance(t *testing.T) {
	t.Parallel()
	committed := read(t, documentFile)
	if *results == "" {
		sameSteps(t, committed)
		return
	}
	got, err := ReadResults(*results)
	if err != nil {
		t.Fatal(err)
	}
	missing := Uncovered(Steps(), got)
	next, problem := ratchet(read(t, ratchetFile), len(missing), *update)
	if problem != "" {
		t.Fatalf("%s: %s", problem, strings.Join(missing, " "))
	}
	write(t, ratchetFile, next)
	document := Document(Steps(), got)
	write(t, documentFile, document)
	if diff := cmp.Diff(document, committed); diff != "" && !*update {
		t.Errorf("docs/spec-conformance.md is not what this run makes; after a run without failures, write it with make conformance (-run +committed):\n%s", diff)
	}
	t.Logf("%d steps are not covered", len(missing))
}

// ratchet compares the number of uncovered steps with the committed one, and returns the number to commit.
func ratchet(committed string, now int, update bool) (next, problem string) {
	limit, err := strconv.Atoi(strings.TrimSpace(committed))
	switch {
	case err != nil:
		return "", fmt.Sprintf("%s holds no number", ratchetFile)
	case now > limit:
		return "", fmt.Sprintf("%d steps are not covered, %d are allowed and it may only become fewer", now, limit)
	case now < limit && !update:
		return "", fmt.Sprintf("%d steps are not covered, but %s still allows %d: run make conformance", now, ratchetFile, limit)
	}
	return fmt.Sprintf("%d\n", now), ""
}

func TestTheRatchetTurnsOneWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		committed string
		now       int
		update    bool
		next      string
	}{
		{"5\n", 5, false, "5\n"},
		{"5\n", 4, true, "4\n"},
		{"5\n", 4, false, ""},
		{"5\n", 6, false, ""},
		{"5\n", 6, true, ""},
		{"0\n", 0, false, "0\n"},
		{"", 0, true, ""},
	} {
		next, problem := ratchet(c.committed, c.now, c.update)
		if next != c.next || (problem == "") != (c.next != "") {
			t.Errorf("%q, now %d, update %t: %q, %q", c.committed, c.now, c.update, next, problem)
		}
	}
}

// sameSteps compares what does not depend on the tests: the rows' ids and quotes, in order.
func sameSteps(t *testing.T, committed string) {
	t.Helper()
	if diff := cmp.Diff(rows(Document(Steps(), nil)), rows(committed)); diff != "" {
		t.Errorf("docs/spec-conformance.md lists other steps than internal/spec/steps.txt, run make conformance (-list +document):\n%s", diff)
	}
}

// rows cuts the column of the tests from each row.
func rows(document string) (all []string) {
	for line := range strings.Lines(document) {
		cells := strings.Split(line, " | ")
		if strings.HasPrefix(line, "| ") && len(cells) == 3 {
			all = append(all, cells[0]+" | "+cells[1])
		}
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil && !*update {
		t.Fatal(err)
	}
	return string(text)
}

// write replaces a file when -update asks for it.
func write(t *testing.T, name, text string) {
	t.Helper()
	if !*update {
		return
	}
	if err := os.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
