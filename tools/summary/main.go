// Command summary reads the output of `go test -json` on standard input and writes what a person
// wants to know: one line for each package, the full output of what failed, each skipped test with
// its reason, the coverage that was asked for, and last, alone on its line,
//
//	N passed, N failed, N skipped
//
// Every test and subtest that reported counts once. A package that failed without a failing test
// (it did not build, panicked outside a test, ran out of time) counts as one failure, and so does a
// package below its coverage floor. The exit code is 0 only when nothing failed and something
// passed.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, time.Now))
}

// run is main with its surroundings as parameters. It returns the exit code.
func run(args []string, in io.Reader, out io.Writer, now func() time.Time) int {
	flags := flag.NewFlagSet("summary", flag.ContinueOnError)
	flags.SetOutput(out)
	cover := flags.String("cover", "", "comma-separated import paths whose coverage has a floor")
	floor := flags.Float64("floor", 90, "the floor, in percent of statements")
	var skipped list
	flags.Var(&skipped, "skipped", "a check outside go test that was skipped, with its reason (repeatable)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	start := now()
	r := newReport()
	r.outside = skipped
	if err := r.read(bufio.NewReader(in), out); err != nil {
		r.failures = append(r.failures, fmt.Sprintf("the test output could not be read: %v", err))
	}
	if *cover != "" {
		r.judgeCoverage(strings.Split(*cover, ","), *floor)
	}
	return r.close(out, now().Sub(start))
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, "; ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
