package ssm

import "os"

// lookout has Go's scheduler look for what has come over the network. The scheduler asks the system for that when it has nothing
// else to do, and otherwise once in 10 ms; while there is a worker for each processor and work for all of them, a request
// would wait for so long only to be seen. It waits for a pipe, as a connection waits, and so is woken with all that waits as
// it does. A nil lookout does nothing.
type lookout struct {
	here, there *os.File
	asked       chan struct{}
}

// newLookout is nil when the process may open no more files: then requests wait a little longer.
func newLookout() *lookout {
	here, there, err := os.Pipe()
	if err != nil {
		return nil
	}
	l := &lookout{here, there, make(chan struct{})}
	go l.answer()
	return l
}

// answer writes when it is asked to, which must be after the other side has begun to wait. What cannot be written to is closed, so
// that the other side does not wait for it.
func (l *lookout) answer() {
	for range l.asked {
		if _, err := l.there.Write([]byte{0}); err != nil {
			_ = l.there.Close()
		}
	}
	_ = l.there.Close()
}

// look returns once the scheduler has looked, and has done what was waiting.
func (l *lookout) look() {
	if l == nil {
		return
	}
	l.asked <- struct{}{}
	_, _ = l.here.Read(make([]byte, 1))
}

func (l *lookout) close() {
	if l == nil {
		return
	}
	close(l.asked)
	_, _ = l.here.Read(make([]byte, 1)) // until the other side is closed
	_ = l.here.Close()
}
