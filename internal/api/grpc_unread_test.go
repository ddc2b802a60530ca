package api

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
)

// deaf opens a stream whose caller asks so often, and does not read the answers, of which its window takes none whole.
func deaf(t *testing.T, h *house, asks uint64) conversation {
	t.Helper()
	const window = 64 << 10
	conn, err := grpc.NewClient(h.grpc, append(impatient(),
		grpc.WithTransportCredentials(credentials.NewTLS(h.with(h.ca.client(t, "switch.example")))),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s, err := cpmv1.NewCryptographicServiceClient(conn).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := conversation{t, s}
	large := signProcess()
	large.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("x", 2*window)}
	for i := range asks {
		c.ask(i+1, large)
	}
	waitFor(t, func() bool { return h.counts.outcomes()["ok"] == int(asks) })
	return c
}

func TestAStreamThatIsNotReadIsEnded(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.WriteTimeout = 500 * time.Millisecond })
	c := deaf(t, h, 5)
	waitFor(t, func() bool { return strings.Contains(h.log.String(), "port.unread") })
	var err error
	for n := 0; err == nil; n++ {
		if _, err = c.Recv(); n == 5 {
			t.Fatal("every answer came")
		}
	}
	if status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	h.given(t)
}

// drained is a door that has drained, with so many answers which their caller has yet to read. It goes on sending them for that
// time, or when that is 0 for as long as it does when nobody says how long.
func drained(t *testing.T, asked uint64, within time.Duration) (*house, conversation) {
	t.Helper()
	h := open(t, echo)
	c := deaf(t, h, asked)
	ctx := t.Context()
	if within > 0 {
		limited, cancel := context.WithTimeout(ctx, within)
		t.Cleanup(cancel)
		ctx = limited
	}
	if err := h.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	return h, c
}

func TestADrainLastsWhileAnswersAreRead(t *testing.T) {
	t.Parallel()
	const asked = 30
	h, c := drained(t, asked, 0)
	for n := range asked {
		time.Sleep(100 * time.Millisecond) // a slow link, which takes seconds for all of them
		if _, err := c.Recv(); err != nil {
			t.Fatalf("after %d answers of %d: %v", n, asked, err)
		}
	}
	c.endsAnswered()
	h.served.Wait()
}

func TestADrainWaitsForSlowReadersOnlyUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	const asked = 200
	h, c := drained(t, asked, 1500*time.Millisecond)
	for n := 0; ; n++ {
		time.Sleep(50 * time.Millisecond)
		if _, err := c.Recv(); err != nil {
			if n == asked || status.Code(err) != codes.Unavailable {
				t.Errorf("after %d answers of %d: %v", n, asked, err)
			}
			break
		}
	}
	h.served.Wait()
}

func TestAnswersThatWaitToBeReadKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	const most, asked = 10, 6
	k := newKeeper(admission.Limits{Concurrent: most})
	h := guarded(t, k, echo)
	deaf(t, h, asked)
	free := func() (n int) {
		for {
			place, no := k.gate.Enter("switch.example", k.limits)
			if no != nil {
				return n
			}
			defer place.Leave()
			n++
		}
	}
	// One answer is gRPC's, and one is its next.
	waitFor(t, func() bool { return free() == most-(asked-2) })
}

// slow is the server's side of a stream whose caller reads an answer in some time.
type slow struct {
	script
	each time.Duration
}

func (s *slow) SendMsg(m any) error {
	select {
	case <-time.After(s.each):
		return s.script.SendMsg(m)
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func TestWriteTimeoutIsForEachAnswer(t *testing.T) {
	t.Parallel()
	for each, want := range map[time.Duration]int64{20 * time.Second: 8, 40 * time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := &slow{script{ctx: context.WithValue(ctx, tapKey{}, tapped{stop: stop, requests: t.Context()})}, each}
			c.next = func(n int) error {
				if n == 8 {
					return io.EOF
				}
				return nil
			}
			err := play(c, 1).run()
			if n := c.answers.Load(); n != want || (err == nil) != (want == 8) {
				t.Errorf("%d answers that take %v each, %v", n, each, err)
			}
		})
	}
}
