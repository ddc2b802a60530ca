package core

import (
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
)

// tally counts outcomes since start. Its labels are words of ours and names that are configured, never a caller's text.
type tally[L comparable] struct {
	mu sync.Mutex
	by map[L]cpm.Outcomes
}

func newTally[L comparable]() *tally[L] { return &tally[L]{by: map[L]cpm.Outcomes{}} }

// outcome is how something that was asked for ended.
type outcomeOf uint8

const (
	succeeded outcomeOf = iota
	failed
	invalid
)

func (t *tally[L]) add(l L, o outcomeOf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.by[l]
	switch o {
	case succeeded:
		n.Success++
	case failed:
		n.Failed++
	case invalid:
		n.Invalid++
	}
	t.by[l] = n
}

// each calls f for every label, in no order.
func (t *tally[L]) each(f func(L, cpm.Outcomes)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l, n := range t.by {
		f(l, n)
	}
}
