package api

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// link is the caller's end of a connection. It brings so many bytes in a second, any number when that is 0, and none at all when
// it is negative.
type link struct {
	net.Conn
	rate *atomic.Int64
}

func (l link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	switch rate := l.rate.Load(); {
	case rate > 0:
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	case rate < 0:
		time.Sleep(time.Hour)
	}
	return n, err
}

// linked opens the ports and connects a caller over a link, with flow control windows of so many bytes. The link brings any number of them
// until its rate is set. All this is in a bubble with a time of its own, where the system's sockets may not be waited for, nor a mutex,
// as answers do that follow each other on a stream.
func linked(t *testing.T, window int32, p processor, change ...func(*Config)) (*house, cpmv1.CryptographicServiceClient, *atomic.Int64) {
	t.Helper()
	port, l := bufconn.Listen(64<<10), link{rate: new(atomic.Int64)}
	h := openAt(t, bufconn.Listen(1), port, p, change...)
	c := h.with(h.ca.client(t, "switch.example"))
	c.ServerName = "127.0.0.1"
	conn, err := grpc.NewClient("passthrough:///door", grpc.WithTransportCredentials(credentials.NewTLS(c)),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (_ net.Conn, err error) {
			l.Conn, err = port.DialContext(ctx)
			return l, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		time.Sleep(2 * time.Hour) // so that the link has brought its last
	})
	rpc := cpmv1.NewCryptographicServiceClient(conn)
	if _, err := rpc.Process(t.Context(), signProcess()); err != nil {
		t.Fatal(err)
	}
	return h, rpc, l.rate
}

// slowly asks for so many answers of 128 KiB, each in a call of its own, which come at the rate. It returns when all are on their way;
// errors has what becomes of each.
func slowly(t *testing.T, rate int64, window int32, asks int) (h *house, errors chan error) {
	t.Helper()
	h, rpc, link := linked(t, window, echo)
	link.Store(rate)
	large := signProcess()
	large.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("x", 128<<10)}
	errors = make(chan error, asks)
	for range asks {
		go func() {
			_, err := rpc.Process(t.Context(), large)
			errors <- err
		}()
	}
	for began := time.Now(); h.counts.outcomes()["ok"] != asks+1; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			failed := "none has failed"
			for range len(errors) {
				if err := <-errors; err != nil {
					failed = err.Error()
				}
			}
			t.Fatalf("of %d calls, after %v: %v; %s", asks+1, patience, h.counts.outcomes(), failed)
		}
	}
	return h, errors
}

// TestADrainLastsWhileCallersReadInLeaps: a window is given back by the quarter, which on slow links takes seconds.
func TestADrainLastsWhileCallersReadInLeaps(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rate   int64
		window int32
		asks   int
	}{
		"12 KiB/s, 64 KiB": {12 << 10, 64 << 10, 2},
		"20 KiB/s, 64 KiB": {20 << 10, 64 << 10, 3},
		"30 KiB/s, 64 KiB": {30 << 10, 64 << 10, 5},
		"400 KiB/s, 4 MiB": {400 << 10, 4 << 20, 80},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, errors := slowly(t, test.rate, test.window, test.asks)
				if err := h.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				for n := range test.asks {
					if err := <-errors; err != nil {
						t.Errorf("after %d answers of %d: %v", n, test.asks, err)
					}
				}
				h.served.Wait()
			})
		})
	}
}

func TestDrainDoesNotWaitForAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := slowly(t, -1, 64<<10, 5)
		began := time.Now()
		if err := h.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		h.served.Wait()
		// TLS gives itself another five seconds to say that it closes, when nothing is being written and there is no room for more.
		if took := time.Since(began); took > quietTime+7*time.Second {
			t.Error("it waited for", took)
		}
	})
}

// TestADrainEndsWithItsTimeAlsoForThoseWhoRead: that is the deadline it was given. Drain's context itself has ended by then.
func TestADrainEndsWithItsTimeAlsoForThoseWhoRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := slowly(t, 20<<10, 64<<10, 30)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		if err := h.Drain(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		h.served.Wait()
		if took := time.Since(began); took < 11*time.Second || took > 14*time.Second {
			t.Error("it took", took)
		}
	})
}
