package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// at is a clock that stands still.
func at() time.Time { return time.Unix(0, 0) }

// goTestRun is what go test wrote, and what is to be made of it.
type goTestRun struct {
	name  string
	args  []string
	lines []string
	code  int
	want  []string // in this order
	not   string
}

func runsOfTests() []goTestRun {
	return []goTestRun{
		{
			name: "passing tests are quiet",
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: []string{"ok  \tp\t0.1s\n", "\n1 passed, 0 failed, 0 skipped\n"},
			not:  "chatter",
		},
		{
			name: "a failing test is shown in full",
			lines: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: wrong\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			code: 1,
			want: []string{"a_test.go:3: wrong", "FAIL\tp", "\n0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a skipped test gives its reason",
			lines: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: no token here\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: []string{"skipped: p TestA: a_test.go:9: no token here\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "a skipped check outside go test counts",
			args: []string{"-skipped", "vulnerability check: not reachable"},
			lines: []string{
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
			},
			want: []string{"skipped: vulnerability check: not reachable\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
	}
}

func runsOfPackages() []goTestRun {
	return []goTestRun{
		{
			name: "a package without tests is neither",
			lines: []string{
				`{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}`,
				`{"Action":"skip","Package":"q"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
			},
			want: []string{"[no test files]", "\n1 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "a package that does not build fails",
			lines: []string{
				`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a.go:3:1: syntax error\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
				`{"Action":"pass","Package":"q","Test":"TestB"}`,
			},
			code: 1,
			want: []string{"syntax error", "[build failed]", "failed: p failed outside a test", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a package that dies shows what was running",
			lines: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: out of time\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			code: 1,
			want: []string{"panic: out of time", "FAIL\tp", "\n0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "coverage below its floor fails, at its floor it does not",
			args: []string{"-cover", "p,q,r", "-floor", "90"},
			lines: []string{
				`{"Action":"output","Package":"p","Output":"coverage: 90.0% of statements\n"}`,
				`{"Action":"output","Package":"q","Output":"ok  \tq\t0.1s\tcoverage: 89.9% of statements\n"}`,
				`{"Action":"output","Package":"r","Test":"TestC","Output":"coverage: 100.0% of statements\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
			},
			code: 1,
			want: []string{
				"coverage: p 90.0 %",
				"failed: coverage of q is 89.9 %, the floor is 90 %",
				"failed: no coverage was measured for r",
				"\n1 passed, 2 failed, 0 skipped\n",
			},
		},
		{
			name:  "a run without a test is no success",
			lines: []string{`go: no such package`},
			code:  1,
			want:  []string{"go: no such package\n", "no test passed\n", "\n0 passed, 0 failed, 0 skipped\n"},
		},
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(runsOfTests(), runsOfPackages()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			code := run(c.args, strings.NewReader(strings.Join(c.lines, "\n")+"\n"), &out, at)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			inOrder(t, out.String(), c.want)
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("%q does not belong in:\n%s", c.not, out.String())
			}
		})
	}
}

// inOrder wants every text, each after the one before, and the last at the very end.
func inOrder(t *testing.T, got string, want []string) {
	t.Helper()
	rest := got
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Errorf("missing or out of order: %q in:\n%s", w, got)
			return
		}
		rest = after
	}
	if rest != "" {
		t.Errorf("%q follows the closing line", rest)
	}
}
