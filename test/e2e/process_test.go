package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/server"
)

// patience bounds every wait for something that has to come.
const patience = time.Minute

// process is a CPM running as a process of its own.
type process struct {
	*cpmtest.CPM
	t      *testing.T
	cmd    *exec.Cmd
	log    *record
	stderr bytes.Buffer  // to be read after the end
	active chan struct{} // closed when the log says that it is Active
	ended  chan struct{}
	err    error // of the end
	// began is when the process was started, became when it said that it is Active.
	began, became time.Time
}

// launch starts the program on what was installed, with further variables, and waits until it is Active and can be
// administered.
func launch(t *testing.T, m *cpmtest.CPM, variables ...string) *process {
	t.Helper()
	return launchBuild(t, m, binary, variables...)
}

// launchBuild is launch with another build of the program.
func launchBuild(t *testing.T, m *cpmtest.CPM, binary string, variables ...string) *process {
	t.Helper()
	p := &process{CPM: m, t: t, log: &record{}, active: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, "server")
	p.cmd.Env = append(m.Environ(), variables...)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	p.cmd.Stderr = &p.stderr
	p.began = time.Now()
	must(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		p.listen(out)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	select {
	case <-p.active:
	case <-p.ended:
		t.Fatalf("the CPM did not start: %v\n%s%s", p.err, p.log.tail(), &p.stderr)
	case <-time.After(patience):
		t.Fatalf("the CPM is not Active\n%s", p.log.tail())
	}
	p.attach()
	return p
}

// listen keeps the log and notices the line that says Active.
func (p *process) listen(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		text, err := lines.ReadBytes('\n')
		if e := p.log.add(text); e.Event == "cpm.active" {
			p.became = time.Now()
			close(p.active)
		}
		if err != nil {
			return
		}
	}
}

// attach asks the process where it listens. The socket may open a moment after the CPM is Active.
func (p *process) attach() {
	p.t.Helper()
	var status struct{ http, grpc, probes string }
	eventually(p.t, "the socket answers", func() error {
		s, err := p.Admin.Status(p.t.Context())
		if err == nil && s.State != cpm.Active {
			err = fmt.Errorf("the CPM is %s", s.State)
		}
		status.http, status.grpc, status.probes = s.Listen.MojaloopHTTP, s.Listen.MojaloopGRPC, s.Listen.Probes
		return err
	})
	p.Attach(server.Addresses{HTTP: status.http, GRPC: status.grpc, Probes: status.probes, Socket: p.Config.Listen.Socket})
}

// terminate asks the process to end.
func (p *process) terminate() { must(p.t, p.cmd.Process.Signal(syscall.SIGTERM)) }

// kill ends the process at once, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// end waits until the process has ended by itself; it has to do so in order.
func (p *process) end() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("the process does not end\n%s", p.log.tail())
	}
	stopped := p.log.where(func(e event) bool { return e.Event == "cpm.stopped" })
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || len(stopped) != 1 {
		p.t.Errorf("the process ended with %d\n%s%s", code, p.log.tail(), &p.stderr)
	}
}

// memory is what the system tells of the memory of the process, in bytes: VmRSS is what it has, VmHWM the most it had.
func (p *process) memory(what string) int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	must(p.t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, what+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			must(p.t, err)
			return kib << 10
		}
	}
	p.t.Fatal("the system does not tell how much memory there was")
	return 0
}

// resetPeak makes VmHWM begin again.
func (p *process) resetPeak() {
	p.t.Helper()
	must(p.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0))
}

// record is the log of a process.
type record struct {
	mu     sync.Mutex
	all    bytes.Buffer
	events []event
}

// event is one line of the log.
type event struct {
	Time       time.Time `json:"time"`
	Level      string    `json:"level"`
	Msg        string    `json:"msg"`
	Event      string    `json:"event"`
	RequestID  string    `json:"requestId"`
	DurationMs float64   `json:"durationMs"`
	Found      string    `json:"found"`
}

func (r *record) add(line []byte) event {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Write(line)
	var e event
	if json.Unmarshal(line, &e) == nil {
		r.events = append(r.events, e)
	}
	return e
}

// tail is the end of the log, enough to see how it came to it.
func (r *record) tail() string {
	lines := strings.SplitAfter(r.text(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

// where lists the events a condition holds for.
func (r *record) where(wanted func(event) bool) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []event
	for _, e := range r.events {
		if wanted(e) {
			found = append(found, e)
		}
	}
	return found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually repeats try until it succeeds; it fails the test when that does not happen within patience.
func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not in time: %s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tls is a client's configuration with the certificate of a caller who may do everything.
func (p *process) tls() *tls.Config { return p.TLS(cpmtest.Client) }
