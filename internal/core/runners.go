package core

import (
	"sync"
	"sync/atomic"
)

// maxIdle is how many goroutines wait for the next operation.
const maxIdle = 256

// runners are goroutines that do operations one after another. A new one for each would grow its stack anew for every
// signature, which costs about a tenth of an ECDSA signature.
type runners struct {
	jobs chan func()
	done chan struct{}
	once sync.Once
	idle atomic.Int64
}

func newRunners() *runners { return &runners{jobs: make(chan func()), done: make(chan struct{})} }

// run has a waiting goroutine do f, or a new one. It never waits for one to become free.
func (r *runners) run(f func()) {
	select {
	case r.jobs <- f:
	default:
		go r.loop(f)
	}
}

func (r *runners) loop(f func()) {
	for ok := true; ok; f, ok = r.next() {
		f()
	}
}

// next waits for another operation, unless enough others do.
func (r *runners) next() (func(), bool) {
	defer r.idle.Add(-1)
	if r.idle.Add(1) > maxIdle {
		return nil, false
	}
	select {
	case f := <-r.jobs:
		return f, true
	case <-r.done:
		return nil, false
	}
}

// close lets the waiting goroutines end. Operations may still be run after it.
func (r *runners) close() { r.once.Do(func() { close(r.done) }) }
