package client_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/sdk/go/client"
)

type serverStream = cpmv1.CryptographicService_StreamServer

// empty answers each operation with its empty response.
func empty(s serverStream, r *cpmv1.StreamRequest) error {
	in := r.GetRequest().ProtoReflect()
	asked := in.WhichOneof(in.Descriptor().Oneofs().ByName("operation"))
	out := new(cpmv1.ProcessResponse)
	m := out.ProtoReflect()
	field := m.Descriptor().Fields().ByName(asked.Name())
	m.Set(field, protoreflect.ValueOfMessage(m.NewField(field).Message()))
	return s.Send(&cpmv1.StreamResponse{Id: r.GetId(), Response: out})
}

// TestEveryOperationHasAMethod calls every method that has the form of an operation's.
func TestEveryOperationHasAMethod(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		in := r.GetRequest().ProtoReflect()
		mu.Lock()
		asked[string(in.WhichOneof(in.Descriptor().Oneofs().ByName("operation")).Name())+" "+r.GetRequest().GetFsp()]++
		mu.Unlock()
		return empty(s, r)
	})
	want := map[string]int{}
	for _, op := range cpm.Operations() {
		want[op.Operation.Member()+" f"] = 1
		name := reflect.TypeOf(op.NewRequest()).Elem().Name()
		found := false
		for i := range reflect.TypeOf(c).NumMethod() {
			method := reflect.ValueOf(c).Method(i)
			kind := method.Type()
			if kind.NumIn() != 3 || kind.In(2) != reflect.TypeOf(op.NewRequest()) {
				continue
			}
			found = true
			out := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf("f"), reflect.ValueOf(op.NewRequest())})
			if !out[1].IsNil() || out[0].IsNil() || out[0].Type() != reflect.TypeOf(op.NewResponse()) {
				t.Errorf("%s: %v %v", name, out[0], out[1])
			}
		}
		if !found {
			t.Errorf("no method takes %s", name)
		}
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsLostIsSentAgainOnlyIfItMayBe: operations that the registry calls safe are sent again, others end with an unknown
// outcome. The registry thinks of devices: jws.verify is safe there, but the CPM before them may remember the message.
func TestWhatIsLostIsSentAgainOnlyIfItMayBe(t *testing.T) {
	t.Parallel()
	var cut sync.Map // of operations of which the first request was cut
	c, p := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		in := r.GetRequest().ProtoReflect()
		if _, again := cut.LoadOrStore(in.WhichOneof(in.Descriptor().Oneofs().ByName("operation")).Name(), true); !again {
			return status.Error(codes.Unavailable, "cut")
		}
		return empty(s, r)
	})
	sent := 0
	for _, op := range cpm.Operations() {
		r := new(cpmv1.ProcessRequest)
		m := r.ProtoReflect()
		m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(op.Operation.Member())), protoreflect.ValueOfMessage(op.NewRequest().ProtoReflect()))
		_, err := c.Do(t.Context(), r)
		safe := op.RetrySafe && op.Operation != cpm.JWSVerify
		sent++
		if safe {
			sent++
		}
		if safe && err != nil || !safe && !errors.Is(err, client.OutcomeUnknown) {
			t.Errorf("%s: %v", op.Operation, err)
		}
		if !safe && !strings.Contains(err.Error(), "cut") {
			t.Errorf("%s does not say why: %v", op.Operation, err)
		}
	}
	if got := p.requests(t); got != sent {
		t.Errorf("%d requests, want %d", got, sent)
	}
}

// TestWhatACPMDeclinesAsUnavailableIsSentAgain: it has done nothing, and remembers no message either.
func TestWhatACPMDeclinesAsUnavailableIsSentAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		if asked.Add(1)%2 == 0 {
			return empty(s, r)
		}
		return s.Send(decline(r.GetId(), fault.New(fault.Unavailable, "it shuts down")))
	})
	if _, err := c.JWSVerify(t.Context(), "f", &cpmv1.JwsVerifyRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := c.MessageOpen(t.Context(), "f", &cpmv1.MessageOpenRequest{}); client.KindOf(err) != client.Unavailable {
		t.Error(err)
	}
}

