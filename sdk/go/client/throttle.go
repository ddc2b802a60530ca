package client

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// How a throttle measures and what it lets go.
const (
	// span is for how long answers are counted before a rate is set.
	span = 500 * time.Millisecond
	// probe is how many more are asked than are answered, in requests a second. It is a number and no share, so that of several
	// clients those who ask for less gain on the others until all have the same.
	probe = 4.0
	// growth is how much more may be asked after each span without a decline.
	growth = 1.25
	// leastRate is how often a CPM is asked that does nothing but decline, in requests a second.
	leastRate = 8.0
	// calmSpans is after how many spans without a decline there is no limit any more.
	calmSpans = 4
	// vainSpans is after how many spans in which it has not helped a limit is given up.
	vainSpans = 4
	// leastFree and mostFree are for how many spans there is no limit where one was in vain: for twice as many each time, unless the
	// last one was of use for provenSpans.
	leastFree, mostFree, provenSpans = 4, 64, 16
	// mostWays is how many limits there are at most: names of FSPs may come from messages that anybody has sent.
	mostWays = 4096
)

// throttle declines here what a CPM that is Busy would have to decline. Even a decline costs the CPM: under an overload by much,
// a good part of its processors, which only its callers can give back. So each operation of an FSP is asked for a little more often
// than it is answered, as long as some of it is declined.
//
// The zero throttle has no limits.
type throttle struct {
	count atomic.Int32 // how many ways there are, for those who only want to know that there are none
	mu    sync.Mutex
	ways  map[way]*flow
	clean time.Time // when ways that nobody uses are forgotten again
}

// way is what has a limit of its own: an operation of an FSP.
type way struct{ fsp, operation string }

// flow is the traffic of a way.
type flow struct {
	begun      time.Time // of this span
	good, busy int       // answers of this span
	calm       int       // how many spans in a row before this one had no decline
	rate       float64   // requests a second; 0 is no limit
	next       time.Time // when the next request would be due, if they came one by one at the rate
	// freeGood and freeAll are the answers of the last span without a limit, those that were not declines and all.
	freeGood, freeAll int
	// held is for how many spans there has been a limit, vain for how many in a row it has not helped, free for how many there will be
	// none, and frees for how many it was the last time.
	held, vain, free, frees int
	advice                  time.Duration
}

// admit says whether a request may be sent; when not, what to tell its caller.
func (t *throttle) admit(w way) *Error {
	if t.count.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	f := t.find(w, now)
	if f == nil || f.take(now) {
		return nil
	}
	return &Error{
		Kind: Busy, RetryAfter: f.advice,
		Text: "the CPM was busy for this operation of this FSP a moment ago; it is asked little more often than it answers, try again later",
	}
}

// note hears of the answer of a CPM: what it advises, if it is busy.
func (t *throttle) note(w way, busy bool, advice time.Duration) {
	if !busy && t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	f := t.find(w, now)
	if f == nil && busy {
		f = t.begin(w, now)
	}
	switch {
	case f == nil:
	case busy:
		f.busy++
		if advice > 0 {
			f.advice = advice
		}
	default:
		f.good++
	}
}

// find is the flow of a way; nil if it has no limit, or none any more.
func (t *throttle) find(w way, now time.Time) *flow {
	t.sweep(now)
	f := t.ways[w]
	if f != nil && !f.roll(now) {
		t.forget(w)
		return nil
	}
	return f
}

// begin makes a way that a CPM was busy for; nil if there are too many.
func (t *throttle) begin(w way, now time.Time) *flow {
	if t.ways == nil {
		t.ways = map[way]*flow{}
	}
	if len(t.ways) >= mostWays {
		return nil
	}
	f := &flow{begun: now, calm: 1}
	t.ways[w] = f
	t.count.Store(int32(len(t.ways))) //nolint:gosec // bounded by mostWays
	return f
}

// sweep forgets the ways that nobody uses any more. It looks at all of them, so it is done now and then only.
func (t *throttle) sweep(now time.Time) {
	if now.Before(t.clean) {
		return
	}
	t.clean = now.Add(calmSpans * span)
	maps.DeleteFunc(t.ways, func(_ way, f *flow) bool { return f.idle(now) })
	t.count.Store(int32(len(t.ways))) //nolint:gosec // bounded by mostWays
}

func (t *throttle) forget(w way) {
	delete(t.ways, w)
	t.count.Store(int32(len(t.ways))) //nolint:gosec // bounded by mostWays
}

// idle says that nothing was asked or answered for as long as a limit lasts without declines.
func (f *flow) idle(now time.Time) bool { return now.Sub(f.begun) > (calmSpans+1)*span }

// roll ends the spans that are over. It is false when there is no need of a limit any more.
func (f *flow) roll(now time.Time) bool {
	if f.idle(now) {
		return false
	}
	for now.Sub(f.begun) >= span && f.calm < calmSpans {
		f.begun = f.begun.Add(span)
		f.adapt()
		f.good, f.busy = 0, 0
	}
	return f.calm < calmSpans
}

// adapt sets the rate of the next span. The first limit comes after two spans with declines only: a burst that is too much for a
// moment may come again when the CPM has said. A rate falls by half at most, because answers are also few when little was asked.
func (f *flow) adapt() {
	switch {
	case f.free > 0:
		f.free--
	case f.busy == 0:
		f.rate *= growth
		f.vain = 0
	case f.rate > 0 && f.isVain():
		f.lift()
	case f.rate > 0 || f.calm == 0:
		f.bound()
	}
	if f.calm++; f.busy > 0 {
		f.calm = 0
	}
}

func (f *flow) bound() {
	if f.rate == 0 {
		f.next, f.freeGood, f.freeAll = f.begun, f.good, f.good+f.busy
		f.held, f.vain = 0, 0
	}
	f.held++
	f.rate = max(float64(f.good)/span.Seconds()+probe, f.rate/2, leastRate)
}

func (f *flow) lift() {
	f.rate = 0
	if f.frees *= 2; f.held >= provenSpans {
		f.frees = 0
	}
	f.frees = min(max(f.frees, leastFree), mostFree)
	f.free = f.frees
}

// isVain says that a limit has not helped for some spans: less is asked, and nearly as large a part of it is declined as without a limit.
// Then it is not for the rate that the CPM declines, but for a part of the requests, such as those of one key, or of one of its
// processes; or others ask so much that who asks less only leaves them more. For a span or two that is so when others have just come.
func (f *flow) isVain() bool {
	asked := f.good + f.busy
	if f.vain++; f.freeGood == 0 || 10*asked > 9*f.freeAll || 4*f.good*f.freeAll >= asked*(3*f.freeGood+f.freeAll) {
		f.vain = 0
	}
	return f.vain >= vainSpans
}

// take lets a request go that is due: after a lull, as many at once as a span has (generic cell rate).
func (f *flow) take(now time.Time) bool {
	if f.rate == 0 {
		return true
	}
	if f.next.After(now) {
		return false
	}
	if earliest := now.Add(-span); f.next.Before(earliest) {
		f.next = earliest
	}
	f.next = f.next.Add(time.Duration(float64(time.Second) / f.rate))
	return true
}
