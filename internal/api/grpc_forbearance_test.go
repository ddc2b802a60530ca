package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/cpm"
)

// longTalk asks on a stream, over a link of the rate, for four answers of a megabyte. They are sent one by one, as all are in a bubble.
func longTalk(t *testing.T, rate int64) (*house, conversation) {
	t.Helper()
	large := signed(signProcessOf(1 << 20).GetJwsSign())
	h, rpc, link := linked(t, 64<<10, func(context.Context, *cpm.Request) (*cpm.Result, error) {
		return &cpm.Result{Payload: cpm.Payload{Message: large}}, nil
	}, func(c *Config) { c.Limits.StreamWindow = 1 })
	s, err := rpc.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	link.Store(rate)
	c := conversation{t, s}
	for i := range uint64(4) {
		c.ask(i+1, signProcess())
	}
	if err := c.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return h, c
}

// An answer of a megabyte takes a slow link more than the time in which a stream has to go on, and the next one waits for it.
func TestAStreamThatIsReadSlowlyGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h, c := longTalk(t, 16<<10)
		for n := range uint64(4) {
			if id, out := c.hear(); id != n+1 || proto.Size(out) < 1<<20 {
				t.Errorf("answer %d is %d, of %d bytes", n+1, id, proto.Size(out))
			}
		}
		if _, err := c.Recv(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if each := time.Since(began) / 4; each <= h.limits.WriteTimeout {
			t.Errorf("the link took no more than %v for an answer", each)
		}
		if log := h.log.String(); strings.Contains(log, "port.unread") {
			t.Error(log)
		}
	})
}

func TestAStreamThatIsReadByAFewBytesIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h, c := longTalk(t, 200)
		for time.Since(began) < 3*h.limits.WriteTimeout && !strings.Contains(h.log.String(), `"ended":"stream"`) {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < h.limits.WriteTimeout || took > 2*h.limits.WriteTimeout {
			t.Error("it was ended after", took)
		}
		if _, err := c.Recv(); err == nil {
			t.Error("an answer came")
		}
	})
}

// written is the server's side of a stream that is sent one answer, and of what is written of it and of another call.
type written struct {
	*arrivals
	framer *http2.Framer
	out    bytes.Buffer
}

func (w *written) writes(stream uint32, n int) {
	for n > 0 {
		piece := min(n, turn)
		_ = w.framer.WriteData(stream, false, make([]byte, piece))
		w.wrote(w.out.Bytes())
		w.out.Reset()
		n -= piece
	}
}

func TestAStreamIsGivenUpWhenItDoesNotGoOn(t *testing.T) {
	t.Parallel()
	const within = 30 * time.Second
	for name, test := range map[string]struct {
		own, others int // bytes in each five seconds
		least, most time.Duration
	}{
		"nothing is read":                {0, 0, within, within},
		"nothing but a little":           {2 << 10, 0, within, within},
		"enough":                         {16 << 10, 0, 0, 0},
		"others only, and slowly":        {0, 10 << 10, within, within},
		"others, whose turn it may be":   {0, 30 << 10, 2 * within, 3 * within},
		"others, who have had all turns": {0, 1 << 20, within, within},
		"with others on a slow link":     {1 << 10, 25 << 10, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := New(Config{Processor: processor(echo)})
				on := d.tempo.of("hub")
				w := &written{arrivals: d.arrivalsAt(on.caller, on)}
				w.framer = http2.NewFramer(&w.out, nil)
				defer w.end()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls := map[uint32]*arrival{}
				for _, id := range []uint32{1, 3} {
					w.framing.stream = id
					calls[id] = w.begin(ctx, cancel, true)
				}
				began := time.Now()
				var gaveUp atomic.Int64
				p := &forbearance{coming: calls[1], within: within, over: func() { gaveUp.Store(int64(time.Since(began))) }}
				p.begin()
				defer p.end()
				for range 120 {
					time.Sleep(5*time.Second - time.Millisecond)
					w.writes(1, test.own)
					w.writes(3, test.others)
					time.Sleep(time.Millisecond)
				}
				if after := time.Duration(gaveUp.Load()); after < test.least || after > test.most {
					t.Errorf("it was given up after %v", after)
				}
			})
		})
	}
}
