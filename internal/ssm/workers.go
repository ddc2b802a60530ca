package ssm

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
)

// defaultQueue is how many requests may wait for a heavy worker.
const defaultQueue = 1024

// lightFactor bounds the light operations that run at once: they are short, so this is many per processor.
const lightFactor = 64

// workers keep the classes of work apart. Heavy work runs on a few workers of its own, so that a verification or an ECDSA
// signature does not wait behind a row of RSA signatures; light work runs where the request is.
type workers struct {
	heavy chan job
	light chan struct{}
	done  sync.WaitGroup
	once  sync.Once
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

func newWorkers(c Config) *workers {
	heavy := cmp.Or(max(c.HeavyWorkers, 0), runtime.NumCPU())
	light := cmp.Or(max(c.LightWorkers, 0), lightFactor*runtime.NumCPU())
	w := &workers{
		heavy: make(chan job, cmp.Or(max(c.Queue, 0), defaultQueue)), light: make(chan struct{}, light),
	}
	for range heavy {
		w.done.Go(w.work)
	}
	return w
}

// work does heavy jobs, and after each lets waiting goroutines go first: without that the scheduler would let a worker go
// on for 10 ms, and light work would wait for as long.
func (w *workers) work() {
	for j := range w.heavy {
		if err := j.ctx.Err(); err != nil {
			j.outcome <- outcome{err: tooLate(err)}
			continue
		}
		result, err := j.do()
		j.outcome <- outcome{result, err}
		runtime.Gosched()
	}
}

// run does the work and answers by ctx's deadline. When the queue is full it answers Busy at once.
func (w *workers) run(ctx context.Context, c operation.Cost, do func() (*cpm.Result, error)) (*cpm.Result, error) {
	if c == operation.Light {
		return w.runLight(ctx, do)
	}
	answer := make(chan outcome, 1)
	select {
	case w.heavy <- job{ctx, do, answer}:
	default:
		return nil, fault.New(fault.Busy, "too many requests wait for this adapter; try again shortly")
	}
	select {
	case o := <-answer:
		return o.result, o.err
	case <-ctx.Done():
		return nil, tooLate(ctx.Err())
	}
}

func (w *workers) runLight(ctx context.Context, do func() (*cpm.Result, error)) (*cpm.Result, error) {
	select {
	case w.light <- struct{}{}:
	case <-ctx.Done():
		return nil, tooLate(ctx.Err())
	}
	defer func() { <-w.light }()
	return do()
}

// close ends the workers once the queue is empty; nothing may be run after it.
func (w *workers) close() {
	w.once.Do(func() { close(w.heavy) })
	w.done.Wait()
}

func tooLate(cause error) error {
	return fault.New(fault.Timeout, "the adapter could not answer in time").Because(cause)
}
