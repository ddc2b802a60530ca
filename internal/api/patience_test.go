package api

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// patience is how long a test waits for what has no time of its own: far longer than anything takes on a busy machine, and far
// shorter than the time of all tests together, whose end does not say who has waited for what.
const patience = time.Minute

// patience is none in benchmarks, which count what a request costs.
func (h *house) patience() time.Duration {
	if _, measured := h.t.(*testing.B); measured {
		return 0
	}
	return patience
}

// await is what comes out of a channel. If nothing does, the test ends with what it has waited for.
func await[T any](t testing.TB, what string, from <-chan T) (got T) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case got = <-from:
	case <-late.C:
		t.Fatalf("waited %v for %s", patience, what)
	}
	return got
}

// beside does something beside the test. What it gives waits for what came of it, and ends the test when that is an error: a
// goroutine that is not the test's must not do so, as it would itself end without a word to the test, which waits for it.
func beside[T any](t testing.TB, what string, do func() (T, error)) (wait func() T) {
	type outcome struct {
		got T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		got, err := do()
		done <- outcome{got, err}
	}()
	return func() T {
		t.Helper()
		o := await(t, what, done)
		if o.err != nil {
			t.Fatalf("%s: %v", what, o.err)
		}
		return o.got
	}
}

// ports are what serves the ports of a house.
type ports struct {
	sync.WaitGroup
	t testing.TB
}

// Wait waits until the ports have ended, but no longer than is of use.
func (p *ports) Wait() {
	p.t.Helper()
	ended := make(chan struct{})
	go func() {
		p.WaitGroup.Wait()
		close(ended)
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		p.t.Errorf("a port has not ended within %v", patience)
	}
}

// Drain is the Door's, and its error when that goes on for longer than is of use.
func (h *house) Drain(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- h.Door.Drain(ctx) }()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("the drain has not ended within %v", patience)
	}
}

// reach connects without TLS, for as long as is of use.
func reach(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// impatient makes a client cut off a call that does not go on. A deadline would be told to the server, which has to be tried without
// one.
func impatient() []grpc.DialOption {
	unary := func(
		ctx context.Context, method string, in, out any, c *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption,
	) error {
		ctx, cut := context.WithCancel(ctx)
		defer cut()
		return inTime(method, cut, func() error { return call(ctx, method, in, out, c, o...) })
	}
	stream := func(
		ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, call grpc.Streamer, o ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		s := &hurried{method: method}
		ctx, s.cut = context.WithCancel(ctx)
		err := inTime("opening "+method, s.cut, func() (err error) {
			s.ClientStream, err = call(ctx, d, c, method, o...)
			return err
		})
		if err != nil {
			s.cut()
			return nil, err
		}
		return s, nil
	}
	return []grpc.DialOption{grpc.WithUnaryInterceptor(unary), grpc.WithStreamInterceptor(stream)}
}

// hurried is a stream each of whose steps has a time.
type hurried struct {
	grpc.ClientStream
	method string
	cut    context.CancelFunc
}

func (s *hurried) SendMsg(m any) error {
	return inTime("sending to "+s.method, s.cut, func() error { return s.ClientStream.SendMsg(m) })
}

func (s *hurried) RecvMsg(m any) error {
	return inTime("hearing from "+s.method, s.cut, func() error { return s.ClientStream.RecvMsg(m) })
}

// inTime does something, and cuts it off when it takes too long. The error of that has no status, so that no test takes it for one
// that it expects.
func inTime(what string, cut context.CancelFunc, do func() error) error {
	late := time.AfterFunc(patience, cut)
	if err := do(); late.Stop() {
		return err
	}
	return fmt.Errorf("%s: nothing within %v", what, patience)
}
