package core_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
	"github.com/mojaloop/cpm/internal/ssm"
)

// slow is a module whose requests wait for the test, and that tells when it is shut down.
type slow struct {
	*ssm.Module

	started, free chan struct{}
	told          func()
}

func (s *slow) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	close(s.started)
	<-s.free
	return s.Module.Do(ctx, r)
}

func (s *slow) Shutdown(ctx context.Context) error {
	s.told()
	return s.Module.Shutdown(ctx)
}

func TestTheCommandAdapterEndsLast(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ended []string
	tell := func(name string) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
		}
	}
	so := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ended)
	}
	r := newRig(t)
	m := &slow{started: make(chan struct{}), free: make(chan struct{}), told: tell("ssm1")}
	r.open["ssm1"] = func() (cpm.Module, error) { m.Module = newSSM(r); return m, nil }
	r.ready(operators)
	adapter := func(name string) *dialler {
		return &dialler{shutdown: func(context.Context) error { tell(name)(); return nil }}
	}
	r.attach("cmd1", "command", adapter("cmd1"))
	r.attach("kup1", "keyupdate", adapter("kup1"))
	signed := make(chan error, 1)
	go func() {
		_, err := r.sign()
		signed <- err
	}()
	<-m.started
	r.does("Shutdown", "")
	over := make(chan error, 1)
	go func() { over <- r.Shutdown(t.Context()) }()
	_, err := r.KeyUpdate(t.Context(), "kup1", "r-2", &cpmv1.KeyUpdateAsk{})
	kind(t, err, fault.Unavailable)
	if got := so(); len(got) != 0 {
		t.Errorf("%v were told to end while a request was in flight", got)
	}
	close(m.free)
	r.must(<-signed)
	r.must(<-over)
	if got := so(); !slices.Equal(got, []string{"kup1", "ssm1", "cmd1"}) {
		t.Errorf("ended in the order %v", got)
	}
	if n := len(r.events("adapter.closed")); n != 3 || r.State() != cpm.Inactive {
		t.Errorf("%d adapters were closed, the CPM is %s", n, r.State())
	}
	spec.Covers(t, "DOWN-2b", "DOWN-2c", "DOWN-3", "DOWN-5", "DOWN-6", "CMD-1b")
}

func TestAnAdapterThatDoesNotEndDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	r := running(t, operators, shortTimers)
	stuck := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	r.attach("kup1", "keyupdate", &dialler{shutdown: stuck})
	r.attach("cmd1", "command", &dialler{shutdown: stuck})
	r.does("Shutdown", "")
	r.must(r.Shutdown(t.Context()))
	r.says("adapter.closed", "kup1", "not drained when its timer expired")
	r.says("adapter.closed", "cmd1", "not drained when its timer expired")
	spec.Covers(t, "DOWN-4")
}
