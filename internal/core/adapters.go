package core

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// adapter is a running adapter: its endpoints, all equal, and its state.
type adapter struct {
	config    *route.Adapter
	endpoints []*endpoint
	state     atomic.Pointer[cpm.State]

	gate    sync.Mutex // guards retired and the entry of requests
	retired bool
	busy    sync.WaitGroup
}

// able is nil when the adapter can take requests.
func (a *adapter) able() error {
	if s := a.State(); s != cpm.Active {
		return fault.New(fault.Unavailable, "the adapter of this route is %s", s)
	}
	return nil
}

// State is the adapter's state as the core sees it. An Active one none of whose endpoints is up is Inactive.
func (a *adapter) State() cpm.State {
	s := *a.state.Load()
	if s == cpm.Active && a.choose(nil) == nil {
		return cpm.Inactive
	}
	return s
}

func (a *adapter) become(s cpm.State) { a.state.Store(&s) }

// enter counts a request in, unless a newer configuration has no such adapter any more.
func (a *adapter) enter() bool {
	a.gate.Lock()
	defer a.gate.Unlock()
	if !a.retired {
		a.busy.Add(1)
	}
	return !a.retired
}

// isRetired says whether a newer configuration has no such adapter any more.
func (a *adapter) isRetired() bool {
	a.gate.Lock()
	defer a.gate.Unlock()
	return a.retired
}

func (a *adapter) leave() { a.busy.Done() }

// ending is how an adapter's endpoints end: (*endpoint).shutdown when an operator wants it, (*endpoint).release when this
// CPM merely does without them.
type ending func(*endpoint, context.Context) error

// endingOf says how an adapter ends that the snapshot has no more, or not as it was.
func (s *Snapshot) endingOf(name string) ending {
	if a, known := s.Routes.Adapter(name); known && a.Stopped {
		return (*endpoint).shutdown
	}
	return (*endpoint).release
}

// retire lets no further request in, completes those that are, and ends the endpoints, all until the timer expires
// (specification, "Shut down a single adapter", iii to v).
func (a *adapter) retire(ctx context.Context, timer time.Duration, end ending) error {
	ctx, cancel := context.WithTimeout(ctx, timer)
	defer cancel()
	a.gate.Lock()
	a.retired = true
	a.gate.Unlock()
	return errors.Join(wait(ctx, &a.busy), a.end(ctx, end))
}

// choose takes the least busy endpoint that is up, other than the ones tried already.
func (a *adapter) choose(tried []*endpoint) *endpoint {
	var best *endpoint
	for _, e := range a.endpoints {
		if e.up() && !slices.Contains(tried, e) && (best == nil || e.busy.Load() < best.busy.Load()) {
			best = e
		}
	}
	return best
}

// allow lets keys in again that were taken out of use, as a resumed one.
func (a *adapter) allow(versions []*keys.Version) {
	for _, e := range a.endpoints {
		e.allow(versions)
	}
}

// drop takes keys out of every endpoint until they are allowed again.
func (a *adapter) drop(ctx context.Context, ids []cpm.KeyID) error {
	var problems []error
	for _, e := range a.endpoints {
		problems = append(problems, e.drop(ctx, ids))
	}
	return errors.Join(problems...)
}

// end ends every endpoint in an orderly way, all at once.
func (a *adapter) end(ctx context.Context, end ending) error {
	a.become(cpm.ShuttingDown)
	problems := make([]error, len(a.endpoints))
	var group sync.WaitGroup
	for i, e := range a.endpoints {
		group.Go(func() { problems[i] = end(e, ctx) })
	}
	group.Wait()
	a.become(cpm.Inactive)
	return errors.Join(problems...)
}

// configure tells every endpoint that can be reached, and can be told while it works, its configuration, each with a timer of
// its own (specification, "RefreshConfig").
func (a *adapter) configure(ctx context.Context, timer time.Duration) error {
	var problems []error
	for _, e := range a.endpoints {
		m, able := e.module.(cpm.Configurable)
		if !able || !e.up() {
			continue
		}
		inner, cancel := context.WithTimeout(ctx, timer)
		if err := m.Configure(inner, a.config.Operations, a.config.Settings); err != nil {
			problems = append(problems, fault.New(fault.Device, "the adapter did not take its configuration").Because(err))
		}
		cancel()
	}
	return joined(problems)
}

// startAdapters gives next its running adapters: those of before whose configuration is the same, and new ones, which are
// started all at once. When one cannot be started, the others started here are given back and before stays as it is.
func (c *Core) startAdapters(ctx context.Context, next, before *Snapshot) error {
	running := map[string]*adapter{}
	var fresh []*adapter
	for _, config := range next.Routes.Adapters() {
		if !config.Security() || !config.Enabled || config.Stopped {
			continue
		}
		if old := before.running(config); old != nil {
			running[config.Name] = old
			continue
		}
		a := &adapter{config: config}
		fresh = append(fresh, a)
		running[config.Name] = a
	}
	if err := c.startAll(ctx, fresh); err != nil {
		return err
	}
	next.adapters = running
	return nil
}

func (c *Core) startAll(ctx context.Context, fresh []*adapter) error {
	problems := make([]error, len(fresh))
	var group sync.WaitGroup
	for i, a := range fresh {
		group.Go(func() { problems[i] = c.start(ctx, a) })
	}
	group.Wait()
	err := joined(problems)
	if err != nil {
		for _, a := range fresh {
			c.logClosed(ctx, a.config.Name, a.end(ctx, (*endpoint).release))
		}
	}
	return err
}

// running finds the running adapter of the same configuration.
func (s *Snapshot) running(config *route.Adapter) *adapter {
	if s == nil {
		return nil
	}
	a, ok := s.adapters[config.Name]
	if !ok || !same(a.config, config) {
		return nil
	}
	return a
}

func same(a, b *route.Adapter) bool {
	return a.Kind == b.Kind && a.Launch == b.Launch && a.Identity == b.Identity &&
		slices.Equal(a.Operations, b.Operations) && slices.Equal(a.Endpoints, b.Endpoints) && bytes.Equal(a.Settings, b.Settings)
}

// start opens every endpoint of an adapter, all at once: one that cannot be reached holds up no other.
func (c *Core) start(ctx context.Context, a *adapter) error {
	places := a.config.Places()
	opened, problems := make([]*endpoint, len(places)), make([]error, len(places))
	var group sync.WaitGroup
	for i, address := range places {
		group.Go(func() {
			module, err := c.config.Open(ctx, a.config, address)
			if err != nil {
				problems[i] = err
				return
			}
			opened[i] = newEndpoint(module)
		})
	}
	group.Wait()
	a.endpoints = slices.DeleteFunc(opened, func(e *endpoint) bool { return e == nil })
	if err := errors.Join(problems...); err != nil {
		return fault.New(fault.Unavailable, "the adapter %s could not be started", a.config.Name).Because(err)
	}
	a.become(cpm.Active)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active", obs.Event("adapter.active"), obs.Adapter(a.config.Name))
	return nil
}
