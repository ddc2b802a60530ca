package api

import (
	"runtime"
	"sync/atomic"
)

// large is the size of a request that leaves so much behind that the collector, seeing it alive, would let the heap grow
// to a multiple of it.
const large = 1 << 20

// collection runs the garbage collector once a large request is gone, one run at a time. Beside what a request of that
// size costs, a run is cheap; small requests never cause one.
type collection struct{ running atomic.Bool }

// after is told of a request of n bytes whose memory nobody uses any more.
func (c *collection) after(n int) {
	if n < large || !c.running.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.running.Store(false)
		runtime.GC()
	}()
}
