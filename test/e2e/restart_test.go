package e2e

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// stock is how many keys a CPM is given, shared out among as many FSPs; half of the private ones are RSA.
type stock struct{ fsps, private, public int }

// stocked starts a CPM with keys. One key pair serves many names: what is measured is how many there are.
func stocked(t *testing.T, s stock) (*process, *ledger) {
	t.Helper()
	var d core.Document
	for i := range s.fsps {
		d.FSPs = append(d.FSPs, core.FSPEntry{Name: fspNumber(i)})
	}
	d.FSPs = append(d.FSPs, core.FSPEntry{Name: "payerfsp"})
	p := launch(t, install(t, cpmtest.Config{Document: d}))
	book := newLedger()
	heavy, light := []keyPair{newRSA(t), newRSA(t)}, newP256(t)
	for i := range s.private + s.public {
		k := light
		if i < s.private/2 {
			k = heavy[i%len(heavy)]
		}
		a := keys.Addition{FSP: cpm.FSP(fspNumber(i % s.fsps)), Name: keyName(i), Use: cpm.UseSignature}
		must(t, book.add(t.Context(), t, p, a, &k, i < s.private))
	}
	must(t, book.add(t.Context(), t, p, addition("jws"), &heavy[0], true)) // what the load signs with
	return p, book
}

func fspNumber(i int) string { return fmt.Sprintf("fsp%03d", i) }

// killUnderLoad kills the process while it has much to do, starts it again and sees that everything is there. It gives
// the new process.
func killUnderLoad(t *testing.T, p *process, book *ledger) *process {
	t.Helper()
	l := begin(t, p, crowd)
	eventually(t, "the load is under way", func() error {
		if n := l.answered.Load(); n < 3*crowd {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})
	l.ending.Store(true)
	p.kill()
	l.callers.Wait() // what the kill cut off is not counted
	p = launch(t, p.CPM)
	book.check(t, p)
	book.proveAll(t, p, 20)
	return p
}

// TestKillUnderLoad kills the process and starts it again: it is Active, has every key and serves.
func TestKillUnderLoad(t *testing.T) {
	p, book := stocked(t, stock{fsps: 10, private: 20, public: 80})
	for range 3 {
		p = killUnderLoad(t, p, book)
	}
}

// evidence is where the figures of TestMeasureRestart are kept.
const evidence = "../../docs/evidence/restart.txt"

// TestMeasureRestart measures how long a CPM with 10,000 keys takes from its start to Active after it was killed, and
// keeps the figures. It runs on request only.
func TestMeasureRestart(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	s := stock{fsps: 100, private: 1000, public: 9000}
	p, book := stocked(t, s)
	var out bytes.Buffer
	fmt.Fprintf(&out, "From the start of the process to Active, after kill -9 under load (%d callers).\n", crowd)
	fmt.Fprintf(&out, "%d keys of %d FSPs: %d private, half of them RSA-2048, the others P-256; %d public.\n\n", s.private+s.public, s.fsps, s.private, s.public)
	fmt.Fprintf(&out, "%s\n%s, %d processors, %s/%s, %s\n\n", time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	var totals []time.Duration
	for range 10 {
		p = killUnderLoad(t, p, book)
		totals = append(totals, p.became.Sub(p.began))
		fmt.Fprintf(&out, "%s\n", p.phases())
	}
	slices.Sort(totals)
	fmt.Fprintf(&out, "\nmedian %s, slowest %s\n", millis(totals[len(totals)/2]), millis(totals[len(totals)-1]))
	t.Logf("\n%s", &out)
	must(t, os.MkdirAll(strings.TrimSuffix(evidence, "/restart.txt"), 0o755))
	must(t, os.WriteFile(evidence, out.Bytes(), 0o644))
}

// phases tells where the time went, in the words of the log: each self-check, and the rest.
func (p *process) phases() string {
	total := p.became.Sub(p.began)
	text, rest := "total "+millis(total), total
	for _, e := range p.log.where(func(e event) bool { return strings.HasPrefix(e.Event, "selfcheck.") }) {
		d := time.Duration(e.DurationMs * float64(time.Millisecond))
		rest -= d
		text += fmt.Sprintf("  %s %s", strings.TrimPrefix(e.Event, "selfcheck."), millis(d))
	}
	return text + "  process and the rest " + millis(rest)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// processor is the model of the machine's.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(strings.TrimLeft(line, "\t :"))
}
