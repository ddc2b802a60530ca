package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// pipes is a listener on loopback whose connections are in memory, so that their time is that of the test.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return here() }

func here() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return here() }

// full is an Admission that has no room for anybody, and remembers when it said so.
type full struct {
	mu    sync.Mutex
	asked []time.Time
}

func (f *full) Admit(context.Context, cpm.Principal) (*admission.Place, *fault.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, time.Now())
	return nil, admission.Decline(admission.CallerRate, 0, "the caller has used up its rate")
}

func (f *full) Again(ctx context.Context, p cpm.Principal, _ *admission.Place) *fault.Error {
	_, e := f.Admit(ctx, p)
	return e
}

func (*full) Beside(cpm.Principal) (*admission.Place, bool) { return nil, false }

func (f *full) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// busyDoor is a door of the time of a test, over HTTP, that declines everything before it reads a body.
type busyDoor struct {
	*Door
	t      *testing.T
	full   full
	counts *counts
	log    logged
	pipes  *pipes
}

func newBusyDoor(t *testing.T) *busyDoor {
	b := &busyDoor{t: t, counts: newCounts(), pipes: &pipes{connections: make(chan net.Conn), closed: make(chan struct{})}}
	b.Door = New(Config{
		Processor: processor(echo), Admission: &b.full, Metrics: b.counts, Logger: slog.New(slog.NewJSONHandler(&b.log, nil)),
		Limits: Limits{ReadTimeout: time.Second, Linger: time.Millisecond},
	})
	b.tempo.processors = 1
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.ServeJSON(ctx, b.pipes, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

// connect opens a connection.
func (b *busyDoor) connect() net.Conn {
	client, server := net.Pipe()
	b.t.Cleanup(func() { _ = client.Close() })
	b.pipes.connections <- local{server}
	synctest.Wait()
	return client
}

// runUpDebts leaves the callers of the door as many declines to pay for as there can be.
func (b *busyDoor) runUpDebts() {
	b.tempo.charge(admission.Caller{}, time.Since(b.tempo.born), longest)
}

// say writes beside the test, as pipes are read when there is time.
func say(c net.Conn, text string) {
	go func() { _, _ = io.WriteString(c, text) }()
}

// signing is a request, with so much of its body.
func signing(header string, sent int) string {
	return fmt.Sprintf("POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		header, len(sign), sign[:sent])
}

// What nobody has read of a request must not let the next one in before declines are paid for.
func TestABodyThatIsNotReadDoesNotEndThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusyDoor(t)
		c := b.connect()
		b.runUpDebts()
		say(c, signing("", len(sign)))
		in := bufio.NewReader(c)
		if status := next(t, in); status != http.StatusTooManyRequests {
			t.Fatal(status)
		}
		time.Sleep(5 * b.limits.ReadTimeout)
		if now, so := b.counts.pauses(JSON); now != 1 || so != 0 {
			t.Errorf("%d connections are paused, others were for %v", now, so)
		}
		say(c, signing("", len(sign)))
		if status := next(t, in); status != http.StatusTooManyRequests {
			t.Fatal(status)
		}
		asked := b.full.times()
		if d := asked[1].Sub(asked[0]); d < longest || d > longest+beat {
			t.Errorf("the next request was read after %v", d)
		}
		if _, so := b.counts.pauses(JSON); so < longest || so > longest+beat {
			t.Errorf("%v of pauses are counted", so)
		}
	})
}

// Nobody keeps a connection by not sending what it has announced: it ends with the time that a request may take, or with the pause.
func TestABodyThatNeverComesIsNotWaitedForAfterThePause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		end     func(*Limits) time.Duration
	}{
		"half of it came":          {signing("", len(sign)/2), func(l *Limits) time.Duration { return l.ReadTimeout }},
		"it waits to be asked for": {signing("Expect: 100-continue\r\n", 0), func(*Limits) time.Duration { return longest + beat }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBusyDoor(t)
				socket := b.connect()
				b.runUpDebts()
				began := time.Now()
				say(socket, c.request)
				in := bufio.NewReader(socket)
				if status := next(t, in); status != http.StatusTooManyRequests {
					t.Fatal(status)
				}
				if _, err := in.ReadByte(); err != io.EOF {
					t.Error(err)
				}
				if d := time.Since(began); d > c.end(&b.limits) {
					t.Errorf("closed after %v", d)
				}
			})
		})
	}
}

