package ssm

import (
	"errors"
	"maps"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// counts are the adapter's own counters (specification, "Status", iv).
type counts struct {
	mu sync.Mutex
	by map[cpm.Operation]cpm.Outcomes
}

func newCounts() *counts { return &counts{by: map[cpm.Operation]cpm.Outcomes{}} }

// add counts one finished operation. Unsupported ones are the specification's "invalid encryption".
func (c *counts) add(o cpm.Operation, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.by[o]
	switch {
	case err == nil:
		n.Success++
	case errors.Is(err, fault.Unsupported):
		n.Invalid++
	default:
		n.Failed++
	}
	c.by[o] = n
}

func (c *counts) all() map[cpm.Operation]cpm.Outcomes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.by)
}
