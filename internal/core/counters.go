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
	by   sync.Map // label → *count
	late atomic.Uint64
}

type label struct{ operation, fsp, adapter string }

type count struct{ success, failed atomic.Uint64 }

func newCounters() *counters { return &counters{} }

// of is the counter of a request as far as it came: a request declined before its route was known has no adapter.
func (c *counters) of(t *trip) *count {
	l := label{t.operationLabel(), t.fspLabel(), t.rule.Adapter}
	if n, ok := c.by.Load(l); ok {
		return n.(*count)
	}
	n, _ := c.by.LoadOrStore(l, &count{})
	return n.(*count)
}

// Counts lists the counters, sorted, for Status and the metrics.
func (c *Core) Counts() []obs.Count {
	var all []obs.Count
	c.counters.by.Range(func(k, v any) bool {
		l, n := k.(label), v.(*count)
		all = append(all, obs.Count{
			Operation: l.operation, FSP: l.fsp, Adapter: l.adapter, Success: n.success.Load(), Failed: n.failed.Load(),
		})
		return true
	})
	slices.SortFunc(all, func(a, b obs.Count) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.FSP, b.FSP), cmp.Compare(a.Adapter, b.Adapter))
	})
	return all
}

// Late is how many answers came after their timer and were dropped.
func (c *Core) Late() uint64 { return c.counters.late.Load() }

// budget bounds the bytes in flight.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