// TestCallsEndWithTheClient: one waits for a connection, one for the time a busy CPM has named, and one for its answer. Close
// does not wait for them, as its context has ended. Nothing takes longer than a stream may take to end.
func TestCallsEndWithTheClient(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		answer func(serverStream, *cpmv1.StreamRequest) error
		dial   error
		verify client.Kind
	}{
		"no connection": {dial: errors.New("nobody there"), verify: client.Unavailable},
		"no answer":     {answer: func(serverStream, *cpmv1.StreamRequest) error { return nil }, verify: client.OutcomeUnknown},
		"busy": {answer: func(s serverStream, r *cpmv1.StreamRequest) error {
			return s.Send(decline(r.GetId(), fault.New(fault.Busy, "too much").After(50*time.Second)))
		}, verify: client.Unavailable},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := bufconn.Listen(1 << 20)
				c, _ := converseAt(t, l, test.answer, func(c *client.Config) {
					c.Addresses, c.Wait = []string{"cpm.test:7801"}, time.Hour
					c.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
						if test.dial != nil {
							return nil, test.dial
						}
						return l.DialContext(ctx)
					}
				})
				signed, verified := make(chan error, 1), make(chan error, 1)
				go func() {
					_, err := c.JWSSign(t.Context(), "f", &cpmv1.JwsSignRequest{})
					signed <- err
				}()
				go func() {
					_, err := c.JWSVerify(t.Context(), "f", &cpmv1.JwsVerifyRequest{})
					verified <- err
				}()
				synctest.Wait()
				over, cancel := context.WithCancel(t.Context())
				cancel()
				began := time.Now()
				if err := c.Close(over); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if err := <-signed; client.KindOf(err) != client.Unavailable {
					t.Error(err)
				}
				if err := <-verified; client.KindOf(err) != test.verify {
					t.Error(err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Error("calls took another", took)
				}
			})
		})
	}
}

func TestABusyCPMIsAskedAgainAfterTheTimeItSays(t *testing.T) {
	t.Parallel()
	var left atomic.Int64
	left.Store(2)
	advice := "30"
	var last time.Time
	c, p := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		gap := time.Since(last)
		if !last.IsZero() && gap < 30*time.Millisecond {
			t.Error("asked again after", gap)
		}
		last = time.Now()
		if left.Add(-1) < 0 {
			return empty(s, r)
		}
		m := decline(r.GetId(), fault.New(fault.Busy, "too much"))
		list := m.GetResponse().GetError().GetErrorInformation().GetExtensionList()
		list.Extension = append(list.Extension[:1], &cpmv1.Extension{Key: "retryAfterMs", Value: advice})
		return s.Send(m)
	})
	if _, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{}); err != nil {
		t.Fatal(err)
	}
	last = time.Time{}
	left.Store(100)
	_, err := c.MessageProtect(t.Context(), "f", &cpmv1.MessageProtectRequest{})
	var e *client.Error
	if !errors.As(err, &e) || e.Kind != client.Busy || e.RetryAfter != 30*time.Millisecond || e.Code != "2005" || e.RequestID != "r-1" {
		t.Errorf("%#v", err)
	}
	if got := p.requests(t); got != 3+4 {
		t.Errorf("%d requests, want 3 and then as many as Attempts", got)
	}
	last, advice = time.Time{}, "59000"
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err = c.Random(ctx, "f", &cpmv1.RandomRequest{}); client.KindOf(err) != client.Busy || ctx.Err() != nil {
		t.Error("waited although the deadline comes first: ", err)
	}
}

