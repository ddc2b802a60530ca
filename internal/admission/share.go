package admission

import (
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// share is the waiting work of one FSP: a line for each caller, which take turns.
type share[T any] struct {
	fsp    cpm.FSP
	credit time.Duration // effort this FSP may still have in its turn
	count  int
	effort time.Duration
	lines  []*line[T]
	turn   int
	spare  *line[T]
}

// line is the waiting work of one caller, first come first served.
type line[T any] struct {
	caller Caller
	jobs   []Job[T]
	first  int
	effort time.Duration
}

func (s *share[T]) push(c Caller, j Job[T]) {
	l := s.line(c)
	l.jobs = append(l.jobs, j)
	l.effort += j.Effort
	s.count++
	s.effort += j.Effort
}

// line is the caller's. A new one comes last: behind the others of this round.
func (s *share[T]) line(c Caller) *line[T] {
	if l := s.find(c); l != nil {
		return l
	}
	l := s.spare
	if s.spare = nil; l == nil {
		l = &line[T]{}
	}
	l.caller = c
	s.lines = append(s.lines, nil)
	copy(s.lines[s.turn+1:], s.lines[s.turn:])
	s.lines[s.turn] = l
	s.turn = (s.turn + 1) % len(s.lines)
	return l
}

func (s *share[T]) find(c Caller) *line[T] {
	for _, l := range s.lines {
		if l.caller == c {
			return l
		}
	}
	return nil
}

// ahead is the effort of the FSP that goes before new work of the caller.
func (s *share[T]) ahead(c Caller) time.Duration {
	own, lines := quantum, len(s.lines)+1
	if l := s.find(c); l != nil {
		own, lines = l.effort, len(s.lines)
	}
	return min(s.effort, own*time.Duration(lines))
}

func (s *share[T]) head() *Job[T] {
	l := s.lines[s.turn]
	return &l.jobs[l.first]
}

// pop takes the head out and gives the turn to the next caller.
func (s *share[T]) pop() Job[T] {
	l := s.lines[s.turn]
	j := l.pop()
	s.credit -= j.Effort
	s.count--
	s.effort -= j.Effort
	if l.first < len(l.jobs) {
		s.turn = (s.turn + 1) % len(s.lines)
		return j
	}
	l.jobs, l.first = l.jobs[:0], 0
	s.lines = append(s.lines[:s.turn], s.lines[s.turn+1:]...)
	if s.turn >= len(s.lines) {
		s.turn = 0
	}
	s.spare = l
	return j
}

// pop moves what waits to the front from time to time, so that a line that is never empty does not grow for ever.
func (l *line[T]) pop() Job[T] {
	j := l.jobs[l.first]
	l.jobs[l.first] = Job[T]{} // nothing holds on to what is done
	l.first++
	l.effort -= j.Effort
	if l.first < len(l.jobs) && l.first >= 64 && 2*l.first >= len(l.jobs) {
		n := copy(l.jobs, l.jobs[l.first:])
		clear(l.jobs[n:])
		l.jobs, l.first = l.jobs[:n], 0
	}
	return j
}
