package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Results maps the id of a step to the tests that cover it, each as package and name, sorted and without repetition.
type Results map[string][]string

// ReadResults reads what the tests of one run have recorded in a directory. Subtests are counted to their test, so that a
// table with a new row changes nothing in the document.
func ReadResults(dir string) (Results, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := Results{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(cells) != 3 {
				return nil, fmt.Errorf("%s: %q is not package, test and id", file.Name(), line)
			}
			test, _, _ := strings.Cut(cells[1], "/")
			all[cells[2]] = append(all[cells[2]], cells[0]+" "+test)
		}
	}
	for id, tests := range all {
		slices.Sort(tests)
		all[id] = slices.Compact(tests)
	}
	return all, nil
}

// Uncovered lists the steps that no test covers, those of the hardware adapter left out.
func Uncovered(steps []Step, results Results) []string {
	var ids []string
	for _, s := range steps {
		if !s.Hardware && len(results[s.ID]) == 0 {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

const documentHead = `<!-- Generated from internal/spec/steps.txt and the tests that passed, by make conformance. Do not edit. -->
# Conformance to the specification

Every numbered step of the *Cryptographic Processing Module, Low Level Technical Specification* (version 0.1, draft), and every
sentence of it that says must, shall or will, with the tests that hold it. A test is here because it passed, after it had
declared the step with ` + "`spec.Covers`" + ` (` + "`internal/spec`" + `). Why some steps are not taken word for word stands in
[spec-traps.md](spec-traps.md).

`

// Document writes docs/spec-conformance.md.
func Document(steps []Step, results Results) string {
	var b strings.Builder
	b.WriteString(documentHead)
	b.WriteString(summary(steps, results))
	section := ""
	for _, s := range steps {
		if s.Section != section {
			section = s.Section
			fmt.Fprintf(&b, "\n## %s\n\n| step | the specification | tests |\n|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.ID, quoted(s), tests(s, results[s.ID]))
	}
	return b.String()
}

func summary(steps []Step, results Results) string {
	covered, hardware := 0, 0
	for _, s := range steps {
		switch {
		case len(results[s.ID]) > 0:
			covered++
		case s.Hardware:
			hardware++
		}
	}
	return fmt.Sprintf("%d steps: %d covered, %d of hardware not built yet, %d not covered.\n",
		len(steps), covered, hardware, len(Uncovered(steps, results)))
}

func quoted(s Step) string {
	if s.Note == "" {
		return "“" + s.Quote + "”"
	}
	return "“" + s.Quote + "” *" + s.Note + "*"
}

func tests(s Step, names []string) string {
	switch {
	case len(names) > 0:
		return "`" + strings.Join(names, "`, `") + "`"
	case s.Hardware:
		return "not built yet"
	default:
		return "**NOT COVERED**"
	}
}
