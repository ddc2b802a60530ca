package adapter

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// TestMain lets the tests of Managed run this very program as the process of an adapter, as a core does.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "cpm" {
		os.Exit(asProcess(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// fakeSession stands for the TLS session of a link in memory.
type fakeSession string

func (s fakeSession) ExportKeyingMaterial(label string, _ []byte, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(s), nil, label, n)
}

// pipe is one end of a stream in memory. It has no buffer: a side that does not read stalls the other at once.
type pipe[F any] struct {
	ctx context.Context
	in  <-chan F
	out chan<- F
}

func newPipe[F any](ctx context.Context) (near, far *pipe[F]) {
	a, b := make(chan F), make(chan F)
	return &pipe[F]{ctx, a, b}, &pipe[F]{ctx, b, a}
}

func (p *pipe[F]) Context() context.Context { return p.ctx }

func (p *pipe[F]) Send(f F) error {
	select {
	case p.out <- f:
		return nil
	case <-p.ctx.Done():
		return io.EOF
	}
}

func (p *pipe[F]) Recv() (f F, err error) {
	select {
	case f = <-p.in:
		return f, nil
	case <-p.ctx.Done():
		return f, errors.New("the stream is over")
	}
}

// inMemory joins clients with a server without a network.
type inMemory struct {
	server *Server

	mu    sync.Mutex
	links int
	cut   context.CancelFunc
}

func (m *inMemory) open(ctx context.Context) (*wires, error) {
	ctx, cut := context.WithCancel(ctx)
	m.mu.Lock()
	m.links++
	key := strconv.Itoa(m.links)
	m.cut = cut
	m.mu.Unlock()
	near, far := newPipe[*cpmv1.ControlFrame](ctx)
	go func() {
		defer cut()
		_ = m.server.control(key, fakeSession(key), far)
	}()
	return &wires{
		control: near,
		work: func() (workStream, error) {
			near, far := newPipe[*cpmv1.WorkFrame](ctx)
			go func() {
				defer cut()
				_ = m.server.work(key, far)
			}()
			return near, nil
		},
		session: func() (exporter, error) { return fakeSession(key), nil },
		close:   func() error { cut(); return nil },
	}, nil
}

func (m *inMemory) cutNow() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut()
}

var quiet = slog.New(slog.DiscardHandler)

// module does what a test says.
type module struct {
	do    func(context.Context, *cpm.Request) (*cpm.Result, error)
	ended func()
}

func (m module) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) { return m.do(ctx, r) }

func (m module) Status(context.Context) (cpm.Status, error) {
	return cpm.Status{State: cpm.Active, Counts: map[cpm.Operation]cpm.Outcomes{cpm.JWSSign: {Success: 1}, "made.up": {}}}, nil
}

func (m module) Shutdown(context.Context) error {
	if m.ended != nil {
		m.ended()
	}
	return nil
}

// echo answers what it was asked.
func echo(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
	return &cpm.Result{Payload: cpm.Payload{Encoded: append([]byte("re:"), r.Payload.Encoded...)}}, nil
}

func serverOf(m module, change func(*ServerConfig)) *Server {
	c := ServerConfig{
		Name: "ssm1", Allowed: []string{"core.cpm"}, Logger: quiet, Now: time.Now,
		New: func([]cpm.Operation, []byte) (cpm.Module, error) { return m, nil },
	}
	if change != nil {
		change(&c)
	}
	return NewServer(c)
}

// join starts a Client on the server in memory and waits for the link.
func join(t *testing.T, s *Server) (*Client, *inMemory) {
	t.Helper()
	m := &inMemory{server: s}
	c := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet, Operations: []cpm.Operation{cpm.JWSSign}}, m.open)
	if err := c.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, m
}

func request(text string) *cpm.Request {
	return &cpm.Request{ID: text, FSP: "payerfsp", Operation: cpm.JWSSign, Payload: cpm.Payload{Encoded: []byte(text)}}
}

// kind checks the kind of a decline.
func kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// within is a context whose end fails nothing by itself; it only keeps a broken test from hanging.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func newWorkPipe(ctx context.Context) (near, far workStream) { return newPipe[*cpmv1.WorkFrame](ctx) }
