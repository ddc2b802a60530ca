package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/probe"
)

// pipes is a listener in memory, so that time in the tests is virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// dial opens a connection; it waits until the server takes it.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// serve runs a door on l and gives what ends it and what Serve returned.
func serve(t *testing.T, h probe.Health, l net.Listener, log io.Writer) (stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- probe.New(config(h, log)).Serve(ctx, l) }()
	return cancel, result
}

// finish ends a door that has nothing left to answer.
func finish(t *testing.T, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, c net.Conn, path string) string {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status[:3] + " " + string(text)
}

func TestServeAnswersOverARealSocketUntilItIsEnded(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := serve(t, health{}, l, io.Discard)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := ask(t, c, "/livez"); got != "200 ok\n" {
		t.Errorf("got %q", got)
	}
	finish(t, stop, ended)
	if again, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
		again.Close()
		t.Error("the listener is still open")
	}
}

func TestAConnectionThatSaysNothingIsClosed(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			stop, ended := serve(t, health{}, l, io.Discard)
			c, start := l.dial(), time.Now()
			if said != "" {
				_, _ = io.WriteString(c, said)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d != 5*time.Second {
				t.Errorf("closed after %v", d)
			}
			finish(t, stop, ended)
		})
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop, ended := serve(t, health{}, l, io.Discard)
		c := l.dial()
		if got := ask(t, c, "/readyz"); got != "200 ok\n" {
			t.Errorf("got %q", got)
		}
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("closed after %v", d)
		}
		finish(t, stop, ended)
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop, ended := serve(t, health{}, l, io.Discard)
		var held []net.Conn
		for range 128 {
			held = append(held, l.dial())
		}
		synctest.Wait()
		client, server := net.Pipe()
		select {
		case l.conns <- server:
			t.Error("one more was accepted")
		default:
		}
		held[0].Close()
		synctest.Wait()
		l.conns <- server
		if got := ask(t, client, "/livez"); got != "200 ok\n" {
			t.Errorf("got %q", got)
		}
		client.Close()
		for _, c := range held {
			c.Close()
		}
		finish(t, stop, ended)
	})
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop, ended := serve(t, health{}, l, io.Discard)
		c := l.dial()
		go func() {
			_, _ = io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("hunter2", 4000))
		}()
		answer, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") || strings.Contains(string(answer), "hunter2") {
			t.Errorf("got %.80q", answer)
		}
		finish(t, stop, ended)
	})
}

// slow is a CPM whose liveness answer takes its time.
type slow struct {
	health
	begun chan struct{}
	takes time.Duration
}

func (s slow) Live() error {
	close(s.begun)
	time.Sleep(s.takes)
	return nil
}

func TestWhatHasBegunIsAnsweredAtShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		h := slow{begun: make(chan struct{}), takes: time.Second}
		stop, ended := serve(t, h, l, io.Discard)
		c, answer := l.dial(), make(chan string)
		go func() { answer <- ask(t, c, "/livez") }()
		<-h.begun
		stop()
		if got := <-answer; got != "200 ok\n" {
			t.Errorf("got %q", got)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatTakesTooLongIsCutOffAtShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newPipes()
		h := slow{begun: make(chan struct{}), takes: time.Minute}
		stop, ended := serve(t, h, l, &log)
		c := l.dial()
		go func() { _, _ = io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") }()
		<-h.begun
		start := time.Now()
		stop()
		if err := <-ended; err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if !strings.Contains(log.String(), "cut off") {
			t.Errorf("log: %s", log.String())
		}
		time.Sleep(time.Minute) // let the handler end: nothing can stop it
	})
}

func TestServeSaysWhyTheListenerFailed(t *testing.T) {
	t.Parallel()
	stop, ended := serve(t, health{}, broken{newPipes()}, io.Discard)
	defer stop()
	if err := <-ended; err == nil || err.Error() != "accept failed" {
		t.Errorf("got %v", err)
	}
}

type broken struct{ *pipes }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("accept failed") }

func TestServeThatIsEndedBeforeItBeginsClosesTheListener(t *testing.T) {
	t.Parallel()
	l := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := probe.New(config(health{}, io.Discard)).Serve(ctx, l); err != nil {
		t.Error(err)
	}
	<-l.done
}
