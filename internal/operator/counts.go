package operator

import (
	"maps"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
)

// counts are the adapter's own counters: each valid command by success and failure, and what was no valid command under
// "" (specification, "Status", ii). The names are those of the commands, never a caller's words.
type counts struct {
	mu        *sync.Mutex
	byCommand map[string]cpm.Outcomes
}

func newCounts() counts {
	c := counts{mu: new(sync.Mutex), byCommand: map[string]cpm.Outcomes{}}
	for _, name := range cpm.Commands() {
		c.byCommand[string(name)] = cpm.Outcomes{}
	}
	return c
}

func (c counts) all() map[string]cpm.Outcomes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byCommand)
}

func (c counts) valid(name cpm.CommandName, success bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.byCommand[string(name)]
	if success {
		o.Success++
	} else {
		o.Failed++
	}
	c.byCommand[string(name)] = o
}

func (c counts) invalid() {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.byCommand[""]
	o.Invalid++
	c.byCommand[""] = o
}
