package ssm

import (
	"runtime"
	"time"
)

// turns is how often a worker lets others go first in a rest. What waits for its turn may itself let others go first, as gRPC does
// before it sends, and would then be behind the worker again.
const turns = 2

// A rest is short when everything that came in during a job is seen to in it. What is not short is owed; maxOwed bounds how long a
// worker goes on without a rest then, for which light work waits.
const (
	short   = 2 * time.Millisecond
	maxOwed = 4 * time.Millisecond
)

// rest is what a worker takes between heavy jobs, so that everything else can go first that waits for a processor or has come
// meanwhile. The scheduler would let it go on for 10 ms, and light work would wait for as long. In a flood of light work rests
// take long, and looking out longer still; then the worker makes up for them before the next.
type rest struct {
	lookout *lookout
	// owed and blind are for how long there will be no rest, and no looking out.
	owed, blind time.Duration
}

// take is a rest after so much work, when more of it waits or when not.
func (r *rest) take(worked time.Duration, more bool) {
	r.owed, r.blind = max(r.owed-worked, 0), max(r.blind-worked, 0)
	if r.owed > 0 {
		return
	}
	began := time.Now()
	if more && r.blind == 0 { // without more the worker is about to wait itself
		r.lookout.look()
		r.blind = owing(time.Since(began))
	}
	for range turns {
		if runtime.Gosched(); time.Since(began) > maxOwed {
			break
		}
	}
	r.owed = min(owing(time.Since(began)), maxOwed)
}

// owing is what a worker owes itself after a rest of d.
func owing(d time.Duration) time.Duration {
	if d < short {
		return 0
	}
	return d
}
