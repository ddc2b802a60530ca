package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// held is a Processor that keeps its requests until it is let go.
type held struct {
	started atomic.Int64
	free    chan struct{}
}

func (p *held) process(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	p.started.Add(1)
	select {
	case <-p.free:
		return echo(ctx, r)
	case <-ctx.Done():
		return nil, fault.New(fault.Timeout, "cancelled")
	}
}

func TestDrainAnswersTheAcceptedAndDeclinesTheNew(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process, func(c *Config) { c.Limits.Linger = time.Second })
	client, rpc := h.http(), h.dial()
	path := h.url("/v1/fsps/f/jws/sign")
	stream := h.talk(t.Context())
	stream.ask(1, signProcess())
	json := h.signs(client)
	unary := make(chan error, 1)
	go func() {
		_, err := rpc.Process(t.Context(), signProcess())
		unary <- err
	}()
	kept, keptAnswer := raw(t, h)
	tell(t, kept, "%s", "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := keptAnswer(); a.status != 200 || a.closed {
		t.Error(a.status, a.closed)
	}
	waitFor(t, func() bool { return p.started.Load() == 3 })

	drained := make(chan error, 1)
	go func() { drained <- h.Drain(t.Context()) }()
	waitFor(t, h.gate.declining.Load)

	// New requests, on kept and on new connections, are declined.
	tell(t, kept, "%s", "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	for name, a := range map[string]answer{"kept": keptAnswer(), "new": post(t, h.http(), path, strings.NewReader(sign))} {
		if a.status != 503 || a.kind(t) != "unavailable" || !a.closed || !strings.Contains(a.body, "shutting down") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if _, err := rpc.Process(t.Context(), signProcess()); status.Code(err) != codes.Unavailable || kindOfStatus(t, err) != "unavailable" {
		t.Error(err)
	}
	stream.ask(2, signProcess())
	if id, r := stream.hear(); id != 2 || refused(r) != "unavailable" {
		t.Error(id, r)
	}
	select {
	case err := <-drained:
		t.Fatal("drained with requests unanswered:", err)
	default:
	}

	// The accepted are answered.
	close(p.free)
	if a := json(); a.status != 200 || !a.closed {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := await(t, "the answer to a call", unary); err != nil {
		t.Error(err)
	}
	if id, r := stream.hear(); id != 1 || r.GetJwsSign() == nil {
		t.Error(id, r)
	}
	if err := await(t, "the end of the drain", drained); err != nil {
		t.Error(err)
	}
	stream.endsAnswered()
	h.served.Wait()
	if n := h.counts.outcomes(); n["ok"] != 4 || n["unavailable"] != 4 || len(n) != 2 {
		t.Errorf("%v", n)
	}
}

// TestDrainUnderLoad is about resets: whoever sends until it is told to stop gets an answer to each request.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		time.Sleep(time.Millisecond)
		return echo(ctx, r)
	}, func(c *Config) { c.Limits.Linger = 3 * time.Second }) // long enough for callers on a busy machine to hear of it
	var callers sync.WaitGroup
	var answered atomic.Int64
	t.Cleanup(callers.Wait) // each ends with the first failure at the latest
	for range 6 {
		client := h.http()
		callers.Go(func() {
			for {
				a, err := send(t.Context(), client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign))
				if err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
				if a.status == 503 {
					return
				}
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	for range 2 {
		client := h.dial()
		callers.Go(func() {
			for {
				_, err := client.Process(t.Context(), signProcess())
				answered.Add(1)
				if err == nil {
					continue
				}
				if status.Code(err) != codes.Unavailable || kindIn(err) != "unavailable" {
					t.Error(err)
				}
				return
			}
		})
	}
	waitFor(t, func() bool { return h.counts.outcomes()["ok"] > 50 })
	if err := h.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	callers.Wait()
	h.served.Wait()
	if n := h.counts.outcomes(); n["ok"]+n["unavailable"] != int(answered.Load()) || n["unavailable"] != 8 {
		t.Errorf("%d answers seen, %v counted", answered.Load(), n)
	}
}

func TestADrainThatTakesTooLongDeclinesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process)
	stream := h.talk(t.Context())
	stream.ask(1, signProcess())
	unary := make(chan error, 1)
	rpc := h.dial()
	go func() {
		_, err := rpc.Process(t.Context(), signProcess())
		unary <- err
	}()
	answered := h.signs(h.http())
	waitFor(t, func() bool { return p.started.Load() == 3 })
	slow, half := raw(t, h)
	tell(t, slow, "%s", "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	waitFor(t, func() bool { return h.gate.accepted.Load() == 4 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := h.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if a := answered(); a.status != 504 || a.kind(t) != "timeout" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := half(); a.status != 504 || a.kind(t) != "timeout" {
		t.Errorf("half a request: %d %s", a.status, a.body)
	}
	if err := await(t, "the answer to a call", unary); status.Code(err) != codes.DeadlineExceeded || kindOfStatus(t, err) != "timeout" {
		t.Error(err)
	}
	if id, r := stream.hear(); id != 1 || refused(r) != "timeout" {
		t.Error(id, r)
	}
	stream.endsAnswered()
	h.served.Wait()
	if n := h.counts.outcomes(); n["timeout"] != 4 || len(n) != 1 {
		t.Errorf("%v", n)
	}
}

func TestAPortWhoseContextEndsDrains(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process)
	answered := h.signs(h.http())
	waitFor(t, func() bool { return p.started.Load() == 1 })
	h.stop()
	waitFor(t, h.gate.declining.Load)
	close(p.free)
	if a := answered(); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.served.Wait()
	if err := h.Drain(t.Context()); err != nil {
		t.Error("draining twice:", err)
	}
}

func TestAPortGivesUpWhenTheDrainLimitIsReached(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process, func(c *Config) { c.Limits.Drain = 10 * time.Millisecond })
	ended := make(chan error, 1)
	client := h.dial()
	go func() {
		_, err := client.Process(t.Context(), signProcess())
		ended <- err
	}()
	waitFor(t, func() bool { return p.started.Load() == 1 })
	h.stop()
	h.served.Wait()
	if err := await(t, "the answer to a call", ended); status.Code(err) != codes.DeadlineExceeded || kindOfStatus(t, err) != "timeout" {
		t.Error(err)
	}
	if !strings.Contains(h.log.String(), "the drain time is over") {
		t.Error(h.log)
	}
}

func TestStreamsEndWhenNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	s := h.talk(t.Context())
	s.ask(1, signProcess())
	s.hear()
	if err := h.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	s.endsAnswered()
	h.served.Wait()
}

// endsAnswered checks that a stream ends as one of a CPM that shuts down and has answered all it has begun.
func (c conversation) endsAnswered() {
	c.t.Helper()
	if _, err := c.Recv(); status.Code(err) != codes.Unavailable || kindOfStatus(c.t, err) != "unavailable" {
		c.t.Error(err)
	}
	if got := c.Trailer().Get("cpm-answered"); !slices.Equal(got, []string{"all"}) {
		c.t.Error("cpm-answered:", got)
	}
}
