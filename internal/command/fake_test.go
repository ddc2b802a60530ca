package command

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
)

// fake stands for a core where a test needs a fault, or a change that lasts as long as the test wants.
type fake struct {
	apply   func(ctx context.Context, p cpm.Principal, change core.Change) (core.Receipt, error)
	refresh func(ctx context.Context, p cpm.Principal, o core.RefreshOrder) (core.Receipt, error)
}

func (f fake) Apply(ctx context.Context, p cpm.Principal, change core.Change) (core.Receipt, error) {
	return f.apply(ctx, p, change)
}

func (f fake) Refresh(ctx context.Context, p cpm.Principal, o core.RefreshOrder) (core.Receipt, error) {
	return f.refresh(ctx, p, o)
}

func (f fake) Survey(context.Context) core.StatusView    { return core.StatusView{Name: "fake"} }
func (f fake) Adapters() []core.AdapterView              { return nil }
func (f fake) FSPs() []core.FSPView                      { return nil }
func (f fake) Keys(cpm.FSP, string, bool) []core.KeyView { return nil }
func (f fake) Uses(context.Context, cpm.FSP, string) ([]core.KeyUses, error) {
	return nil, nil
}
func (f fake) Routes() []core.RouteView                          { return nil }
func (f fake) Grants() []access.Grant                            { return nil }
func (f fake) Halt(context.Context, cpm.Principal, string) error { return nil }
func (f fake) Operators() (v core.OperatorsView)                 { return v }
func (f fake) Try(_ cpm.FSP, _ cpm.Operation) (t core.Trial)     { return t }

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// open is a Door that serves on a socket of its own.
type open struct {
	path  string
	log   *lines
	stop  context.CancelFunc
	ended chan error
}

// serve opens a Door to c. The test's end closes it.
func serve(t *testing.T, c Core, o Options) *open {
	t.Helper()
	log := &lines{}
	o.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, stop := context.WithCancel(t.Context())
	d := &open{path: socketPath(t), log: log, stop: stop, ended: make(chan error, 1)}
	l, err := Open(ctx, d.path)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.WaitGroup
	once.Go(func() { d.ended <- New(c, o).ServeOn(ctx, l) })
	t.Cleanup(func() {
		stop()
		once.Wait()
	})
	return d
}

func (d *open) client(t *testing.T) *Client {
	t.Helper()
	c := Dial(d.path)
	t.Cleanup(c.Close)
	return c
}

// dial connects without the Client, for what a Client would never send.
func (d *open) dial(t *testing.T) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// socketPath is short: a socket's path has at most about 100 bytes, and the names of tests are long.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}
