package ssm

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// spell is how long light work goes on for each slot before there is a rest.
const spell = time.Millisecond

// crowd is the part of the processors, one in so many, from which on light work is a crowd that has to rest.
const crowd = 4

// light runs light work where the request is, in as many slots as there are processors: it is at most for a moment that any of it
// waits for something else, so that more would only make all of it wait for all.
//
// In a crowd the goroutines of the requests would wait for a processor and not for a slot, first come first served, and requests
// that come over the network would be seen once in 10 ms. So there is a rest now and then, in which a slot is held: everything that can
// run comes to wait for a slot, and who has asked for little has its turn next.
type light struct {
	slots   *admission.Slots
	born    time.Time
	lookout *lookout
	looking atomic.Bool
	// worked is the time since the last rest in all slots, and rested when that was, since born.
	worked, rested atomic.Int64
	spell          time.Duration
	resting        sync.WaitGroup
}

func newLight(c admission.QueueConfig) *light {
	return &light{
		slots: admission.NewSlots(c), born: time.Now(), lookout: newLookout(),
		spell: spell * time.Duration(min(c.Workers, runtime.GOMAXPROCS(0))),
	}
}

func (l *light) run(ctx context.Context, what work, do func() (*cpm.Result, error)) (*cpm.Result, error) {
	turn, err := l.slots.Enter(ctx, what.flow, what.effort)
	if err != nil {
		if _, declined := errors.AsType[*fault.Error](err); !declined {
			err = tooLate(err)
		}
		return nil, err
	}
	began := time.Since(l.born)
	defer l.leave(turn, began)
	return do()
}

// leave gives the slot back, when it is time for a rest after that; the answer does not wait for it.
func (l *light) leave(turn *admission.Turn, began time.Duration) {
	if l.due(began) {
		l.resting.Go(func() { l.rest(turn) })
		return
	}
	l.slots.Leave(turn)
}

// due counts work that is done and says whether there is to be a rest.
func (l *light) due(began time.Duration) bool {
	now := time.Since(l.born)
	worked := l.worked.Add(int64(now - began))
	if worked < int64(l.spell) || !l.worked.CompareAndSwap(worked, 0) {
		return false
	}
	since := int64(now) - l.rested.Swap(int64(now))
	return since < crowd*int64(spell) // in which so many processors had a spell of it each
}

// rest lets everything go first that can run, what has come over the network too.
func (l *light) rest(turn *admission.Turn) {
	if l.looking.CompareAndSwap(false, true) {
		l.lookout.look()
		l.looking.Store(false)
	}
	runtime.Gosched()
	l.slots.Leave(turn)
}

// close waits for the rests; nothing may be run after it.
func (l *light) close() {
	l.resting.Wait()
	l.lookout.close()
}
