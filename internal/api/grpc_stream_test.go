package api

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// conversation is a stream whose answers a test looks up by id.
type conversation struct {
	t testing.TB
	cpmv1.CryptographicService_StreamClient
}

func (h *house) talk(ctx context.Context) conversation {
	s, err := h.dial().Stream(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return conversation{h.t, s}
}

func (c conversation) ask(id uint64, r *cpmv1.ProcessRequest) {
	c.t.Helper()
	if err := c.Send(&cpmv1.StreamRequest{Id: id, Request: r}); err != nil {
		c.t.Fatal(err)
	}
}

func (c conversation) hear() (uint64, *cpmv1.ProcessResponse) {
	c.t.Helper()
	a, err := c.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return a.GetId(), a.GetResponse()
}

// refused is the kind of an error among the answers.
func refused(r *cpmv1.ProcessResponse) string {
	for _, x := range r.GetError().GetErrorInformation().GetExtensionList().GetExtension() {
		return x.GetValue()
	}
	return "none"
}

func TestStreamAnswersAsTheyAreReady(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "slow" {
			select {
			case <-first:
			case <-ctx.Done():
			}
		}
		if !strings.HasPrefix(r.ID, "s-") || r.Arrival.IsZero() {
			t.Errorf("%+v", r)
		}
		return echo(ctx, r)
	}, func(c *Config) { c.NewID = func() string { return "s" } })
	s := h.talk(t.Context())
	slow := signProcess()
	slow.Fsp = "slow"
	s.ask(7, slow)
	s.ask(1<<63, signProcess())
	if id, r := s.hear(); id != 1<<63 || r.GetJwsSign() == nil {
		t.Error(id, r)
	}
	s.ask(0, signProcess())
	if id, r := s.hear(); id != 0 || refused(r) != "invalid" {
		t.Error(id, r)
	}
	s.ask(7, signProcess())
	if id, r := s.hear(); id != 7 || refused(r) != "invalid" || r.GetError().GetRequestId() != "s-7" {
		t.Error(id, r)
	}
	s.ask(8, &cpmv1.ProcessRequest{Fsp: "f"})
	if id, r := s.hear(); id != 8 || refused(r) != "invalid" {
		t.Error(id, r)
	}
	s.ask(9, nil)
	if id, r := s.hear(); id != 9 || refused(r) != "invalid" {
		t.Error(id, r)
	}
	close(first)
	if id, r := s.hear(); id != 7 || r.GetJwsSign() == nil {
		t.Error(id, r)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int{"ok": 2, "invalid": 4}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

func TestStreamAnswersWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "panic" {
			panic(canary)
		}
		return echo(ctx, r)
	}, func(c *Config) { c.Limits.Body = 100; c.Limits.Message = 10 << 10 })
	conn := h.conn(h.with(h.ca.client(t, "switch.example")))
	s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		cpmv1.CryptographicService_Stream_FullMethodName, grpc.ForceCodec(messageCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	id := func(n uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), n)
	}
	body := func(n int) []byte { return wire(2, append(wire(1, []byte("f")), wire(2, wire(4, make([]byte, n)))...)) }
	for name, c := range map[string]struct {
		in   []byte
		id   uint64
		kind string
	}{
		"nothing":           {nil, 0, "invalid"},
		"garbage":           {[]byte(canary), 0, "invalid"},
		"truncated tag":     {[]byte{0x80}, 0, "invalid"},
		"unknown field":     {append(id(3), wire(9, nil)...), 3, "invalid"},
		"id after the rest": {append(body(100), id(4)...), 4, "none"},
		"body too large":    {append(id(5), body(101)...), 5, "too-large"},
		"message too large": {append(body(11<<10), id(6)...), 6, "too-large"},
		"panic":             {append(id(7), wire(2, append(wire(1, []byte("panic")), wire(2, nil)...))...), 7, "internal"},
	} {
		if err := s.SendMsg(&c.in); err != nil {
			t.Fatal(err)
		}
		var out []byte
		if err := s.RecvMsg(&out); err != nil {
			t.Fatal(err)
		}
		var a cpmv1.StreamResponse
		if err := proto.Unmarshal(out, &a); err != nil {
			t.Fatal(err)
		}
		if a.GetId() != c.id || refused(a.GetResponse()) != c.kind {
			t.Errorf("%s: %v", name, &a)
		}
		if strings.Contains(a.String(), canary) {
			t.Errorf("%s: echoes input: %v", name, &a)
		}
	}
}

func TestStreamStopsReadingWhenTheWindowIsFull(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	free := make(chan struct{})
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		select {
		case <-free:
			return echo(ctx, r)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, func(c *Config) { c.Limits.StreamWindow = 3 })
	s := h.talk(t.Context())
	for id := range uint64(10) {
		s.ask(id+1, signProcess())
	}
	waitFor(t, func() bool { return now.Load() == 3 })
	close(free)
	seen := map[uint64]bool{}
	for range 10 {
		id, r := s.hear()
		if seen[id] || r.GetJwsSign() == nil {
			t.Error(id, r)
		}
		seen[id] = true
	}
	if n := most.Load(); n != 3 {
		t.Errorf("%d at once", n)
	}
}

