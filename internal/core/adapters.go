package core

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// adapter is a running adapter: its module, its state, and which keys it was given.
type adapter struct {
	config *route.Adapter
	module cpm.Module
	holder cpm.KeyHolder // nil for a module whose keys live in hardware
	state  atomic.Pointer[cpm.State]

	gate    sync.Mutex // guards retired and the entry of requests
	retired bool
	busy    sync.WaitGroup

	mu    sync.RWMutex // guards given and gone
	given map[cpm.KeyID]bool
	// gone are keys taken out for good: a request still on its way with an older snapshot must not bring one back.
	gone map[cpm.KeyID]bool
}

// able is nil when the adapter can take requests.
func (a *adapter) able() error {
	if s := a.State(); s != cpm.Active {
		return fault.New(fault.Unavailable, "the adapter of this route is %s", s)
	}
	return nil
}

// State is the adapter's state as the core sees it.
func (a *adapter) State() cpm.State { return *a.state.Load() }

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

func (a *adapter) leave() { a.busy.Done() }

// retire lets no further request in, completes those that are, and ends the module.
func (a *adapter) retire(ctx context.Context, log *slog.Logger) {
	a.gate.Lock()
	a.retired = true
	a.gate.Unlock()
	if err := wait(ctx, &a.busy); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "the adapter ends with requests in flight", obs.Event("adapter.retire-late"),
			obs.Adapter(a.config.Name), obs.Err(err))
	}
	a.shutdown(ctx, log)
}

// hold gives the module the keys it has not been given yet. Keys are put before their first use, never in bulk.
func (a *adapter) hold(ctx context.Context, m *keys.Manager, versions []*keys.Version) error {
	if a.holder == nil || a.holds(versions) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range versions {
		if err := a.put(ctx, m, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *adapter) holds(versions []*keys.Version) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, v := range versions {
		if !a.given[v.Ref.ID] {
			return false
		}
	}
	return true
}

func (a *adapter) put(ctx context.Context, m *keys.Manager, v *keys.Version) error {
	if a.given[v.Ref.ID] {
		return nil
	}
	if a.gone[v.Ref.ID] {
		return fault.New(fault.State, "the key was taken out of use while the request was on its way")
	}
	material, err := m.Material(ctx, v)
	if err != nil {
		return err
	}
	if err := a.holder.Put(ctx, material); err != nil {
		return err
	}
	a.given[v.Ref.ID] = true
	return nil
}

// forget makes the next hold put the keys again.
func (a *adapter) forget(versions []*keys.Version) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range versions {
		delete(a.given, v.Ref.ID)
	}
}

// drop takes keys out of the module for good; when it returned no new operation uses them.
func (a *adapter) drop(ctx context.Context, ids []cpm.KeyID) error {
	if a.holder == nil || len(ids) == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.gone[id] = true
		delete(a.given, id)
	}
	return a.holder.Drop(ctx, ids...)
}

// shutdown ends the module in an orderly way.
func (a *adapter) shutdown(ctx context.Context, log *slog.Logger) {
	a.become(cpm.ShuttingDown)
	if controlled, ok := a.module.(cpm.Controlled); ok {
		if err := controlled.Shutdown(ctx); err != nil {
			log.LogAttrs(ctx, slog.LevelWarn, "the adapter did not end in time", obs.Event("adapter.shutdown-late"),
				obs.Adapter(a.config.Name), obs.Err(err))
		}
	}
	a.become(cpm.Inactive)
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter has shut down", obs.Event("adapter.shutdown"), obs.Adapter(a.config.Name))
}

// startAdapters gives next its running adapters: those of before whose configuration is the same, and new ones. When one
// cannot be started, those already started here are ended and before stays as it is.
func (c *Core) startAdapters(ctx context.Context, next, before *Snapshot) error {
	running := map[string]*adapter{}
	var started []*adapter
	for _, config := range next.Routes.Adapters() {
		if !config.Enabled || config.Stopped {
			continue
		}
		if old := before.running(config); old != nil {
			running[config.Name] = old
			continue
		}
		a, err := c.start(ctx, config)
		if err != nil {
			for _, s := range started {
				s.shutdown(ctx, c.log)
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
		slices.Equal(a.Operations, b.Operations) && bytes.Equal(a.Settings, b.Settings)
}

func (c *Core) start(ctx context.Context, config *route.Adapter) (*adapter, error) {
	module, err := c.config.Open(ctx, config)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the adapter %s could not be started", config.Name).Because(err)
	}
	a := &adapter{config: config, module: module, given: map[cpm.KeyID]bool{}, gone: map[cpm.KeyID]bool{}}
	a.holder, _ = module.(cpm.KeyHolder)
	a.become(cpm.Active)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active", obs.Event("adapter.active"), obs.Adapter(config.Name))
	return a, nil
}

func (s *Snapshot) activeAdapters() int {
	n := 0
	for _, a := range s.adapters {
		if a.State() == cpm.Active {
			n++
		}
	}
	return n
}
