package admission

import (
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Flow is whose work something is. FSPs get equal parts of the workers' time, and of an FSP's part its callers take turns.
type Flow struct {
	FSP    cpm.FSP
	Caller Caller
}

// Caller is a principal without its address.
type Caller struct {
	Kind cpm.PrincipalKind
	Name string
}

// CallerOf is the caller of a principal, whatever its address.
func CallerOf(p cpm.Principal) Caller { return Caller{p.Kind, p.Name} }

// QueueConfig is what a Queue is made of.
type QueueConfig struct {
	// Workers is how many take work out at once, and Most how much may wait.
	Workers, Most int
	// Patience is how long work may wait once the queue has not been empty for a second; before that, a burst may wait for twice
	// as long.
	Patience time.Duration
}

// leastPace keeps the pace above nothing, from where it could not rise.
const leastPace = 1e-3

// standing is when waiting work is no burst any more.
const standing = time.Second

// quantum is the part of an FSP's turn: about one RSA-2048 signature.
const quantum = time.Millisecond

// maxEffort bounds how many turns one piece of work can cost.
const maxEffort = 64 * quantum

// Queue is work that waits for a few workers. It is taken out in turns of equal effort (deficit round robin, Shreedhar and
// Varghese 1996), and what would wait for too long is not let in: a long queue makes nothing faster, and everything late.
type Queue[T any] struct {
	config QueueConfig
	born   time.Time

	mu     sync.Mutex
	ready  sync.Cond
	shares map[cpm.FSP]*share[T]
	ring   []*share[T]
	turn   int
	spare  []*share[T] // emptied ones, to be used again
	count  int
	effort time.Duration // of all that waits
	filled time.Duration // when the queue was empty last
	pace   float64       // time that work takes, over its effort
	closed bool
}

// Job is work in the queue, or taken out of it.
type Job[T any] struct {
	Work T
	// Effort is about how long it takes a worker on the reference machine.
	Effort time.Duration
}

// NewQueue makes an empty Queue.
func NewQueue[T any](c QueueConfig) *Queue[T] {
	q := &Queue[T]{config: c, born: time.Now(), shares: map[cpm.FSP]*share[T]{}, pace: 1}
	q.ready.L = &q.mu
	return q
}

// Offer lets work wait for a worker, or declines it: when its part of the queue is full, when it would wait for too long, or
// when it could not be done by deadline; the zero time is none.
func (q *Queue[T]) Offer(f Flow, deadline time.Time, j Job[T]) *fault.Error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.offer(f, deadline, &j); e != nil {
		return e
	}
	q.ready.Signal()
	return nil
}

// offer is Offer for who has the lock. It brings the effort within bounds.
func (q *Queue[T]) offer(f Flow, deadline time.Time, j *Job[T]) *fault.Error {
	j.Effort = min(max(j.Effort, quantum/16), maxEffort)
	if e := q.judge(f, deadline, j.Effort); e != nil {
		return e
	}
	if q.count == 0 {
		q.filled = time.Since(q.born)
	}
	s := q.share(f.FSP)
	s.push(f.Caller, *j)
	q.count++
	q.effort += j.Effort
	return nil
}

// Take gives the next work, waiting for it; false when the queue is closed and empty.
func (q *Queue[T]) Take() (Job[T], bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count == 0 {
		if q.closed {
			return Job[T]{}, false
		}
		q.ready.Wait()
	}
	return q.take(), true
}

// take is the work whose turn it is. There is some, and the caller has the lock.
func (q *Queue[T]) take() Job[T] {
	j := q.next()
	q.count--
	q.effort -= j.Effort
	return j
}

// TooLate says that work taken out now would not be done by deadline; the zero time is none.
func (q *Queue[T]) TooLate(deadline time.Time, j Job[T]) bool {
	if deadline.IsZero() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	// Half of what it usually takes: the estimate is one of all work, and what is begun in vain is the lesser harm.
	return time.Until(deadline) < q.scaled(j.Effort)/2
}

