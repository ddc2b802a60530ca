package api

import (
	"sync/atomic"
	"time"
)

// large is the size of a request that leaves so much behind that the collector, seeing it alive, would let the heap grow
// to a multiple of it.
const large = 1 << 20

// betweenRuns is the least time from one run of the collector to the next: whoever sends large requests one after the other
// shall not have it running all the time, at the expense of everybody.
const betweenRuns = time.Second

// collection runs the garbage collector once a large request is gone. Beside what a request of that size costs, a run is
// cheap; small requests never cause one, nor do those that were declined before anything was made of them.
type collection struct {
	run func()
	// due says that a run is going to begin, which is enough for the requests until then. Whoever sets it has last, when the
	// run before began.
	due  atomic.Bool
	last time.Time
}

// after is told of a request of n bytes whose memory nobody uses any more.
func (c *collection) after(n int) {
	if n < large || !c.due.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(time.Until(c.last.Add(betweenRuns)), func() {
		c.last = time.Now()
		c.due.Store(false)
		c.run()
	})
}
