package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// run is one case while it runs: its callers, and what bounds it.
type run struct {
	callers  []caller
	size     int
	duration time.Duration
	// sleep waits precisely; a parameter because tests have their own time.
	sleep func(time.Duration)

	failures atomic.Int64
	tally    *tally
}

// over says whether the case has failed so often that it ends early.
func (r *run) over() bool { return r.failures.Load() >= maxFailures }

// note records a call of a caller.
func (r *run) note(rec *record, latency time.Duration, failed int, err error) {
	rec.calls++
	rec.succeeded += r.size - failed
	if err == nil {
		rec.latencies = append(rec.latencies, latency)
		return
	}
	rec.failed += failed
	r.failures.Add(1)
	r.tally.add(err, failed)
}

// each runs work once for every caller at the same time and joins what they recorded.
func (r *run) each(work func(i int, c caller, rec *record)) *record {
	records := make([]record, len(r.callers))
	var wg sync.WaitGroup
	for i, c := range r.callers {
		wg.Go(func() { work(i, c, &records[i]) })
	}
	wg.Wait()
	return join(records)
}

// warm makes one call with every caller, so that connections are open and pools are filled before anything is timed.
func (r *run) warm(ctx context.Context) *record {
	return r.each(func(_ int, c caller, rec *record) {
		failed, err := c.call(ctx)
		r.note(rec, 0, failed, err)
	})
}

// closed keeps every caller busy: as soon as it has an answer it sends again. All answers count, up to the last one, and so
// does the time until then.
func (r *run) closed(ctx context.Context) *record {
	start := time.Now()
	limit := maxCalls / len(r.callers)
	return r.each(func(_ int, c caller, rec *record) {
		begin := start
		for rec.calls < limit && begin.Sub(start) < r.duration && !r.over() && ctx.Err() == nil {
			failed, err := c.call(ctx)
			end := time.Now()
			r.note(rec, end.Sub(begin), failed, err)
			begin = end
		}
	})
}

// open sends by the clock, rate calls a second, whether the earlier ones are answered or not. An arrival waits in the
// backlog until a caller is free; latency counts from when it was due.
func (r *run) open(ctx context.Context, rate int) *record {
	total := arrivals(rate, r.duration)
	backlog := make(chan time.Duration, min(total, arrivals(rate, patience))+1)
	start := time.Now()
	var shed record
	var pacer sync.WaitGroup
	pacer.Go(func() {
		defer close(backlog)
		r.pace(ctx, start, rate, total, backlog, &shed)
	})
	all := r.each(func(_ int, c caller, rec *record) { r.serve(ctx, c, rec, start, backlog) })
	pacer.Wait()
	return join([]record{*all, shed})
}

// arrivals is how many calls are due in a time, at most maxCalls.
func arrivals(rate int, d time.Duration) int {
	return min(maxCalls, int(int64(rate)*int64(d)/int64(time.Second)))
}

// pace puts arrivals into the backlog when they are due. One that finds the backlog full is given up at once.
func (r *run) pace(ctx context.Context, start time.Time, rate, total int, backlog chan<- time.Duration, shed *record) {
	for i := range total {
		due := time.Duration(int64(i) * int64(time.Second) / int64(rate))
		if wait := due - time.Since(start); wait > 0 {
			r.sleep(wait)
		}
		shed.lateness = append(shed.lateness, time.Since(start)-due)
		if r.over() || ctx.Err() != nil {
			shed.unsent += total - i
			return
		}
		select {
		case backlog <- due:
		default:
			shed.giveUp(patience)
		}
	}
}

// serve takes arrivals from the backlog and makes their calls.
func (r *run) serve(ctx context.Context, c caller, rec *record, start time.Time, backlog <-chan time.Duration) {
	for due := range backlog {
		if late := time.Since(start) - due; late > patience || r.over() || ctx.Err() != nil {
			rec.giveUp(late)
			continue
		}
		failed, err := c.call(ctx)
		r.note(rec, time.Since(start)-due, failed, err)
	}
}

// samples are requests to verify signatures out of the last answers of some callers.
func (r *run) samples() []*cpmv1.ProcessRequest {
	var found []*cpmv1.ProcessRequest
	for _, c := range r.callers {
		if len(found) >= maxSamples {
			break
		}
		found = append(found, c.signed()...)
	}
	return found
}

// maxSamples is about how many signatures of each case are verified.
const maxSamples = 8
