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

func TestAConnectionIsReadOnTheBeatWhileItIsDeclined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pace{tempo: newTempo(), price: priceOf(GRPC)}
		time.Sleep(300 * time.Microsecond)
		if d := waits(&p, 1)[0]; d != 0 {
			t.Errorf("waited %v before anything was declined", d)
		}
		p.declined()
		want := []time.Duration{1700 * time.Microsecond, 2 * time.Millisecond, 2 * time.Millisecond}
		if got := waits(&p, 3); !slices.Equal(got, want) {
			t.Errorf("waited %v, not %v", got, want)
		}
		time.Sleep(busyFor)
		if d := waits(&p, 1)[0]; d != 0 {
			t.Errorf("waited %v after the last decline was long ago", d)
		}
	})
}

// What is declined must be paid for with time in which nothing is read, one after another.
func TestDeclinesHaveAPrice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		processors       time.Duration
		others, declines int
		want             time.Duration
	}{
		"a few cost nothing more":         {1, 0, 19, beat},
		"many take beats":                 {1, 0, 100, 5 * beat},
		"more processors pay for more":    {4, 0, 100, 2 * beat},
		"those of others are paid before": {1, 80, 20, 5 * beat},
		"there is an end to it":           {1, 0, 1 << 20, longest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				all := newTempo()
				all.processors = c.processors
				for range c.others {
					(&pace{tempo: all, price: priceOf(GRPC)}).declined()
				}
				p := pace{tempo: all, price: priceOf(GRPC)}
				for range c.declines {
					p.declined()
				}
				// A connection that owes until a beat is read on the next.
				if got := waits(&p, 1)[0]; got < c.want || got > c.want+beat {
					t.Errorf("waited %v, not %v", got, c.want)
				}
				if got := waits(&p, 1)[0]; got > beat {
					t.Errorf("waited %v though it was paid", got)
				}
			})
		})
	}
}

// A connection none of whose requests was declined pays nothing, and debts do not outlive those who made them.
func TestOnlyThoseThatAreDeclinedPay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newTempo()
		storm, other := pace{tempo: all, price: priceOf(JSON)}, pace{tempo: all, price: priceOf(GRPC)}
		for range 1 << 20 {
			storm.declined()
		}
		if got := waits(&other, 1)[0]; got != 0 {
			t.Errorf("waited %v for nothing", got)
		}
		time.Sleep(longest)
		other.declined()
		if got := waits(&other, 1)[0]; got > beat {
			t.Errorf("waited %v after the storm", got)
		}
	})
}

func TestNothingWaitsForAConnectionThatIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pace{tempo: newTempo(), price: priceOf(GRPC)}
		for range 1 << 20 {
			p.declined()
		}
		closed := make(chan struct{})
		time.AfterFunc(time.Millisecond, func() { close(closed) })
		began := time.Now()
		p.wait(closed)
		if d := time.Since(began); d != time.Millisecond {
			t.Errorf("waited %v", d)
		}
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
				c, err := grpc.NewClient(socket.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				ask(t, cpmv1.NewCryptographicServiceClient(c), fsp)
				n.open.Range(func(key, _ any) bool {
					if p, ok := key.(*place); ok && !slow[p.RemoteAddr().String()] && p.pace.slow.Load() > 0 {
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

// Over HTTP the next request of a connection is not read before the beat, and the answer does not wait for it.
func TestAnHTTPConnectionThatIsDeclinedIsSlow(t *testing.T) {
	t.Parallel()
	arrivals := make(chan time.Time, 20)
	d := New(Config{Processor: processor(func(context.Context, *cpm.Request) (*cpm.Result, error) {
		arrivals <- time.Now()
		return nil, admission.Decline(admission.QueueWait, 0, "the adapter is busy")
	})})
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := d.listen(t.Context(), JSON, socket, nil, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	s := d.jsonServer(t.Context(), d.Handler(LoopbackPrincipal))
	go func() { _ = s.Serve(n) }()
	c, err := net.Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = c.Close(), s.Close(), n.Close() })
	requests := cap(arrivals)
	for range 1 << 20 {
		d.tempo.charge(time.Since(d.tempo.born), priceOf(JSON)) // a storm of others, so that the first is to be paid for long
	}
	text := fmt.Sprintf("POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(sign), sign)
	if _, err := c.Write([]byte(strings.Repeat(text, requests))); err != nil { // all before any answer
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for i := range requests {
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, a.Body)
		if err := errors.Join(err, a.Body.Close()); err != nil || a.StatusCode != http.StatusTooManyRequests {
			t.Fatal(a.Status, err)
		}
		if i == 0 && len(arrivals) > 1 {
			t.Error("the first answer waited for the beat")
		}
	}
	first, last := <-arrivals, time.Time{}
	for range requests - 1 {
		last = <-arrivals
	}
	if took := last.Sub(first); took < time.Duration(requests-2)*beat {
		t.Errorf("%d requests were read within %v", requests, took)
	}
}

func requestOf(fsp string) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Content: &cpmv1.JwsSignRequest_Body{Body: "{}"},
	}}}
}
