// Package spec is the specification as a list of steps, and the record of which test holds which step.
//
// A test that asserts what a step asks for, which is the answer, and where the step names them the log event and the counter,
// says so with [Covers]. When the tests run with CPM_SPEC_RESULTS set to a directory, the passing ones leave their names
// there, and docs/spec-conformance.md is made of the list and those names:
//
//	make conformance
//
// Only tests import this package. A test that may be skipped somewhere (another operating system, no database server) must
// not be the only one that declares a step: the document would then depend on the machine.
package spec

import (
	_ "embed"
	"fmt"
	"strings"
)

// Step is one thing the specification asks for.
type Step struct {
	ID       string // stable, such as CMD-1a-iv
	Section  string // the section's name
	Quote    string // its first words, or those that say most, as they stand in the specification
	Note     string // what this CPM does instead, or says besides; mostly empty
	Hardware bool   // belongs to the hardware security module adapter, and may not be built yet
}

//go:embed steps.txt
var list string

// Steps returns all steps in the specification's order.
func Steps() []Step {
	steps, err := parse(list)
	if err != nil {
		panic("spec: " + err.Error()) // the list is part of this package, and its test reads it
	}
	return steps
}

// parse reads the form that the head of steps.txt describes.
func parse(text string) ([]Step, error) {
	var steps []Step
	seen := map[string]bool{}
	section, hardware := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section, hardware = strings.CutSuffix(name, " (hardware)")
			continue
		}
		step, err := parseStep(line)
		if err != nil {
			return nil, err
		}
		if section == "" || seen[step.ID] {
			return nil, fmt.Errorf("%s has no section, or is there twice", step.ID)
		}
		seen[step.ID] = true
		step.Section, step.Hardware = section, hardware
		steps = append(steps, step)
	}
	return steps, nil
}

const longestQuote = 12 // words

func parseStep(line string) (Step, error) {
	parts := strings.Split(line, " | ")
	if len(parts) < 2 || len(parts) > 3 {
		return Step{}, fmt.Errorf("%q is not an id, a quote and perhaps a note", line)
	}
	s := Step{ID: strings.TrimSpace(parts[0]), Quote: strings.TrimSpace(parts[1])}
	if len(parts) == 3 {
		s.Note = strings.TrimSpace(parts[2])
	}
	if s.ID == "" || strings.ContainsAny(s.ID, " \t") || s.Quote == "" || len(strings.Fields(s.Quote)) > longestQuote {
		return Step{}, fmt.Errorf("%q needs an id of one word and a quote of 1 to %d words", line, longestQuote)
	}
	return s, nil
}
