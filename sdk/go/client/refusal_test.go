package client_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
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
