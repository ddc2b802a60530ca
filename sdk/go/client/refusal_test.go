package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/sdk/go/client"
)

// refuse ends a stream as a CPM does that has no room.
func refuse(t *testing.T, detailed bool, trailer metadata.MD) func(serverStream) error {
	return func(s serverStream) error {
		s.SetTrailer(trailer)
		out := status.New(codes.ResourceExhausted, "too many bytes")
		if detailed {
			m := fault.New(fault.Busy, "too many bytes").After(40 * time.Millisecond).Message("r-2")
			with, err := out.WithDetails(protoadapt.MessageV1Of(m))
			if err != nil {
				t.Error(err)
			}
			out = with
		}
		return out.Err()
	}
}

// TestARefusedStreamsCallsAreBusy: they are sent again after the time the CPM says, and those that may not be done twice only if it
// says that it has begun with nothing else.
func TestARefusedStreamsCallsAreBusy(t *testing.T) {
	t.Parallel()
	pushed, all := metadata.Pairs("grpc-retry-pushback-ms", "40"), metadata.Pairs("cpm-answered", "all")
	cases := map[string]struct {
		end  func(serverStream) error
		once client.Kind
	}{
		"details":               {refuse(t, true, nil), client.OutcomeUnknown},
		"pushback":              {refuse(t, false, pushed), client.OutcomeUnknown},
		"everything answered":   {refuse(t, true, all), client.Busy},
		"answered and pushback": {refuse(t, false, metadata.Join(pushed, all)), client.Busy},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var last time.Time
			c, p := converse(t, func(s serverStream, _ *cpmv1.StreamRequest) error {
				mu.Lock()
				defer mu.Unlock()
				if gap := time.Since(last); !last.IsZero() && gap < 40*time.Millisecond {
					t.Error("asked again after", gap)
				}
				last = time.Now()
				return test.end(s)
			}, func(c *client.Config) { c.Attempts = 2 })
			_, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{})
			var e *client.Error
			if !errors.As(err, &e) || e.Kind != client.Busy || e.Code != "2005" || e.RetryAfter != 40*time.Millisecond {
				t.Errorf("%#v", err)
			}
			mu.Lock()
			last = time.Time{}
			mu.Unlock()
			if _, err := c.MessageProtect(t.Context(), "f", &cpmv1.MessageProtectRequest{}); client.KindOf(err) != test.once {
				t.Error(err)
			}
			want := 4
			if test.once == client.OutcomeUnknown {
				want = 3
			}
			if got := p.requests(t); got != want {
				t.Errorf("%d requests, want %d", got, want)
			}
		})
	}
}

// TestAnExhaustedStreamThatIsNotRefusedIsLost: gRPC uses the same code for what is too long.
func TestAnExhaustedStreamThatIsNotRefusedIsLost(t *testing.T) {
	t.Parallel()
	c, _ := converse(t, func(s serverStream, _ *cpmv1.StreamRequest) error { return refuse(t, false, nil)(s) })
	if _, err := c.MessageProtect(t.Context(), "f", &cpmv1.MessageProtectRequest{}); client.KindOf(err) != client.OutcomeUnknown {
		t.Error(err)
	}
	if _, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{}); client.KindOf(err) != client.Unavailable {
		t.Error(err)
	}
}

// TestWhatACPMHasNotBegunIsSentAgain: a CPM that shuts down, or ends a stream for any other reason, may say that it has answered all
// it has begun. Then even what may not be done twice is sent again, as often as there are attempts.
func TestWhatACPMHasNotBegunIsSentAgain(t *testing.T) {
	t.Parallel()
	all := metadata.Pairs("cpm-answered", "all")
	said := func(k fault.Kind) error {
		out := status.New(k.Code().GRPC, "ended")
		with, err := out.WithDetails(protoadapt.MessageV1Of(fault.New(k, "ended").Message("r-3")))
		if err != nil {
			t.Error(err)
		}
		return with.Err()
	}
	cases := map[string]struct {
		end      error
		trailer  metadata.MD
		often    int // the stream ends so
		kind     client.Kind
		requests int
	}{
		"shutting down":            {said(fault.Unavailable), all, 1, "", 2},
		"too slow":                 {said(fault.Timeout), all, 1, "", 2},
		"in too many pieces":       {said(fault.Invalid), all, 1, "", 2},
		"again and again":          {said(fault.Unavailable), all, 100, client.Unavailable, 4},
		"not all answered":         {said(fault.Unavailable), nil, 1, client.OutcomeUnknown, 1},
		"not said by a CPM itself": {status.Error(codes.Internal, "an answer cannot be read"), all, 1, client.OutcomeUnknown, 1},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			c, p := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
				if int(asked.Add(1)) > test.often {
					return empty(s, r)
				}
				s.SetTrailer(test.trailer)
				return test.end
			})
			if _, err := c.MessageProtect(t.Context(), "f", &cpmv1.MessageProtectRequest{}); client.KindOf(err) != test.kind {
				t.Error(err)
			}
			if got := p.requests(t); got != test.requests {
				t.Errorf("%d requests, want %d", got, test.requests)
			}
		})
	}
}