func TestTheDeadlineIsSentAndKept(t *testing.T) {
	t.Parallel()
	sent := make(chan *cpmv1.StreamRequest, 10)
	c, _ := converse(t, func(_ serverStream, r *cpmv1.StreamRequest) error {
		sent <- r
		return nil
	})
	fatal(t, c.Ready(t.Context()))
	ctx, cancel := context.WithTimeout(client.WithTraceparent(t.Context(), "00-a-b-01"), time.Second)
	defer cancel()
	_, err := c.Random(ctx, "f", &cpmv1.RandomRequest{})
	if client.KindOf(err) != client.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if r := <-sent; r.GetTimeoutMs() == 0 || r.GetTimeoutMs() > 1000 || r.GetTraceparent() != "00-a-b-01" {
		t.Error(r)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		if r := <-sent; r.GetTimeoutMs() != 0 || r.GetTraceparent() != "" {
			t.Error(r)
		}
		cancel()
	}()
	if _, err = c.Random(ctx, "f", &cpmv1.RandomRequest{}); client.KindOf(err) != client.Canceled || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestALateAnswerIsNobodys: the answer to a call whose caller has left comes, and is not taken for that of the next one.
func TestALateAnswerIsNobodys(t *testing.T) {
	t.Parallel()
	var first atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		if first.CompareAndSwap(0, r.GetId()) {
			cancel()
			return nil
		}
		for _, id := range []uint64{first.Load(), r.GetId()} {
			answer := &cpmv1.RandomResponse{Random: []byte{byte(id)}}
			out := &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Random{Random: answer}}
			if err := s.Send(&cpmv1.StreamResponse{Id: id, Response: out}); err != nil {
				return err
			}
		}
		return nil
	}, func(c *client.Config) { c.InFlight = 2 })
	if _, err := c.Random(ctx, "f", &cpmv1.RandomRequest{}); client.KindOf(err) != client.Canceled {
		t.Fatal(err)
	}
	out, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{})
	if err != nil || out.GetRandom()[0] == byte(first.Load()) {
		t.Error(out, err)
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]*cpmv1.ProcessResponse{
		"of another operation": {Result: &cpmv1.ProcessResponse_Digest{Digest: &cpmv1.DigestResponse{}}},
		"empty":                {},
		"none":                 nil,
	} {
		c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
			return s.Send(&cpmv1.StreamResponse{Id: r.GetId(), Response: response})
		})
		if _, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{}); !errors.Is(err, client.Broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, p := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		return s.Send(&cpmv1.StreamResponse{Id: r.GetId() + 1000})
	})
	if _, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{}); !errors.Is(err, client.Unavailable) || !strings.Contains(err.Error(), "nobody asked") {
		t.Error(err)
	}
	if got := p.requests(t); got != 4 {
		t.Errorf("%d attempts", got)
	}
}

func TestTheKindsAreThoseOfACPM(t *testing.T) {
	t.Parallel()
	var next atomic.Int64
	c, _ := converse(t, func(s serverStream, r *cpmv1.StreamRequest) error {
		return s.Send(decline(r.GetId(), fault.New(fault.Kind(next.Load()), "text")))
	}, func(c *client.Config) { c.Attempts = 1 })
	known := []client.Kind{
		client.Internal, client.Invalid, client.Missing, client.TooLarge, client.Unauthenticated, client.Denied, client.NotFound, client.Conflict,
		client.State, client.NotRouted, client.Unsupported, client.Refused, client.Device, client.Busy, client.Unavailable, client.Sealed,
		client.AuditUnavailable, client.Timeout, client.OutcomeUnknown,
	}
	for i, k := range fault.Kinds() {
		next.Store(int64(i))
		_, err := c.Random(t.Context(), "f", &cpmv1.RandomRequest{})
		if i >= len(known) || !errors.Is(err, known[i]) || string(known[i]) != k.String() {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestAConfigIsChecked(t *testing.T) {
	t.Parallel()
	files := client.Files{Cert: "nosuch", Key: "nosuch", CA: "nosuch"}
	for name, c := range map[string]client.Config{
		"Addresses":   {Files: files},
		"either":      {Addresses: []string{"a:1"}},
		"host:port":   {Addresses: []string{"a"}, Files: files},
		"certificate": {Addresses: []string{"a:1"}, Files: files},
	} {
		if _, err := client.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if client.KindOf(errors.New("other")) != "" {
		t.Error("another error has a kind")
	}
}
