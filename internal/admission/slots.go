package admission

import (
	"context"
	"time"
)

// Slots let so many pieces of work run at once, each in the goroutine it came in. What finds no slot free waits in a Queue. So it
// costs next to nothing while there is little to do, and in a flood everybody gets an equal part.
type Slots struct {
	queue *Queue[*Turn]
	free  int // guarded by the queue's lock; while something waits there is none
}

// Turn is a slot that was waited for.
type Turn struct {
	job   Job[*Turn]
	ready chan struct{}
	given time.Time
	gone  bool // nobody waits for it any more
}

// NewSlots makes as many slots as the configuration has workers.
func NewSlots(c QueueConfig) *Slots {
	return &Slots{queue: NewQueue[*Turn](c), free: c.Workers}
}

// Enter takes a slot, which Leave gives back with what Enter returned: nil when there was one at once. It waits until ctx ends,
// whose error it returns then, or declines as Queue.Offer does.
func (s *Slots) Enter(ctx context.Context, f Flow, effort time.Duration) (*Turn, error) {
	if s.enter() {
		return nil, nil
	}
	t := &Turn{ready: make(chan struct{})}
	if err := s.line(ctx, f, effort, t); err != nil {
		return nil, err
	}
	select {
	case <-t.ready:
		return t, nil
	case <-ctx.Done():
	}
	s.abandon(t)
	return nil, ctx.Err()
}

func (s *Slots) enter() bool {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// line lets a turn wait, or gives it the slot that has become free meanwhile.
func (s *Slots) line(ctx context.Context, f Flow, effort time.Duration, t *Turn) error {
	deadline, _ := ctx.Deadline()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	j := Job[*Turn]{Work: t, Effort: effort}
	if e := s.queue.offer(f, deadline, &j); e != nil {
		return e
	}
	t.job = j
	if s.free > 0 {
		s.free--
		s.handOn()
	}
	return nil
}

// abandon gives up waiting, or the slot if there is one by now.
func (s *Slots) abandon(t *Turn) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if t.given.IsZero() {
		t.gone = true
		return
	}
	s.handOn()
}

// Leave gives a slot back.
func (s *Slots) Leave(t *Turn) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if t != nil {
		s.queue.took(t.job, time.Since(t.given))
	}
	s.handOn()
}

// handOn gives a slot to the next who waits for one. The caller has the queue's lock.
func (s *Slots) handOn() {
	for s.queue.count > 0 {
		t := s.queue.take().Work
		if t.gone {
			continue
		}
		t.given = time.Now()
		close(t.ready)
		return
	}
	s.free++
}

// Waiting is how many wait for a slot.
func (s *Slots) Waiting() int { return s.queue.Waiting() }
