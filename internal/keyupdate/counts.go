package keyupdate

import (
	"maps"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
)

// outcome is how a request ended, as the counters know it.
type outcome uint8

const (
	success outcome = iota
	failed
	invalid
)

// counts are the adapter's own counters, by action (specification, "Key Update Adapter", step 8). What was no valid key
// update, or was declined before anybody looked what it was, has no action and counts under "".
type counts struct {
	mu  sync.Mutex
	all map[string]cpm.Outcomes
}

func newCounts() *counts { return &counts{all: map[string]cpm.Outcomes{}} }

func (c *counts) add(action string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.all[action]
	switch o {
	case success:
		n.Success++
	case failed:
		n.Failed++
	case invalid:
		n.Invalid++
	}
	c.all[action] = n
}

func (c *counts) snapshot() map[string]cpm.Outcomes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.all)
}
