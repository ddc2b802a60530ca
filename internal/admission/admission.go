// Package admission decides what is taken on when more is asked for than can be done: limits for each name (Gate), room
// that nobody can have all of (Room), and a queue of which everybody gets an equal part (Queue).
//
// Whoever is not let in is told so at once, with the reason and when to try again. Nothing here knows requests or doors;
// time is monotonic and runs from when a Gate or Queue was made.
package admission

import (
	"errors"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Reason is why something was not taken on. It is the cause of the Busy fault, and a label of the metrics.
type Reason string

// The reasons.
const (
	CallerRate  Reason = "caller-rate"        // the caller's rate is used up
	CallerMany  Reason = "caller-concurrency" // the caller has as many requests under way as it may
	FSPRate     Reason = "fsp-rate"           // the FSP's rate is used up
	FSPMany     Reason = "fsp-concurrency"    // the FSP has as many requests under way as it may
	QueueWait   Reason = "queue-wait"         // it would wait too long for a worker
	QueueFull   Reason = "queue-full"         // its part of the queue is full
	Deadline    Reason = "deadline"           // the answer could not be there in time
	LinkCredit  Reason = "link-credit"        // its part of what may be under way on a link is used up
	Bytes       Reason = "bytes"              // too many bytes are being processed
	Reading     Reason = "reading"            // too many bytes are being received
	Calls       Reason = "calls"              // too many gRPC calls are open
	AdapterBusy Reason = "adapter"            // an adapter across a link declined
)

// Error makes a cause of a Reason.
func (r Reason) Error() string { return "shed: " + string(r) }

// ReasonOf is why a Busy fault was given; one that does not say came from an adapter across a link.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[Reason](err); ok {
		return r
	}
	return AdapterBusy
}

// Limits bound what one name may ask for. A member that is 0 does not limit.
type Limits struct {
	// PerSecond is how many operations may begin in a second, over time.
	PerSecond int `json:"perSecond,omitempty"`
	// Burst is how many may begin at once after a pause; 0 is as many as in a second.
	Burst int `json:"burst,omitempty"`
	// Concurrent is how many may be under way at once.
	Concurrent int `json:"concurrent,omitempty"`
}

// Bounds of Limits: a rate is counted in nanoseconds.
const (
	maxPerSecond = 1_000_000
	maxCount     = 1_000_000
)

// Check says what is wrong with limits that somebody wrote.
func (l Limits) Check() error {
	switch {
	case l.PerSecond < 0 || l.PerSecond > maxPerSecond:
		return fmt.Errorf("perSecond has to be from 0, no limit, to %d", maxPerSecond)
	case l.Burst < 0 || l.Burst > maxCount:
		return fmt.Errorf("burst has to be from 0, as many as in a second, to %d", maxCount)
	case l.Concurrent < 0 || l.Concurrent > maxCount:
		return fmt.Errorf("concurrent has to be from 0, no limit, to %d", maxCount)
	case l.Burst > 0 && l.PerSecond == 0:
		return errors.New("burst says nothing without perSecond")
	}
	return nil
}

// Or gives the limits with those of general where a member is absent. A burst goes with its rate.
func (l Limits) Or(general Limits) Limits {
	if l.PerSecond == 0 {
		l.PerSecond, l.Burst = general.PerSecond, general.Burst
	}
	if l.Concurrent == 0 {
		l.Concurrent = general.Concurrent
	}
	return l
}

// gap is the time between two operations at the rate, and slack how far ahead of it a burst may run.
func (l Limits) gap() time.Duration { return time.Second / time.Duration(l.PerSecond) }

func (l Limits) slack() time.Duration {
	burst := l.Burst
	if burst == 0 {
		burst = l.PerSecond
	}
	return time.Duration(burst-1) * l.gap()
}

// Shortest and longest advice when to try again.
const (
	minAdvice = 50 * time.Millisecond
	maxAdvice = time.Minute
)

// Decline is the Busy fault of a reason, with advice when to try again, within sensible bounds.
func Decline(r Reason, after time.Duration, text string) *fault.Error {
	return fault.New(fault.Busy, "%s", text).After(min(max(after, minAdvice), maxAdvice)).Because(r)
}
