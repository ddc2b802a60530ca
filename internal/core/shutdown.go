package core

import (
	"context"
	"errors"
	"sync"

	"github.com/mojaloop/cpm/internal/route"
)

// endAdapters ends the adapters of a CPM that has answered every request: first those that change keys, then those that
// work, and last those through which the operator is told (specification, "Shutdown", 3 to 6). Each has its own timer. When
// no operator has commanded it, this process alone ends: what other CPMs may use is given back and stays.
func (c *Core) endAdapters(ctx context.Context) error {
	err := c.endWorking(ctx)
	// Changes that waited for their turn are declined now, so that the adapters they came through can be drained.
	if c.commanded.Load() {
		c.endAttached(ctx, c.snapshot.Load(), route.TypeCommand)
	}
	return errors.Join(err, wait(ctx, &c.attached.ending))
}

// endWorking ends all but the Command adapters. No change is made meanwhile.
func (c *Core) endWorking(ctx context.Context) error {
	end := (*endpoint).release
	if c.commanded.Load() {
		end = (*endpoint).shutdown
		// Before the lock: they are drained when the key updates that wait for it have been declined.
		c.endAttached(ctx, c.snapshot.Load(), route.TypeKeyUpdate)
	}
	c.changing.Lock()
	defer c.changing.Unlock()
	c.ended = true
	err := wait(ctx, &c.retiring)
	s := c.snapshot.Load()
	var group sync.WaitGroup
	for name, a := range s.adapters {
		group.Go(func() { c.logClosed(ctx, name, a.retire(ctx, s.Settings.ShutdownTimeout, end)) })
	}
	group.Wait()
	return err
}

// endAttached ends the connected adapters of a type, and waits for them.
func (c *Core) endAttached(ctx context.Context, s *Snapshot, typ string) {
	var told []*attachment
	for _, a := range c.attached.all() {
		if a.typ == typ {
			c.end(ctx, a, s)
			told = append(told, a)
		}
	}
	awaitOver(ctx, told)
}
