package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is one line of `go test -json`, as `go doc test2json` and `go help buildjson` describe it.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// test names one test, or with an empty test the package itself.
type test struct{ pkg, name string }

// report gathers what the events said.
type report struct {
	passed, failed, skipped int

	output   map[test]*strings.Builder // of what has not ended yet
	build    map[string]*strings.Builder
	broken   map[string]bool // packages with a test that failed
	coverage map[string]float64
	skips    []string // of tests, with their reasons
	outside  []string // checks skipped outside go test, with their reasons
	failures []string // what counts as failed and is no test
	notes    []string // coverage at or above its floor
}

func newReport() *report {
	return &report{
		output:   map[test]*strings.Builder{},
		build:    map[string]*strings.Builder{},
		broken:   map[string]bool{},
		coverage: map[string]float64{},
	}
}

// read consumes the stream and writes to out as packages end, so that a long run shows its progress.
func (r *report) read(in *bufio.Reader, out io.Writer) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				r.take(e, out)
			} else {
				fmt.Fprintf(out, "%s\n", strings.TrimRight(string(line), "\r\n"))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event, out io.Writer) {
	switch e.Action {
	case "output":
		text(r.output, test{e.Package, e.Test}).WriteString(e.Output)
		r.noteCoverage(e)
	case "build-output":
		text(r.build, e.ImportPath).WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, out)
		} else {
			r.endTest(e, out)
		}
	}
}

func text[K comparable](m map[K]*strings.Builder, k K) *strings.Builder {
	if m[k] == nil {
		m[k] = &strings.Builder{}
	}
	return m[k]
}

func (r *report) endTest(e event, out io.Writer) {
	id := test{e.Package, e.Test}
	said := text(r.output, id).String()
	delete(r.output, id)
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(said)))
	case "fail":
		r.failed++
		r.broken[e.Package] = true
		fmt.Fprint(out, ended(said))
	}
}

// framing is what the testing package writes around what a test says.
var framing = regexp.MustCompile(`(?m)^\s*(=== (RUN|PAUSE|CONT|NAME)\s.*|--- SKIP: .*)\n?`)

// reason is what a skipped test said, on one line.
func reason(said string) string {
	said = strings.Join(strings.Fields(framing.ReplaceAllString(said, "")), " ")
	if said == "" {
		return "no reason given"
	}
	return said
}

func (r *report) endPackage(e event, out io.Writer) {
	said := text(r.output, test{e.Package, ""}).String()
	switch {
	case e.Action != "fail":
		fmt.Fprint(out, ended(lastLine(said)))
	case e.FailedBuild != "":
		fmt.Fprint(out, ended(text(r.build, e.FailedBuild).String()))
		fallthrough
	default:
		r.unfinished(e.Package, out)
		fmt.Fprint(out, ended(said))
		if !r.broken[e.Package] {
			r.failures = append(r.failures, e.Package+" failed outside a test")
		}
	}
	for id := range r.output {
		if id.pkg == e.Package {
			delete(r.output, id)
		}
	}
}

// unfinished writes what the tests said that were running when their package died.
func (r *report) unfinished(pkg string, out io.Writer) {
	var names []string
	for id := range r.output {
		if id.pkg == pkg && id.name != "" {
			names = append(names, id.name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprint(out, ended(r.output[test{pkg, name}].String()))
	}
}

// ended makes sure that text which is not empty ends its line.
func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// lastLine is the line that `go test` closes a package with.
func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

var covered = regexp.MustCompile(`coverage: ([0-9.]+)% of statements`)

func (r *report) noteCoverage(e event) {
	if e.Test != "" {
		return
	}
	if m := covered.FindStringSubmatch(e.Output); m != nil {
		if percent, err := strconv.ParseFloat(m[1], 64); err == nil {
			r.coverage[e.Package] = percent
		}
	}
}

// judgeCoverage fails what is below the floor or was not measured.
func (r *report) judgeCoverage(packages []string, floor float64) {
	for _, pkg := range packages {
		percent, ok := r.coverage[pkg]
		switch {
		case !ok:
			r.failures = append(r.failures, "no coverage was measured for "+pkg)
		case percent < floor:
			r.failures = append(r.failures, fmt.Sprintf("coverage of %s is %.1f %%, the floor is %.0f %%", pkg, percent, floor))
		default:
			r.notes = append(r.notes, fmt.Sprintf("%s %.1f %%", pkg, percent))
		}
	}
}

// close writes the end of the summary and returns the exit code.
func (r *report) close(out io.Writer, took time.Duration) int {
	section(out, "coverage", r.notes)
	section(out, "skipped", slices.Concat(r.skips, r.outside))
	section(out, "failed", r.failures)
	if r.passed == 0 {
		fmt.Fprintln(out, "no test passed")
	}
	failed := r.failed + len(r.failures)
	fmt.Fprintf(out, "go test took %s\n", took.Round(time.Second))
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.passed, failed, r.skipped+len(r.outside))
	if failed > 0 || r.passed == 0 {
		return 1
	}
	return 0
}

func section(out io.Writer, title string, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(out, "%s: %s\n", title, l)
	}
}
