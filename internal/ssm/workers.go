package ssm

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
)

// defaultQueue is how many requests may wait for a heavy worker; those of one FSP may be half of them.
const defaultQueue = 2048

// defaultMaxWait is how long requests wait for a heavy worker when there are more than can be done: less than any sensible
// timer, and long enough to keep the workers busy.
const defaultMaxWait = 250 * time.Millisecond

// workers keep the classes of work apart. Heavy work runs on a few workers of its own, so that a verification or an ECDSA
// signature does not wait behind a row of RSA signatures; light work runs where the request is.
type workers struct {
	heavy *admission.Queue[job]
	light *light
	// crowded says that heavy work can keep all processors.
	crowded bool
	done    sync.WaitGroup
	once    sync.Once
}

// job is one piece of heavy work; its outcome channel has room for one, so that a late outcome never blocks a worker.
type job struct {
	ctx     context.Context
	do      func() (*cpm.Result, error)
	outcome chan<- outcome
}

type outcome struct {
	result *cpm.Result
	err    error
}

// work says whose a piece of work is, which class it is of, and about how long it takes.
type work struct {
	flow   admission.Flow
	cost   operation.Cost
	effort time.Duration
}

func newWorkers(c Config) *workers {
	processors := runtime.GOMAXPROCS(0) // which a container's limit counts for, unlike runtime.NumCPU
	heavy := cmp.Or(max(c.HeavyWorkers, 0), processors)
	light := cmp.Or(max(c.LightWorkers, 0), processors)
	most, patience := cmp.Or(max(c.Queue, 0), defaultQueue), cmp.Or(max(c.MaxWait, 0), defaultMaxWait)
	w := &workers{
		heavy: admission.NewQueue[job](admission.QueueConfig{
			Workers: heavy, Most: most, Patience: patience,
		}),
		light:   newLight(admission.QueueConfig{Workers: light, Most: most, Patience: patience}),
		crowded: heavy >= processors,
	}
	for range heavy {
		w.done.Go(w.work)
	}
	return w
}

// work does heavy jobs. What could not be done in time any more is not begun.
func (w *workers) work() {
	var r rest
	if w.crowded {
		r.lookout = newLookout()
		defer r.lookout.close()
	}
	for j, ok := w.heavy.Take(); ok; j, ok = w.heavy.Take() {
		if err := j.Work.ctx.Err(); err != nil {
			j.Work.outcome <- outcome{err: tooLate(err)}
			continue
		}
		if deadline, _ := j.Work.ctx.Deadline(); w.heavy.TooLate(deadline, j) {
			j.Work.outcome <- outcome{err: tooLate(context.DeadlineExceeded)}
			continue
		}
		began := time.Now()
		result, err := j.Work.do()
		j.Work.outcome <- outcome{result, err}
		r.take(time.Since(began), w.heavy.Waiting() > 0)
		w.heavy.Took(j, time.Since(began)) // with the rest, which the next job waits for too
	}
}

// run does the work and answers by ctx's deadline. What would wait for too long is declined as Busy at once.
func (w *workers) run(ctx context.Context, what work, do func() (*cpm.Result, error)) (*cpm.Result, error) {
	if what.cost == operation.Light {
		return w.light.run(ctx, what, do)
	}
	answer := make(chan outcome, 1)
	deadline, _ := ctx.Deadline()
	if e := w.heavy.Offer(what.flow, deadline, admission.Job[job]{Work: job{ctx, do, answer}, Effort: what.effort}); e != nil {
		return nil, e
	}
	select {
	case o := <-answer:
		return o.result, o.err
	case <-ctx.Done():
		return nil, tooLate(ctx.Err())
	}
}

// close ends the workers once the queue is empty; nothing may be run after it.
func (w *workers) close() {
	w.once.Do(func() {
		w.heavy.Close()
		w.done.Wait()
		w.light.close()
	})
}

func tooLate(cause error) error {
	return fault.New(fault.Timeout, "the adapter could not answer in time").Because(cause)
}
