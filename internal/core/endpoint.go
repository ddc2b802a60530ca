package core

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// endpoint is one place an adapter works at: a module, in process or across a link, and which keys it was given.
type endpoint struct {
	module cpm.Module
	holder cpm.KeyHolder // nil for a module whose keys live in hardware
	linked cpm.Linked    // nil for a module in process
	busy   atomic.Int64

	mu    sync.RWMutex // guards what follows; never held while the module is asked
	given map[cpm.KeyID]bool
	// gone are keys taken out of use: a request still on its way with an older snapshot must not bring one back.
	gone    map[cpm.KeyID]bool
	putting map[cpm.KeyID]*putting
}

// putting is a key on its way to the module; the first request that needs it takes it there, the others wait.
type putting struct {
	done chan struct{}
	err  error
}

// errTakenOut is the cause when a key may no longer be used that could when the request was resolved.
var errTakenOut = errors.New("the key was dropped for good")

func newEndpoint(m cpm.Module) *endpoint {
	e := &endpoint{module: m, given: map[cpm.KeyID]bool{}, gone: map[cpm.KeyID]bool{}, putting: map[cpm.KeyID]*putting{}}
	e.holder, _ = m.(cpm.KeyHolder)
	e.linked, _ = m.(cpm.Linked)
	return e
}

// up says whether requests can reach the module.
func (e *endpoint) up() bool { return e.linked == nil || e.linked.Up() }

// hold gives the module the keys it has not been given yet. Keys are put before their first use, never in bulk.
func (e *endpoint) hold(ctx context.Context, m *keys.Manager, versions []*keys.Version) error {
	if e.holder == nil {
		return nil
	}
	for _, v := range versions {
		if err := e.ensure(ctx, m, v); err != nil {
			return err
		}
	}
	return nil
}

func (e *endpoint) ensure(ctx context.Context, m *keys.Manager, v *keys.Version) error {
	if e.holds(v.Ref.ID) {
		return nil
	}
	p, mine, err := e.begin(v.Ref.ID)
	switch {
	case err != nil || p == nil:
		return err
	case mine:
		e.finish(ctx, v.Ref.ID, p, e.put(ctx, m, v))
		return p.err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fault.New(fault.Timeout, "the key was not with the adapter in time").Because(ctx.Err())
	}
}

func (e *endpoint) holds(id cpm.KeyID) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.given[id]
}

// begin says who takes the key there; nil is that it is there by now.
func (e *endpoint) begin(id cpm.KeyID) (p *putting, mine bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone[id]:
		return nil, false, fault.New(fault.State, "the key was taken out of use while the request was on its way").Because(errTakenOut)
	case e.given[id]:
		return nil, false, nil
	case e.putting[id] != nil:
		return e.putting[id], false, nil
	}
	p = &putting{done: make(chan struct{})}
	e.putting[id] = p
	return p, true, nil
}

func (e *endpoint) put(ctx context.Context, m *keys.Manager, v *keys.Version) error {
	material, err := m.Material(ctx, v)
	if err != nil {
		return err
	}
	return e.holder.Put(ctx, material)
}

// finish tells those that wait. A key taken out of use meanwhile is dropped again.
func (e *endpoint) finish(ctx context.Context, id cpm.KeyID, p *putting, err error) {
	e.mu.Lock()
	delete(e.putting, id)
	gone := e.gone[id]
	if err == nil && !gone {
		e.given[id] = true
	}
	e.mu.Unlock()
	if err == nil && gone {
		err = fault.New(fault.State, "the key was taken out of use while the request was on its way").Because(errTakenOut)
		_ = e.holder.Drop(ctx, id)
	}
	p.err = err
	close(p.done)
}

// forget makes the next hold put the keys again.
func (e *endpoint) forget(versions []*keys.Version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range versions {
		delete(e.given, v.Ref.ID)
	}
}

// allow ends what drop began for keys that may be used again.
func (e *endpoint) allow(versions []*keys.Version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.gone) == 0 {
		return
	}
	for _, v := range versions {
		delete(e.gone, v.Ref.ID)
	}
}

// drop takes keys out of the module until they are allowed again; when it returned no new operation uses them.
func (e *endpoint) drop(ctx context.Context, ids []cpm.KeyID) error {
	if e.holder == nil || len(ids) == 0 {
		return nil
	}
	e.mu.Lock()
	for _, id := range ids {
		e.gone[id] = true
		delete(e.given, id)
	}
	e.mu.Unlock()
	return e.holder.Drop(ctx, ids...)
}

// release gives a module back that others may use, too. One that is ours alone ends.
func (e *endpoint) release(ctx context.Context) error {
	if shared, ok := e.module.(cpm.Shared); ok {
		return shared.Release(ctx)
	}
	return e.shutdown(ctx)
}

// shutdown ends the module in an orderly way.
func (e *endpoint) shutdown(ctx context.Context) error {
	if controlled, ok := e.module.(cpm.Controlled); ok {
		return controlled.Shutdown(ctx)
	}
	return nil
}
