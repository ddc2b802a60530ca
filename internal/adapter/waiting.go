package adapter

import (
	"sync"
	"sync/atomic"
)

// waiting are the questions of one side that have no answer yet. Ids count up by two and are never used again.
type waiting[A any] struct {
	party party
	late  *atomic.Uint64

	mu     sync.Mutex
	next   uint64
	open   map[uint64]chan A
	idle   chan struct{} // closed when open becomes empty; nil if nobody asked
	closed bool
}

// newWaiting begins with 1 for the side that dialled and 2 for the other. late counts the answers nobody waited for.
func newWaiting[A any](p party, first uint64, late *atomic.Uint64) *waiting[A] {
	return &waiting[A]{party: p, next: first, open: map[uint64]chan A{}, late: late}
}

// add opens a question and sends it, which must not block. Both happen under one lock, because the other side takes ids
// in ascending order only. room is how many answers the question gets at most.
func (w *waiting[A]) add(room int, send func(id uint64) error) (uint64, <-chan A, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, nil, w.party.lost()
	}
	if err := send(w.next); err != nil {
		return 0, nil, err
	}
	id := w.next
	w.next += 2
	answers := make(chan A, room)
	w.open[id] = answers
	return id, answers, nil
}

// answer hands an answer to the question it belongs to. One that nobody waits for is counted and dropped.
func (w *waiting[A]) answer(id uint64, a A) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.open[id]
	if !ok {
		w.late.Add(1)
		return
	}
	select {
	case c <- a:
	default: // more answers than the question asked for
		w.late.Add(1)
	}
}

// remove closes a question.
func (w *waiting[A]) remove(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, id)
	w.rest()
}

// close lets no more questions in and ends those that wait.
func (w *waiting[A]) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for id, c := range w.open {
		close(c)
		delete(w.open, id)
	}
	w.rest()
}

// none is closed when no question waits.
func (w *waiting[A]) none() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.rest()
	return idle
}

// rest tells who waits for none. The caller has the lock.
func (w *waiting[A]) rest() {
	if len(w.open) == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}
