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

// retire lets no further request in, completes those that are, and ends the endpoints, all until the timer expires
// (specification, "Shut down a single adapter", iii to v).
func (a *adapter) retire(ctx context.Context, timer time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timer)
	defer cancel()
	a.gate.Lock()
	a.retired = true
	a.gate.Unlock()
	return errors.Join(wait(ctx, &a.busy), a.shutdown(ctx))
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

// shutdown ends every endpoint in an orderly way.
func (a *adapter) shutdown(ctx context.Context) error {
	a.become(cpm.ShuttingDown)
	var problems []error
	for _, e := range a.endpoints {
		problems = append(problems, e.shutdown(ctx))
	}
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

// startAdapters gives next its running adapters: those of before whose configuration is the same, and new ones. When one
// cannot be started, those already started here are ended and before stays as it is.
func (c *Core) startAdapters(ctx context.Context, next, before *Snapshot) error {
	running := map[string]*adapter{}
	var started []*adapter
	for _, config := range next.Routes.Adapters() {
		if !config.Security() || !config.Enabled || config.Stopped {
			continue
		}
		if old := before.running(config); old != nil {
			running[config.Name] = old
			continue
		}
		a, err := c.start(ctx, config)
		if err != nil {
			for _, s := range started {
				c.logClosed(ctx, s.config.Name, s.shutdown(ctx))
			}
			return err
		}
		started = append(started, a)
		running[config.Name] = a
	}
	next.adapters = running
	return nil
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

func (c *Core) start(ctx context.Context, config *route.Adapter) (*adapter, error) {
	a := &adapter{config: config}
	for _, address := range config.Places() {
		module, err := c.config.Open(ctx, config, address)
		if err != nil {
			c.logClosed(ctx, config.Name, a.shutdown(ctx))
			return nil, fault.New(fault.Unavailable, "the adapter %s could not be started", config.Name).Because(err)
		}
		a.endpoints = append(a.endpoints, newEndpoint(module))
	}
	a.become(cpm.Active)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active", obs.Event("adapter.active"), obs.Adapter(config.Name))
	return a, nil
}
