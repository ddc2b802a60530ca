package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// elsewhere is a listener whose callers come from another machine.
type elsewhere struct{ net.Listener }

type remote struct{ net.Conn }

func (remote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9} }

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return remote{c}, nil
}

func TestPlainConnectionsFromElsewhereAreClosed(t *testing.T) {
	t.Parallel()
	c := newCounts()
	d := New(Config{Processor: processor(echo), Metrics: c, Limits: Limits{Linger: time.Millisecond}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.ServeJSON(ctx, elsewhere{l}, nil) }()
	conn := reach(t, l.Addr().String())
	defer func() { _ = conn.Close() }()
	tell(t, conn, "%s", "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if got, _ := io.ReadAll(conn); bytes.Contains(got, []byte("HTTP/1.1 200")) {
		t.Errorf("%s", got)
	}
	waitFor(t, func() bool { return c.read(c.failed, JSON) == 1 })
	stop()
	if err := await(t, "the end of the port", ended); err != nil {
		t.Error(err)
	}
}

// failing is a listener that fails for a while and then for good.
type failing struct {
	net.Listener
	passing int
}

type passing struct{ error }

func (passing) Temporary() bool { return true }

var errBroken = errors.New("broken")

func (l *failing) Accept() (net.Conn, error) {
	if l.passing--; l.passing >= 0 {
		return nil, passing{errBroken}
	}
	return nil, errBroken
}

func TestABrokenListenerEndsItsPort(t *testing.T) {
	t.Parallel()
	d := New(Config{Processor: processor(echo)})
	for name, serve := range map[string]func(context.Context, net.Listener, *tls.Config) error{"JSON": d.ServeJSON, "gRPC": d.ServeGRPC} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f := &failing{l, 2}
		if err := serve(t.Context(), f, nil); !errors.Is(err, errBroken) || f.passing >= 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABareConnectionIsNoRefusal(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	knock := func(say []byte, reset bool) {
		t.Helper()
		c := reach(t, h.json)
		if _, err := c.Write(say); err != nil {
			t.Error(err)
		}
		if tcp, ok := c.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	knock(nil, false)
	knock(nil, true)
	// Who has said something and leaves was after something.
	knock([]byte{22, 3, 1}, false)
	waitFor(t, func() bool {
		return h.counts.read(h.counts.failed, JSON) > 0 && h.counts.read(h.counts.connections, JSON) == 0 &&
			strings.Contains(h.log.String(), "connection refused")
	})
	if n := h.counts.read(h.counts.failed, JSON); n != 1 || strings.Count(h.log.String(), "connection refused") != 1 {
		t.Errorf("%d failures\n%s", n, h.log)
	}
}

func TestADeclineWhileShuttingDownNamesTheCaller(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process, func(c *Config) { c.Limits.Linger = time.Second })
	accepted := h.signs(h.http())
	waitFor(t, func() bool { return p.started.Load() == 1 })
	drained := make(chan error, 1)
	go func() { drained <- h.Drain(t.Context()) }()
	waitFor(t, h.gate.declining.Load)
	if a := post(t, h.http(), h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign)); a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := h.log.String(); !strings.Contains(log, `"caller":"certificate:`) {
		t.Error(log)
	}
	close(p.free)
	if a := accepted(); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := await(t, "the end of the drain", drained); err != nil {
		t.Error(err)
	}
}
