package config

import (
	"fmt"
	"strings"

	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of a report: nobody reads more, and a file of nothing but mistakes shall not make a log of them.
const (
	maxProblems = 100
	maxName     = 80
)

// problem is one thing wrong with the configuration. It holds no value from the file: a value may be a password in the
// wrong place.
type problem struct {
	path  string // a key, or a variable's name
	wrong string // what is wrong
	write string // what to write
}

func (p problem) String() string { return p.path + ": " + p.wrong + ": " + p.write }

// report makes one error of all problems, a line each; nil when there are none.
func report(all []problem) error {
	if len(all) == 0 {
		return nil
	}
	var lines []string
	for _, p := range all[:min(len(all), maxProblems)] {
		lines = append(lines, p.String())
	}
	if more := len(all) - maxProblems; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: correct these first", more))
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "\n"))
}

// at adds where the value was written, if it was.
func (p problem) at(where origins) problem {
	if place := where[p.path]; place != "" {
		p.wrong += " (" + place + ")"
	}
	return p
}

// plainName makes a name from the file or the environment fit for one line of a report.
func plainName(s string) string {
	if len(s) <= maxName && s != "" && !strings.ContainsFunc(s, notPlain) {
		return s
	}
	return fmt.Sprintf("%+q", s[:min(len(s), maxName)])
}

func notPlain(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("._-", r)
}
