package core

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mojaloop/cpm/internal/obs"
)

// counters count every request by operation, FSP and adapter since start (specification, "Status", vi).
type counters struct {
	mu   sync.RWMutex
	by   map[label]*count
	late atomic.Uint64
}

type label struct{ operation, fsp, adapter string }

type count struct{ success, failed atomic.Uint64 }

func newCounters() *counters { return &counters{by: map[label]*count{}} }

// of is the counter of a request as far as it came: a request declined before its route was known has no adapter.
func (c *counters) of(t *trip) *count {
	l := label{t.operationLabel(), t.fspLabel(), t.rule.Adapter}
	c.mu.RLock()
	n, ok := c.by[l]
	c.mu.RUnlock()
	if ok {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[l] == nil {
		c.by[l] = &count{}
	}
	return c.by[l]
}

// Counts lists the counters, sorted, for Status and the metrics.
func (c *Core) Counts() []obs.Count {
	c.counters.mu.RLock()
	defer c.counters.mu.RUnlock()
	all := []obs.Count{}
	for l, n := range c.counters.by {
		all = append(all, obs.Count{
			Operation: l.operation, FSP: l.fsp, Adapter: l.adapter, Success: n.success.Load(), Failed: n.failed.Load(),
		})
	}
	slices.SortFunc(all, func(a, b obs.Count) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.FSP, b.FSP), cmp.Compare(a.Adapter, b.Adapter))
	})
	return all
}

// Late is how many answers came after their timer and were dropped, here or where a link ends.
func (c *Core) Late() uint64 {
	n := c.counters.late.Load()
	for _, a := range c.snapshot.Load().adapters {
		for _, e := range a.endpoints {
			if e.linked != nil {
				n += e.linked.Late()
			}
		}
	}
	return n
}
