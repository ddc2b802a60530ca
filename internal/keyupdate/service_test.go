package keyupdate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestShutdownAnswersWhatItHasAndDeclinesTheRest(t *testing.T) {
	t.Parallel()
	held, let := make(chan struct{}), make(chan struct{})
	b := newBench(t, &fakeCore{answer: func(context.Context, cpm.Operation, []byte) ([]byte, error) {
		close(held)
		<-let
		return proto.Marshal(&cpmv1.KeyUpdateReply{Result: "success"})
	}})
	var first reply
	failed := make(chan error, 1)
	go func() {
		var err error
		first, err = b.fetch(t.Context(), http.MethodPost, PathUpdates, "application/jose", jws(`{"action":"Add"}`))
		failed <- err
	}()
	select {
	case <-held:
	case err := <-failed:
		t.Fatal("answered before the core has: ", first.Body, err)
	}
	drained := make(chan error, 1)
	go func() { drained <- b.Shutdown(t.Context()) }()
	for b.gate.current() != cpm.ShuttingDown {
		time.Sleep(time.Millisecond)
	}
	got := b.update(t, jws(`{"action":"Add"}`))
	if got.Status != http.StatusServiceUnavailable || got.Kind != "unavailable" || !b.log.has("keyupdate.declined") {
		t.Errorf("%d %v", got.Status, got.Body)
	}
	select {
	case err := <-drained:
		t.Fatal("drained with a request in it:", err)
	default:
	}
	close(let)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := <-failed; err != nil || first.Status != http.StatusOK {
		t.Errorf("the accepted update: %v %v", first.Body, err)
	}
	status, _ := b.Status(t.Context())
	want := cpm.ServiceStatus{State: cpm.Inactive, Counts: map[string]cpm.Outcomes{"Add": {Success: 1}, "": {Failed: 1}}}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error("a second Shutdown:", err)
	}
}

func TestACoreThatIsReplacedDoesNotTakeTheAdapterWithIt(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	a := New(Config{Logger: slog.New(slog.DiscardHandler), Now: time.Now, Ended: func() { close(ended) }})
	first, second := a.Link(), a.Link()
	one, two := &fakeCore{}, &fakeCore{}
	first.Bind(one)
	second.Bind(two)
	a.Activate(t.Context())
	state := func() cpm.State {
		s, _ := first.Status(t.Context())
		return s.State
	}
	ask := func() error {
		_, err := a.ask(t.Context(), cpm.AskKeyUpdate, "r", nil)
		return err
	}
	if err := first.Shutdown(t.Context()); err != nil || state() != cpm.Active {
		t.Fatalf("%v %s", err, state())
	}
	if err := ask(); err != nil || len(one.asks()) != 0 || len(two.asks()) != 1 {
		t.Errorf("%v: asked %d and %d times", err, len(one.asks()), len(two.asks()))
	}
	if err := first.Configure(t.Context(), nil, 1); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil || len(one.asks()) != 1 {
		t.Errorf("%v: not asked again after it came back", err)
	}
	if err := second.Shutdown(t.Context()); err != nil || state() != cpm.Active {
		t.Fatalf("%v %s", err, state())
	}
	if err := first.Shutdown(t.Context()); err != nil || state() != cpm.Inactive {
		t.Fatalf("%v %s", err, state())
	}
	<-ended
}

func TestAShutdownThatLastsTooLongSaysSo(t *testing.T) {
	t.Parallel()
	a := New(Config{Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	a.Activate(t.Context())
	if err := a.gate.enter(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Shutdown(ctx); !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
}

func TestBeforeItIsActiveEverythingIsDeclined(t *testing.T) {
	t.Parallel()
	a := New(Config{Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err := a.gate.enter(); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if status, _ := a.Status(t.Context()); status.State != cpm.Starting {
		t.Errorf("state %s", status.State)
	}
}

func TestSettingsAreTakenAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	a := New(Config{Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	for _, bad := range []string{
		`{"requestsPerSecond":0}`, `{"requestsPerSecond":-1}`, `{"burst":0}`, `{"burst":1.5}`, `{"askTimeoutMs":1}`, `{"other":1}`,
		`{"burst":5}{}`, `[]`, `{"burst":5,"burst":6}`, `{"burst":7,"askTimeoutMs":1}`, `{`,
	} {
		if err := a.Configure(t.Context(), []byte(bad), 9); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if diff := cmp.Diff(DefaultSettings(), a.setup.load()); diff != "" {
		t.Errorf("a refused configuration changed something:\n%s", diff)
	}
	for _, step := range []struct {
		text     string
		revision int64
		burst    int
	}{{`{"burst":7}`, 4, 7}, {`{"burst":8}`, 3, 7}, {``, 5, 100}, {`{}`, 6, 100}, {`{"burst":9}`, 6, 9}} {
		if err := a.Configure(t.Context(), []byte(step.text), step.revision); err != nil {
			t.Fatal(err)
		}
		if got := a.setup.load().Burst; got != step.burst {
			t.Errorf("%s at %d: burst %d, want %d", step.text, step.revision, got, step.burst)
		}
	}
}

func TestABucketFillsWithTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newRates(func() time.Time { return now })
	s := Settings{RequestsPerSecond: 2, Burst: 3}
	a := netip.MustParseAddr("192.0.2.1")
	if !r.take(a, 13, s).ok {
		t.Fatal("a full bucket may be overdrawn")
	}
	v := r.take(a, 1, s)
	if v.ok || !v.first || v.wait != 5500*time.Millisecond {
		t.Fatalf("%+v", v)
	}
	if again := r.take(a, 1, s); again.ok || again.first {
		t.Errorf("it is news every time: %+v", again)
	}
	if !r.take(netip.MustParseAddr("192.0.2.2"), 1, s).ok {
		t.Error("another address pays for it")
	}
	now = now.Add(v.wait)
	if !r.take(a, 1, s).ok {
		t.Error("not after the wait that was told")
	}
	v6, neighbour := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	_ = r.take(v6, 10, s)
	if r.take(neighbour, 1, s).ok {
		t.Error("an address of the same /64 has a bucket of its own")
	}
}

func TestTheTableOfAddressesIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newRates(func() time.Time { return now })
	s := Settings{RequestsPerSecond: 1, Burst: 3}
	next := netip.MustParseAddr("10.0.0.0")
	for range maxAddresses {
		next = next.Next()
		_ = r.take(next, 1, s)
	}
	limited := netip.MustParseAddr("192.0.2.1")
	for r.take(limited, 1, s).ok {
	}
	for range 10 * maxAddresses {
		next = next.Next()
		if !r.take(next, 1, s).ok {
			t.Fatal("a new address has no allowance")
		}
	}
	if v := r.take(limited, 1, s); v.ok || v.first || len(r.buckets) != maxAddresses {
		t.Errorf("many new addresses pushed out one that is limited: %+v; %d buckets", v, len(r.buckets))
	}
	now = now.Add(time.Minute)
	if v := r.take(next.Next(), 1, s); !v.ok || len(r.buckets) != 1 {
		t.Errorf("full buckets stay: %d", len(r.buckets))
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	c := newCrowd(nil)
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for range maxConnectionsPerAddress {
		if !c.enter(one) {
			t.Fatal("refused too early")
		}
	}
	if c.enter(one) || !c.enter(other) {
		t.Error("the bound is not for one address")
	}
	c.leave(one)
	if !c.enter(one) {
		t.Error("no room after one left")
	}
}