// Took is told how long work took a worker, from which the queue knows how long others will wait.
func (q *Queue[T]) Took(j Job[T], d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.took(j, d)
}

func (q *Queue[T]) took(j Job[T], d time.Duration) {
	const weight, surprise = 1.0 / 16, 4 // one that was interrupted for long says little about the others
	q.pace += (min(float64(d)/float64(j.Effort), surprise*q.pace) - q.pace) * weight
	q.pace = max(q.pace, leastPace)
}

// Close lets Take end once the queue is empty. Nothing may be offered after it.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}

// Waiting is how much waits.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// judge declines what must not wait. The caller has the lock.
func (q *Queue[T]) judge(f Flow, deadline time.Time, effort time.Duration) *fault.Error {
	has := 0
	if s := q.shares[f.FSP]; s != nil {
		has = s.count
	}
	wait := q.wait(f)
	switch {
	case !within(has, 1, q.config.Most-q.count):
		return Decline(QueueFull, wait, "too many requests wait for this adapter; try again shortly")
	case wait > 0 && !deadline.IsZero() && time.Until(deadline) < wait+q.scaled(effort):
		return Decline(Deadline, wait, "the adapter is busy and could not answer in time; try again shortly")
	case wait > q.patience():
		return Decline(QueueWait, wait, "the adapter is busy; try again shortly")
	}
	return nil
}

// wait is how long work of a flow would about wait now: for its own before it, and meanwhile for the turns of the others.
func (q *Queue[T]) wait(f Flow) time.Duration {
	if q.count == 0 {
		return 0
	}
	s, sharers := q.shares[f.FSP], len(q.ring)
	own := quantum
	if s == nil {
		sharers++
	} else {
		own = s.ahead(f.Caller)
	}
	return q.scaled(min(q.effort, own*time.Duration(sharers))) / time.Duration(q.config.Workers)
}

func (q *Queue[T]) scaled(effort time.Duration) time.Duration {
	return time.Duration(float64(effort) * q.pace)
}

// patience is how long work may wait now.
func (q *Queue[T]) patience() time.Duration {
	if q.count > 0 && time.Since(q.born)-q.filled > standing {
		return q.config.Patience
	}
	return 2 * q.config.Patience
}

// next takes the work whose turn it is. There is some.
func (q *Queue[T]) next() Job[T] {
	for {
		s := q.ring[q.turn]
		if s.credit >= s.head().Effort {
			j := s.pop()
			if s.count == 0 {
				q.retire(s)
			}
			return j
		}
		s.credit += quantum
		q.advance()
	}
}

func (q *Queue[T]) advance() { q.turn = (q.turn + 1) % len(q.ring) }

// share is the FSP's; it gets one that takes its first turn last.
func (q *Queue[T]) share(f cpm.FSP) *share[T] {
	if s := q.shares[f]; s != nil {
		return s
	}
	var s *share[T]
	if n := len(q.spare); n > 0 {
		s, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		s = &share[T]{}
	}
	s.fsp, s.credit = f, quantum
	q.shares[f] = s
	q.ring = append(q.ring, nil)
	copy(q.ring[q.turn+1:], q.ring[q.turn:])
	q.ring[q.turn] = s
	q.turn = (q.turn + 1) % len(q.ring)
	return s
}

// maxSpare is how many emptied shares are kept.
const maxSpare = 64

// retire takes an empty share out of the ring. Its credit is gone: who has nothing to do saves no time for later.
func (q *Queue[T]) retire(s *share[T]) {
	delete(q.shares, s.fsp)
	q.ring = append(q.ring[:q.turn], q.ring[q.turn+1:]...)
	if q.turn >= len(q.ring) {
		q.turn = 0
	}
	if len(q.spare) < maxSpare {
		q.spare = append(q.spare, s)
	}
}