func TestACancelledStreamCancelsItsRequests(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}), make(chan struct{})
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return nil, fault.New(fault.Timeout, "cancelled")
	})
	ctx, cancel := context.WithCancel(t.Context())
	s := h.talk(ctx)
	s.ask(1, signProcess())
	failed := make(chan error, 1)
	go func() {
		_, err := s.Recv()
		failed <- err
	}()
	select {
	case <-started:
	case err := <-failed:
		t.Fatal("before it was cancelled:", err)
	}
	cancel()
	if err := await(t, "the end of the stream", failed); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	await(t, "the end of the request", ended)
	waitFor(t, func() bool { return h.counts.outcomes()["timeout"] == 1 })
}

func TestAMessageOverTheHardLimitEndsTheStream(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Batch = 64 << 10 })
	s := h.talk(t.Context())
	big := signProcess()
	big.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("x", 65<<10)}
	s.ask(1, big)
	if _, err := s.Recv(); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	waitFor(t, func() bool { return h.counts.outcomes()["too-large"] == 1 })
}

func TestARequestOfAStreamCarriesItsOwnDeadline(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if _, limited := ctx.Deadline(); !limited {
			return echo(ctx, r)
		}
		<-ctx.Done()
		return nil, fault.New(fault.Timeout, "too late").Because(ctx.Err())
	})
	c := h.talk(t.Context())
	request := &cpmv1.ProcessRequest{Fsp: "f", Operation: &cpmv1.ProcessRequest_JwsVerify{JwsVerify: &cpmv1.JwsVerifyRequest{}}}
	if err := c.Send(&cpmv1.StreamRequest{Id: 1, Request: request, TimeoutMs: 1}); err != nil {
		t.Fatal(err)
	}
	c.ask(2, request)
	got := map[uint64]string{}
	for range 2 {
		id, r := c.hear()
		got[id] = refused(r)
	}
	if diff := cmp.Diff(map[uint64]string{1: "timeout", 2: "none"}, got); diff != "" {
		t.Error(diff)
	}
}

// script is the server's side of a stream without a network: each request is the next one that the script lets through.
type script struct {
	grpc.ServerStream
	ctx     context.Context
	next    func(n int) error // is asked before request n, from 0
	given   int
	answers atomic.Int64
}

func (s *script) Context() context.Context { return s.ctx }

func (s *script) SendMsg(any) error {
	s.answers.Add(1)
	return nil
}

func (s *script) RecvMsg(m any) error {
	if err := s.next(s.given); err != nil {
		return err
	}
	s.given++
	data, err := proto.Marshal(&cpmv1.StreamRequest{Id: uint64(s.given), Request: signProcess()})
	f := m.(*frame)
	f.data, f.length = mem.SliceBuffer(data), len(data)
	return err
}

// play makes a session of a script, on a door where each request takes a second.
func play(s grpc.ServerStream, window int) *session {
	d := New(Config{Limits: Limits{StreamWindow: window}, Processor: processor(func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		time.Sleep(time.Second)
		return echo(ctx, r)
	})})
	x := d.session(s)
	x.work, x.pace = s.Context(), &pace{}
	return x
}

// gRPC may hand over a request that it holds after the call was cut, when the goroutines that answer have gone with the call.
func TestARequestReadAfterTheCallWasCutIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const window = 4
		ctx, cut := context.WithCancel(t.Context())
		c := &script{ctx: ctx}
		s := play(c, window)
		c.next = func(n int) error {
			switch {
			case n == window: // all those before were under way together
				time.Sleep(2 * time.Second)
				cut()
				synctest.Wait()
			case n > window:
				return status.FromContextError(ctx.Err()).Err()
			}
			return nil
		}
		if err := s.read(); err == nil {
			t.Error("the stream was not cut")
		}
		s.answering.Wait()
		if n := c.answers.Load(); n != window+1 {
			t.Errorf("%d answers", n)
		}
	})
}

func TestAnIdleStreamKeepsNoGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const window = 4
		ctx, end := context.WithCancel(t.Context())
		defer end()
		c := &script{ctx: ctx}
		s := play(c, window)
		c.next = func(n int) error {
			if n == 0 || n%window != 0 {
				return nil
			}
			time.Sleep(2 * time.Second)
			if kept := len(s.workers); kept != window {
				t.Errorf("%d goroutines kept after request %d", kept, n)
			}
			time.Sleep(spare)
			if kept := len(s.workers); kept != 0 {
				t.Errorf("%d goroutines of an idle stream", kept)
			}
			if n == 3*window {
				return io.EOF
			}
			return nil
		}
		if err := s.run(); err != nil {
			t.Error(err)
		}
		if n := c.answers.Load(); n != 3*window {
			t.Errorf("%d answers", n)
		}
	})
}