// Only what is longer than the beat is told of, and for as long as it was.
func TestPausesAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declines int
		closed   time.Duration
		want     time.Duration
	}{
		"nothing declined":    {0, 0, 0},
		"on the beat":         {1, 0, 0},
		"paid for":            {100, 0, 6 * beat},
		"closed in between":   {100, 3 * beat, 3 * beat},
		"for as long as ever": {1 << 20, 0, longest + beat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				counts := newCounts()
				all := newTempo(counts)
				all.processors = 1
				p := all.of("a")
				p.port = GRPC
				p.decline(c.declines)
				done := make(chan struct{})
				if c.closed > 0 {
					time.AfterFunc(c.closed, func() { close(done) })
				}
				go p.wait(done)
				synctest.Wait()
				if now, _ := counts.pauses(GRPC); now != min(1, int(c.want)) {
					t.Errorf("%d connections are paused", now)
				}
				time.Sleep(2 * longest)
				if now, so := counts.pauses(GRPC); now != 0 || so != c.want {
					t.Errorf("%d connections are paused after %v, not %v", now, so, c.want)
				}
			})
		})
	}
}

// New connections of a caller in debt are counted on the port they came to, until that closes.
func TestPausesAreThoseOfTheirPort(t *testing.T) {
	t.Parallel()
	for port, serve := range map[Port]func(*Door, context.Context, net.Listener, *tls.Config) error{
		JSON: (*Door).ServeJSON, GRPC: (*Door).ServeGRPC,
	} {
		t.Run(string(port), func(t *testing.T) {
			t.Parallel()
			counts := newCounts()
			d := New(Config{Processor: processor(echo), Metrics: counts, Limits: Limits{Linger: time.Millisecond}})
			d.tempo.charge(admission.Caller{}, time.Since(d.tempo.born), longest*d.tempo.processors)
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- serve(d, t.Context(), socket, nil) }()
			c := reach(t, socket.Addr().String())
			waitFor(t, func() bool { now, _ := counts.pauses(port); return now == 1 })
			if err := d.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			waitFor(t, func() bool { now, so := counts.pauses(port); return now == 0 && so > 0 })
			if err := errors.Join(c.Close(), await(t, "the end of the port", served)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The log says once a second who is kept waiting for long, and nothing of what nobody notices.
func TestALongPauseIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusyDoor(t)
		var all []net.Conn
		for range 5 {
			all = append(all, b.connect())
		}
		ask := func(c net.Conn) {
			say(c, signing("", len(sign)))
			if status := next(t, bufio.NewReader(c)); status != http.StatusTooManyRequests {
				t.Fatal(status)
			}
		}
		ask(all[0])
		b.runUpDebts()
		for _, c := range all[1:4] {
			ask(c)
		}
		time.Sleep(time.Second)
		ask(all[4])
		type line struct {
			Event, Level, Port, Caller, Address string
			DurationMs                          float64
			Skipped                             int
		}
		var got []line
		for text := range bytes.Lines([]byte(b.log.String())) {
			var l line
			if err := json.Unmarshal(text, &l); err != nil {
				t.Fatal(err)
			}
			if l.Event == "port.paused" {
				got = append(got, l)
			}
		}
		want := []line{
			{"port.paused", "WARN", "json", "loopback:dev", here().String(), 10_000, 0},
			{"port.paused", "WARN", "json", "loopback:dev", here().String(), 9_000.3, 2},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s\n%s", diff, strings.TrimSpace(b.log.String()))
		}
	})
}
