package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
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
	ended := make(chan error)
	go func() { ended <- d.ServeJSON(ctx, elsewhere{l}, nil) }()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	tell(t, conn, "%s", "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if got, _ := io.ReadAll(conn); bytes.Contains(got, []byte("HTTP/1.1 200")) {
		t.Errorf("%s", got)
	}
	waitFor(t, func() bool { return c.read(c.failed, JSON) == 1 })
	stop()
	if err := <-ended; err != nil {
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
