package nemesis

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/server"
)

// patience bounds every wait for something that has to come.
const patience = time.Minute

// timer is that of the routes, unless a test says otherwise: how long a request that went to a silent adapter may wait.
const timer = 400 * time.Millisecond

// child is a process of the program.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu   sync.Mutex
	tail []string
}

// launch starts the program and waits until its log has the event.
func launch(t testing.TB, event string, env []string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	c.cmd.Env = append(c.cmd.Env, env...)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.cmd.Stderr = os.Stderr
	must(t, c.cmd.Start())
	seen := make(chan struct{})
	go func() {
		defer close(c.ended)
		c.listen(out, event, seen)
		_ = c.cmd.Wait() // it was told to end, or killed
	}()
	select {
	case <-seen:
	case <-c.ended:
		t.Fatalf("%v ended at once\n%s", args, c.log())
	case <-time.After(patience):
		t.Fatalf("%v did not become Active\n%s", args, c.log())
	}
	return c
}

// listen keeps the end of the log and tells when the event has come.
func (c *child) listen(out io.Reader, event string, seen chan<- struct{}) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		c.mu.Lock()
		c.tail = append(c.tail[max(0, len(c.tail)-30):], lines.Text())
		c.mu.Unlock()
		if event != "" && strings.Contains(lines.Text(), `"event":"`+event+`"`) {
			close(seen)
			event = ""
		}
	}
}

func (c *child) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tail, "\n")
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// kill ends the process at once, also when it is stopped, and waits until it is gone.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// endpoint is one place of the adapter: a process, and the proxy through which the core reaches it.
type endpoint struct {
	proxy   *proxy
	child   *child
	address string
}

// world is a CPM with one adapter at two endpoints.
type world struct {
	*cpmtest.CPM
	t       *testing.T
	parties *parties
	core    *child
	places  []*endpoint
	// at is where the core listens; a new core listens elsewhere.
	at atomic.Pointer[server.Addresses]
	// dawdler is an endpoint that shuffles its answers and gives many of them late. It holds what it answered late.
	dawdler string
	late    atomic.Int64
}

const adapterName = "ssm2"

// newWorld starts everything; n is how many endpoints there are, of which none is a managed adapter, timeout the timer of the
// routes.
func newWorld(t *testing.T, n int, timeout time.Duration) *world {
	t.Helper()
	w := &world{t: t, parties: newParties(t)}
	var addresses []string
	for range n {
		e := &endpoint{address: cpmtest.Reserve(t)}
		e.proxy = newProxy(t, e.address)
		w.places, addresses = append(w.places, e), append(addresses, e.proxy.address())
	}
	w.CPM = cpmtest.Install(t, cpmtest.Config{Document: document(addresses, timeout)})
	leaf, err := w.Authority.Issue(time.Now(), "ssm", "ssm.example")
	must(t, err)
	must(t, leaf.Write(w.Dir, "ssm"))
	for _, e := range w.places {
		w.startAdapter(e)
	}
	w.startDawdler()
	w.startCore()
	for _, p := range []party{w.parties.payer, w.parties.payee} {
		w.AddKey(keys.Addition{FSP: cpm.FSP(p.name), Name: "jws", Use: cpm.UseSignature}, p.pem(t))
	}
	t.Cleanup(func() {
		w.core.kill()
		for _, e := range w.places {
			e.child.kill()
		}
	})
	return w
}

// document has one adapter, external at the addresses, or managed without any.
func document(addresses []string, timeout time.Duration) core.Document {
	a := core.AdapterEntry{
		Name: adapterName, Kind: "ssm", Launch: "external", Identity: "ssm.example", Endpoints: addresses,
		Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify},
	}
	if len(addresses) == 0 {
		a.Launch, a.Identity = "managed", ""
	}
	return core.Document{
		Adapters: []core.AdapterEntry{a},
		Routes:   []core.RouteEntry{{FSP: "*", Operation: "*", Adapter: adapterName, Timeout: core.Duration(timeout)}},
	}
}

func (w *world) startAdapter(e *endpoint) {
	w.t.Helper()
	e.child = launch(w.t, "adapter.active", nil, "adapter", "ssm", "--name", adapterName, "--listen", e.address, "--core", "localhost",
		"--cert", filepath.Join(w.Dir, "ssm.pem"), "--key", filepath.Join(w.Dir, "ssm.key"), "--ca", filepath.Join(w.Dir, "ca.pem"))
}

// startCore starts the core, waits until it serves, and learns where it listens.
func (w *world) startCore() {
	w.t.Helper()
	w.core = launch(w.t, "cpm.active", w.Environ(), "server")
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s, err := w.Admin.Status(w.t.Context())
		if err == nil && s.State == cpm.Active {
			w.at.Store(&server.Addresses{HTTP: s.Listen.MojaloopHTTP, GRPC: s.Listen.MojaloopGRPC, Probes: s.Listen.Probes})
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the core cannot be asked: %v\n%s", err, w.core.log())
		}
	}
}

// up waits until every endpoint has its link.
func (w *world) up() {
	w.t.Helper()
	w.linked(len(w.places))
}

// linked waits until so many endpoints have their links, as the core sees it.
func (w *world) linked(want int) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n := 0
		s, err := w.Admin.Status(w.t.Context())
		if err == nil {
			for _, e := range s.Adapters[0].Endpoints {
				if e.Up {
					n++
				}
			}
		}
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			text, _ := json.Marshal(s)
			w.t.Fatalf("%d endpoints are up, %d are wanted: %v %s\n%s", n, want, err, text, w.core.log())
		}
	}
}
