package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// keeper is an Admission that a test scripts.
type keeper struct {
	gate   *admission.Gate[string]
	limits admission.Limits
	asked  atomic.Int64
	again  atomic.Int64
}

func newKeeper(l admission.Limits) *keeper {
	return &keeper{gate: admission.NewGate[string](10), limits: l}
}

func (k *keeper) Admit(_ context.Context, p cpm.Principal) (*admission.Place, *fault.Error) {
	k.asked.Add(1)
	place, no := k.gate.Enter(p.Name, k.limits)
	if no != nil {
		return nil, admission.Decline(admission.CallerMany, 1500*time.Millisecond, "too much of it")
	}
	return place, nil
}

func (k *keeper) Again(_ context.Context, _ cpm.Principal, p *admission.Place) *fault.Error {
	k.again.Add(1)
	if no := k.gate.Again(p, k.limits); no != nil {
		return admission.Decline(admission.CallerRate, no.After, "too much of it")
	}
	return nil
}

func (k *keeper) Beside(p cpm.Principal) (*admission.Place, bool) {
	return k.gate.Beside(p.Name, k.limits)
}

// guarded opens a door whose processor does not take part.
func guarded(t *testing.T, k *keeper, p processor) *house {
	t.Helper()
	return open(t, p, func(c *Config) { c.Admission = k })
}

func never(t *testing.T) processor {
	return func(context.Context, *cpm.Request) (*cpm.Result, error) {
		t.Error("a request that was not admitted came through")
		return nil, fault.New(fault.Internal, "x")
	}
}

func TestWhoIsNotAdmittedHearsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	k := newKeeper(admission.Limits{Concurrent: 1})
	h := guarded(t, k, never(t))
	place, _ := k.gate.Enter("switch.example", k.limits)
	defer place.Leave()

	// The body would be refused if it was looked at.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url("/v1/fsps/payerfsp/jws/sign"), strings.NewReader("not JSON"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := h.http().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}

	var trailer metadata.MD
	_, err = h.dial().Process(t.Context(), signProcess(), grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || strings.Join(trailer.Get("retry-after"), "") != "2" || strings.Join(trailer.Get("grpc-retry-pushback-ms"), "") != "1500" {
		t.Error(err, trailer)
	}

	s := h.talk(t.Context())
	s.ask(1, signProcess())
	_, r := s.hear()
	list := r.GetError().GetErrorInformation().GetExtensionList().GetExtension()
	if refused(r) != "busy" || len(list) != 2 || list[1].GetKey() != "retryAfterMs" || list[1].GetValue() != "1500" {
		t.Error(r)
	}
	if n := strings.Count(h.log.String(), "port.declined"); n != 0 {
		t.Errorf("%d lines for what the one who declined has logged", n)
	}
}

func TestEachRequestLeavesItsPlace(t *testing.T) {
	t.Parallel()
	k := newKeeper(admission.Limits{Concurrent: 1})
	h := guarded(t, k, echo)
	client := h.dial()
	s := h.talk(t.Context())
	for i := range uint64(20) {
		if _, err := client.Process(t.Context(), signProcess()); err != nil {
			t.Fatal(err)
		}
		s.ask(i+1, signProcess())
		if _, r := s.hear(); r.GetJwsSign() == nil {
			t.Fatal(r)
		}
	}
	if _, err := client.Batch(t.Context(), &cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{signProcess(), signProcess(), signProcess()}}); err != nil {
		t.Fatal(err)
	}
	if k.asked.Load() != 41 || k.again.Load() != 2 {
		t.Errorf("asked %d times, and %d times again", k.asked.Load(), k.again.Load())
	}
}

func TestItemsOverTheRateAreDeclinedEachByItself(t *testing.T) {
	t.Parallel()
	k := newKeeper(admission.Limits{PerSecond: 1, Burst: 3})
	var done atomic.Int64
	h := guarded(t, k, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		done.Add(1)
		return echo(ctx, r)
	})
	began := time.Now()
	out, err := h.dial().Batch(t.Context(), batchOf(20))
	if err != nil {
		t.Fatal(err)
	}
	good := int64(0)
	for i, r := range out.GetResults() {
		if r.GetJwsSign() != nil {
			good++
			continue
		}
		list := r.GetError().GetErrorInformation().GetExtensionList().GetExtension()
		if refused(r) != "busy" || len(list) != 2 || list[1].GetKey() != "retryAfterMs" {
			t.Errorf("%d: %v", i, r)
		}
	}
	if most := 4 + int64(time.Since(began).Seconds()); good < 3 || good > most || good != done.Load() || out.GetResults()[0].GetJwsSign() == nil {
		t.Errorf("%d good and %d done of 20, %d at most", good, done.Load(), most)
	}
	if n := h.counts.outcomes(); n["ok"] != int(good) || n["busy"] != 20-int(good) || len(n) != 2 {
		t.Errorf("%v", n)
	}
}

func TestABatchHasNoMoreUnderWayThanItsCallerMay(t *testing.T) {
	t.Parallel()
	for concurrent, want := range map[int]int64{1: 1, 3: 1, 4: 2, 1000: 8} {
		k := newKeeper(admission.Limits{Concurrent: concurrent})
		var now, most atomic.Int64
		free := make(chan struct{})
		h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-free
			return echo(ctx, r)
		}, func(c *Config) { c.Admission, c.Limits.BatchParallel = k, 8 })
		release := sync.OnceFunc(func() { close(free) })
		t.Cleanup(release)
		answered := make(chan *cpmv1.BatchResponse, 1)
		client := h.dial()
		go func() {
			out, err := client.Batch(t.Context(), batchOf(50))
			if err != nil {
				t.Error(err)
			}
			answered <- out
		}()
		waitFor(t, func() bool { return now.Load() == want })
		for range concurrent - int(want) { // is there for other requests
			place, no := k.gate.Enter("switch.example", k.limits)
			if no != nil {
				t.Fatalf("%+v", no)
			}
			defer place.Leave()
		}
		release()
		for i, r := range await(t, "the answer to the batch", answered).GetResults() {
			if r.GetJwsSign() == nil {
				t.Errorf("%d: %v", i, r)
			}
		}
		if most.Load() != want {
			t.Errorf("%d of %d at once, want %d", most.Load(), concurrent, want)
		}
	}
}

func TestOfWhatTheDoorItselfDeclinesAsBusyFewLinesAreWritten(t *testing.T) {
	t.Parallel()
	h := open(t, never(t), func(c *Config) { c.Limits.Calls = 1 })
	h.calls.Enter(admission.Caller{})
	defer h.calls.Leave(admission.Caller{})
	began := time.Now()
	for range 50 {
		if _, err := h.dial().Process(t.Context(), signProcess()); status.Code(err) != codes.ResourceExhausted {
			t.Fatal(err)
		}
	}
	if n, most := strings.Count(h.log.String(), "port.declined"), 1+int(time.Since(began).Seconds()); n < 1 || n > most {
		t.Errorf("%d lines, %d at most", n, most)
	}
}
