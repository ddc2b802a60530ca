package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

// waits are how long a connection waits before each of some readings.
func waits(p *pace, readings int) []time.Duration {
	var each []time.Duration
	for range readings {
		began := time.Now()
		p.wait(nil)
		each = append(each, time.Since(began))
	}
	return each
}

// of is the pace of a new connection of a caller.
func (t *tempo) of(name string) *pace {
	p := &pace{tempo: t}
	p.belongsTo(admission.Caller{Name: name})
	return p
}

// decline has so many requests declined.
func (p *pace) decline(n int) {
	for range n {
		p.declined(priceOf(GRPC), false)
	}
}

func TestAConnectionIsReadOnTheBeatWhileItIsDeclined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTempo(nobody{}).of("a")
		time.Sleep(300 * time.Microsecond)
		if d := waits(p, 1)[0]; d != 0 {
			t.Errorf("waited %v before anything was declined", d)
		}
		p.decline(1)
		want := []time.Duration{1700 * time.Microsecond, 2 * time.Millisecond, 2 * time.Millisecond}
		if got := waits(p, 3); !slices.Equal(got, want) {
			t.Errorf("waited %v, not %v", got, want)
		}
		time.Sleep(busyFor)
		if d := waits(p, 1)[0]; d != 0 {
			t.Errorf("waited %v after the last decline was long ago", d)
		}
	})
}

// What is declined must be paid for with time in which the caller's connections are not read.
func TestDeclinesHaveAPrice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		processors       time.Duration
		others, declines int
		want             time.Duration
	}{
		"a few cost nothing more":               {1, 0, 19, beat},
		"many take beats":                       {1, 0, 100, 5 * beat},
		"more processors pay for more":          {4, 0, 100, 2 * beat},
		"others in debt take turns":             {1, 4, 20, 5 * beat},
		"very many keep it away":                {1, 0, 20_000, 1000 * beat},
		"there is an end to it, but a late one": {1, 0, 1 << 20, longest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				all := newTempo(nobody{})
				all.processors = c.processors
				for i := range c.others {
					all.of(fmt.Sprint("other ", i)).decline(100)
				}
				p := all.of("a")
				p.decline(c.declines)
				// A connection that owes until a beat is read on the next, and on each while it is slow.
				got := waits(p, 2)
				if got[0] < c.want || got[0] > c.want+beat {
					t.Errorf("waited %v, not %v", got[0], c.want)
				}
				if got[1] != beat {
					t.Errorf("waited %v when all was paid", got[1])
				}
			})
		})
	}
}

// A hub asks for all its FSPs over the same connections.
func TestOneFSPsLimitDoesNotSlowTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tempo := newTempo(nobody{})
		tempo.processors = 1
		p := tempo.of("hub")
		for range 1000 { // 500 in a second
			p.declined(priceOf(GRPC), true)
			if d := p.pause(); d != 0 {
				t.Fatalf("the connection is not read for %v", d)
			}
			time.Sleep(2 * time.Millisecond)
		}
		for range 100 { // all at once
			p.declined(priceOf(GRPC), true)
		}
		if d := p.pause(); d < 100*priceOf(GRPC) {
			t.Errorf("100 declines cost %v", d)
		}
	})
}

// A storm of one caller costs others next to nothing, and is not left behind with the connection.
func TestDebtsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newTempo(nobody{})
		all.of("storm").decline(1 << 20)
		other := all.of("other")
		if got := waits(other, 1)[0]; got != 0 {
			t.Errorf("waited %v for nothing", got)
		}
		other.decline(1)
		if got := waits(other, 1)[0]; got > beat {
			t.Errorf("waited %v for one decline", got)
		}
		if got := waits(all.of("storm"), 1)[0]; got < longest/2 {
			t.Errorf("a new connection waited %v", got)
		}
		time.Sleep(longest)
		other.decline(1)
		if len(all.paid) != 1 {
			t.Errorf("%d are in debt", len(all.paid))
		}
	})
}

func TestNothingWaitsForAConnectionThatIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, begin := range map[string]func(*tempo) (<-chan struct{}, func()){
			"closed": func(*tempo) (<-chan struct{}, func()) { c := make(chan struct{}); return c, func() { close(c) } },
			"over":   func(all *tempo) (<-chan struct{}, func()) { return nil, all.end },
		} {
			all := newTempo(nobody{})
			p := all.of("a")
			p.decline(1 << 20)
			closed, end := begin(all)
			time.AfterFunc(time.Millisecond, end)
			began := time.Now()
			p.wait(closed)
			if d := time.Since(began); d != time.Millisecond {
				t.Errorf("%s: waited %v", name, d)
			}
		}
	})
}

// What is read ahead is there at once; what is not waits for the beat.
func TestAPlaceIsReadAtItsPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		all := newTempo(nobody{})
		all.processors = 1
		p := &place{Conn: here, closed: make(chan struct{}), leave: func(*place) {}, ahead: bufio.NewReader(here), pace: pace{tempo: all}}
		p.pace.decline(100)
		go func() { _, _ = there.Write([]byte("ab")) }()
		began := time.Now()
		for _, want := range []time.Duration{6 * beat, 6 * beat} {
			if _, err := p.Read(make([]byte, 1)); err != nil || time.Since(began) != want {
				t.Errorf("%v after %v, not %v", err, time.Since(began), want)
			}
		}
		p.pace.decline(1 << 20)
		time.AfterFunc(beat, func() { _ = p.Close() })
		if _, err := p.Read(make([]byte, 1)); err == nil || time.Since(began) != 7*beat {
			t.Errorf("%v after %v of a closed one", err, time.Since(began))
		}
		_ = there.Close()
	})
}

