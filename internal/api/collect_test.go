package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

// collector remembers when the garbage collector was run, after so long.
type collector struct {
	began time.Time
	mu    sync.Mutex
	runs  []time.Duration
}

func (c *collector) collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = append(c.runs, time.Since(c.began))
}

// since gives the runs, and begins anew.
func (c *collector) since() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.runs, c.began = nil, time.Now() }()
	return c.runs
}

// frames is the server's side of a stream without a network, which gives frames at equal distances.
type frames struct {
	grpc.ServerStream
	ctx   context.Context
	frame []byte
	left  int
	every time.Duration
}

func (s *frames) Context() context.Context { return s.ctx }

func (*frames) SendMsg(any) error { return nil }

func (s *frames) RecvMsg(m any) error {
	if s.left == 0 {
		return io.EOF
	}
	s.left--
	time.Sleep(s.every)
	f := m.(*frame)
	f.data, f.length = mem.SliceBuffer(s.frame), len(s.frame)
	return nil
}

// largeRequest is one of 1 MiB, as a frame of a stream and as JSON.
func largeRequest(t *testing.T) (wire []byte, text string) {
	t.Helper()
	q := signProcess()
	q.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("x", large)}
	wire, err := proto.Marshal(&cpmv1.StreamRequest{Id: 1, Request: q})
	if err != nil {
		t.Fatal(err)
	}
	return wire, `{"method":"POST","uri":"/quotes","headers":{},"body":"` + strings.Repeat("x", large) + `"}`
}

// However fast large requests follow each other, the collector runs once a second, and once after the last one; for those that
// are declined before they are decoded it does not.
func TestTheCollectorRunsOnceASecondForLargeRequestsThatWereDecoded(t *testing.T) {
	t.Parallel()
	wire, text := largeRequest(t)
	synctest.Test(t, func(t *testing.T) {
		c := &collector{began: time.Now()}
		k := newKeeper(admission.Limits{Concurrent: 1})
		d := New(Config{Processor: processor(echo), Admission: k, collect: c.collect})
		handler := d.Handler(func(*http.Request) (cpm.Principal, error) { return cpm.Principal{Name: "switch"}, nil })
		stream := func(frame []byte) {
			x := d.session(&frames{ctx: t.Context(), frame: frame, left: 35, every: 100 * time.Millisecond})
			x.work, x.pace, x.caller = x.ctx, &pace{}, cpm.Principal{Name: "switch"}
			if err := x.run(); err != nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Second)
		}
		post := func(text string, status int) {
			for range 35 {
				time.Sleep(100 * time.Millisecond)
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/fsps/f/jws/sign", strings.NewReader(text))
				r.Header.Set("Content-Type", "application/json")
				if handler.ServeHTTP(w, r); w.Code != status {
					t.Fatal(w.Code, w.Body)
				}
			}
			time.Sleep(5 * time.Second)
		}
		never := func(why string) {
			t.Helper()
			if runs := c.since(); len(runs) != 0 {
				t.Errorf("%s: runs after %v", why, runs)
			}
		}
		often := func(why string) {
			t.Helper()
			want := []time.Duration{100 * time.Millisecond, 1100 * time.Millisecond, 2100 * time.Millisecond, 3100 * time.Millisecond, 4100 * time.Millisecond}
			if diff := cmp.Diff(want, c.since()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", why, diff)
			}
		}
		stream(wire)
		often("a stream of requests")
		post(text, http.StatusOK)
		often("requests one by one")
		stream(append([]byte{8, 1}, make([]byte, large)...))
		never("frames that are no messages")
		stream(wire[:1000])
		never("small frames")
		place, _ := k.gate.Enter("switch", k.limits)
		defer place.Leave()
		stream(wire)
		never("a stream of a caller over its limit")
		post(text, http.StatusTooManyRequests)
		never("requests of a caller over its limit")
	})
}

func TestTheCollectorRunsAfterALargeCall(t *testing.T) {
	t.Parallel()
	var runs atomic.Int64
	h := open(t, echo, func(c *Config) { c.collect = func() { runs.Add(1) } })
	q, client := signProcess(), h.dial()
	q.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("x", large)}
	if _, err := client.Process(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return runs.Load() == 1 })
}