// TestTheCallsOfARefusedStreamDoNotComeBackAllAtOnce: the CPM says the same time to all of them.
func TestTheCallsOfARefusedStreamDoNotComeBackAllAtOnce(t *testing.T) {
	t.Parallel()
	const calls, advice = 100, time.Second
	for name, inBand := range map[string]bool{"refused": false, "declined": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var asked int
				var refused time.Time
				var after []time.Duration
				l := bufconn.Listen(1 << 20)
				c, _ := converseAt(t, l, func(s serverStream, r *cpmv1.StreamRequest) error {
					mu.Lock()
					defer mu.Unlock()
					if asked++; asked > calls {
						after = append(after, time.Since(refused))
						return empty(s, r)
					}
					refused = time.Now()
					e := fault.New(fault.Busy, "too much").After(advice)
					if inBand {
						return s.Send(decline(r.GetId(), e))
					}
					if asked < calls {
						return nil
					}
					with, err := status.New(codes.ResourceExhausted, "too much").WithDetails(protoadapt.MessageV1Of(e.Message("r-4")))
					if err != nil {
						t.Error(err)
					}
					return with.Err()
				}, func(c *client.Config) {
					c.Addresses, c.BatchParallel = []string{"cpm.test:7801"}, calls
					c.Dial = func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }
				})
				request := &cpmv1.ProcessRequest{Fsp: "f", Operation: &cpmv1.ProcessRequest_Random{Random: &cpmv1.RandomRequest{}}}
				if got := kinds(c.Batch(t.Context(), repeat(request, calls))); got["ok"] != calls {
					t.Error(got)
				}
				mu.Lock()
				defer mu.Unlock()
				first, last := slices.Min(after), slices.Max(after)
				if first < advice || last > 2*advice || last-first < advice/4 {
					t.Errorf("they came back after %v to %v", first, last)
				}
			})
		})
	}
}

// TestALogTellsABusyCPMFromOneThatIsNotThere: whoever reads that there is no connection looks for the wrong thing.
func TestALogTellsABusyCPMFromOneThatIsNotThere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(serverStream) error
		says string
	}{
		"busy": {refuse(t, true, nil), "the CPM was busy"},
		"gone": {func(serverStream) error { return status.Error(codes.Unavailable, "gone") }, "no connection to the CPM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := make(chan string, 100)
			c, _ := converse(t, func(s serverStream, _ *cpmv1.StreamRequest) error { return test.end(s) }, func(c *client.Config) {
				c.Attempts, c.Logger = 1, slog.New(slog.NewTextHandler(writer(lines), nil))
			})
			if _, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{}); err == nil {
				t.Error("answered")
			}
			if line := <-lines; !strings.Contains(line, test.says) {
				t.Error(line)
			}
		})
	}
}

// writer has what is written.
type writer chan string

func (w writer) Write(b []byte) (int, error) {
	select {
	case w <- string(b):
	default: // nobody wants to know any more
	}
	return len(b), nil
}

// TestAStreamThatTheClientEndsHasNoTrailer: gRPC may be writing it then. The race detector sees who reads it all the same.
func TestAStreamThatTheClientEndsHasNoTrailer(t *testing.T) {
	t.Parallel()
	c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		// The trailer comes while this is decoded.
		long := &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Random{Random: &cpmv1.RandomResponse{Random: make([]byte, 1<<20)}}}
		if err := s.Send(&cpmv1.StreamResponse{Id: r.GetId() + 1000, Response: long}); err != nil {
			return err
		}
		return refuse(t, false, metadata.Pairs("cpm-answered", "all", "grpc-retry-pushback-ms", "40"))(s)
	}, func(c *client.Config) { c.Attempts = 1 })
	for range 10 {
		if _, err := c.MessageProtect(t.Context(), "f", &cpmv1.MessageProtectRequest{}); client.KindOf(err) != client.OutcomeUnknown {
			t.Fatal(err)
		}
	}
}