// Only the connection that asks for too much is slow, whichever way it asks.
func TestOnlyTheConnectionThatIsDeclinedIsSlow(t *testing.T) {
	t.Parallel()
	busy := func(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "loud" {
			return nil, admission.Decline(admission.QueueWait, 0, "the adapter is busy")
		}
		return echo(t.Context(), r)
	}
	for name, ask := range map[string]func(*testing.T, cpmv1.CryptographicServiceClient, string){
		"one at a time": func(t *testing.T, c cpmv1.CryptographicServiceClient, fsp string) {
			_, _ = c.Process(t.Context(), requestOf(fsp))
		},
		"a batch": func(t *testing.T, c cpmv1.CryptographicServiceClient, fsp string) {
			if _, err := c.Batch(t.Context(), &cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{requestOf(fsp)}}); err != nil {
				t.Fatal(err)
			}
		},
		"a stream": func(t *testing.T, c cpmv1.CryptographicServiceClient, fsp string) {
			s, err := c.Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(&cpmv1.StreamRequest{Id: 1, Request: requestOf(fsp)}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := New(Config{Processor: processor(busy)})
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			n, err := d.listen(t.Context(), GRPC, socket, nil, "h2")
			if err != nil {
				t.Fatal(err)
			}
			s := d.grpcServer(t.Context())
			go func() { _ = s.Serve(n) }()
			t.Cleanup(func() { s.Stop(); n.end() })
			slow := map[string]bool{}
			for _, fsp := range []string{"loud", "modest"} {
				c, err := grpc.NewClient(socket.Addr().String(), append(impatient(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				ask(t, cpmv1.NewCryptographicServiceClient(c), fsp)
				n.open.Range(func(key, _ any) bool {
					if p, ok := key.(*place); ok && !slow[p.RemoteAddr().String()] && p.pace.paid.Load() > 0 {
						slow[p.RemoteAddr().String()] = true
					}
					return true
				})
			}
			if len(slow) != 1 {
				t.Errorf("%d of two connections are slow", len(slow))
			}
		})
	}
}

// httpDoor is a door on loopback whose operations are all declined as busy, a connection to it, and when requests arrived.
func httpDoor(t *testing.T) (*Door, net.Conn, <-chan time.Time) {
	arrivals := make(chan time.Time, 64)
	d := New(Config{Processor: processor(func(context.Context, *cpm.Request) (*cpm.Result, error) {
		arrivals <- time.Now()
		return nil, admission.Decline(admission.QueueWait, 0, "the adapter is busy")
	})})
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { served <- d.ServeJSON(ctx, socket, nil) }()
	c := reach(t, socket.Addr().String())
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		if err := await(t, "the end of the port", served); err != nil {
			t.Error(err)
		}
	})
	return d, c, arrivals
}

// pipeline sends n requests at once.
func pipeline(t *testing.T, c net.Conn, n int) {
	t.Helper()
	text := fmt.Sprintf("POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(sign), sign)
	if _, err := c.Write([]byte(strings.Repeat(text, n))); err != nil {
		t.Fatal(err)
	}
}

// next reads an answer.
func next(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	a, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, a.Body)
	if err := errors.Join(err, a.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return a.StatusCode
}

// Over HTTP the next request of a connection is not read before the beat.
func TestAnHTTPConnectionThatIsDeclinedIsSlow(t *testing.T) {
	t.Parallel()
	_, c, arrivals := httpDoor(t)
	const requests = 20
	pipeline(t, c, requests)
	in := bufio.NewReader(c)
	for range requests {
		if status := next(t, in); status != http.StatusTooManyRequests {
			t.Fatal(status)
		}
	}
	first, last := await(t, "the first request", arrivals), time.Time{}
	for range requests - 1 {
		last = await(t, "another request", arrivals)
	}
	if took := last.Sub(first); took < (requests-2)*beat {
		t.Errorf("%d requests were read within %v", requests, took)
	}
}

// The answer does not wait, however long the connection will; and when the port is closed, what waits is declined.
func TestAnAnswerDoesNotWaitForThePause(t *testing.T) {
	t.Parallel()
	d, c, arrivals := httpDoor(t)
	d.tempo.charge(admission.Caller{}, time.Since(d.tempo.born), time.Hour)
	pipeline(t, c, 2)
	in := bufio.NewReader(c)
	if status := next(t, in); status != http.StatusTooManyRequests || len(arrivals) != 1 {
		t.Fatalf("%d, %d read", status, len(arrivals))
	}
	d.limits.Linger = longest / 2 // the pause is longer; this one ends when the answer is heard
	heard, hear := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- d.Drain(heard) }()
	if status := next(t, in); status != http.StatusServiceUnavailable {
		t.Errorf("%d when the port closes", status)
	}
	hear()
	if err := await(t, "the end of the drain", drained); err != nil {
		t.Error(err)
	}
}

func requestOf(fsp string) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Content: &cpmv1.JwsSignRequest_Body{Body: "{}"},
	}}}
}
