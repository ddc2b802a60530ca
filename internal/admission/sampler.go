package admission

import (
	"sync"
	"time"
)

// Sampler lets one line of the log through in a second for each word, so that a flood of requests does not become one of
// lines. The words are a closed set.
type Sampler struct {
	mu    sync.Mutex
	words map[string]*sampled
}

type sampled struct {
	at      time.Time
	skipped uint64
}

// Pass says whether a line is to be written now, and how many were not since the last one.
func (s *Sampler) Pass(word string) (skipped uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	last, known := s.words[word]
	if !known {
		if s.words == nil {
			s.words = map[string]*sampled{}
		}
		s.words[word] = &sampled{at: now}
		return 0, true
	}
	if now.Sub(last.at) < time.Second {
		last.skipped++
		return 0, false
	}
	skipped, last.at, last.skipped = last.skipped, now, 0
	return skipped, true
}
