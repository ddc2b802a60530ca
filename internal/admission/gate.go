package admission

import (
	"sync"
	"sync/atomic"
	"time"
)

// Gate holds the limits of many names. It tracks a bounded number of them; those that find no room share one place.
type Gate[K comparable] struct {
	born time.Time
	most int

	mu     sync.RWMutex // guards what follows, not what the places count
	places map[K]*Place
	swept  time.Duration
	shared Place
}

// Place is what is counted of one name: when its rate is used up no more, and how many operations it has under way.
type Place struct {
	// due is when the next operation at an even rate may begin (the generic cell rate algorithm, ITU-T I.371): a burst runs
	// ahead of it, and as it is one number, nothing has to be locked.
	due  atomic.Int64
	busy atomic.Int64
}

// NewGate makes a Gate that tracks at most so many names.
func NewGate[K comparable](most int) *Gate[K] {
	return &Gate[K]{born: time.Now(), most: most, places: map[K]*Place{}}
}

// Why a Gate refuses.
type Why uint8

// A rate that is used up, or too many operations under way.
const (
	Rate Why = iota + 1
	Many
)

// Refusal is a Gate's no: why, and when to try again.
type Refusal struct {
	Why   Why
	After time.Duration
}

// untilFree is the advice when too many are under way: about as long as some of them take.
const untilFree = 100 * time.Millisecond

// Enter lets one operation of a name begin, which then has to Leave the place, or refuses it. Without limits there is no
// place: a nil Place is left all the same.
func (g *Gate[K]) Enter(name K, l Limits) (*Place, *Refusal) {
	if l.PerSecond == 0 && l.Concurrent == 0 {
		return nil, nil
	}
	p := g.place(name)
	if n := p.busy.Add(1); l.Concurrent > 0 && n > int64(l.Concurrent) {
		p.busy.Add(-1)
		return nil, &Refusal{Many, untilFree}
	}
	if l.PerSecond > 0 {
		if wait := p.begin(time.Since(g.born), l); wait > 0 {
			p.busy.Add(-1)
			return nil, &Refusal{Rate, wait}
		}
	}
	return p, nil
}

// Again lets one more operation begin on a place, after the one before it there has ended, or refuses it.
func (g *Gate[K]) Again(p *Place, l Limits) *Refusal {
	if p == nil || l.PerSecond == 0 {
		return nil
	}
	if wait := p.begin(time.Since(g.born), l); wait > 0 {
		return &Refusal{Rate, wait}
	}
	return nil
}

// Beside gives a name that has operations under way another place, on which Again lets them begin, or says that there is none. The
// second half of its places is never given like this: it stays for what has none yet.
func (g *Gate[K]) Beside(name K, l Limits) (*Place, bool) {
	if l.PerSecond == 0 && l.Concurrent == 0 {
		return nil, true
	}
	p := g.place(name)
	for {
		n := p.busy.Load()
		if l.Concurrent > 0 && 2*(n+1) > int64(l.Concurrent) {
			return nil, false
		}
		if p.busy.CompareAndSwap(n, n+1) {
			return p, true
		}
	}
}

// Leave ends what Enter let begin.
func (p *Place) Leave() {
	if p != nil {
		p.busy.Add(-1)
	}
}

// begin charges for one operation, or says how long to wait before there is something to charge.
func (p *Place) begin(now time.Duration, l Limits) time.Duration {
	gap, slack := l.gap(), l.slack()
	for {
		due := p.due.Load()
		from := max(time.Duration(due), now)
		if ahead := from - now; ahead > slack {
			return ahead - slack
		}
		if p.due.CompareAndSwap(due, int64(from+gap)) {
			return 0
		}
	}
}

// idle says that a place has nothing to remember.
func (p *Place) idle(now time.Duration) bool {
	return p.busy.Load() == 0 && time.Duration(p.due.Load()) <= now
}

func (g *Gate[K]) place(name K) *Place {
	g.mu.RLock()
	p, known := g.places[name]
	g.mu.RUnlock()
	if known {
		return p
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, known = g.places[name]; known {
		return p
	}
	if len(g.places) >= g.most && !g.forget(time.Since(g.born)) {
		return &g.shared
	}
	p = &Place{}
	g.places[name] = p
	return p
}

// forget drops places with nothing to remember; false when there is none. It looks at most once a second, so that a flood
// of names does not become a flood of work. Who is about to enter a place that is dropped here counts for itself alone.
func (g *Gate[K]) forget(now time.Duration) bool {
	if g.swept > 0 && now-g.swept < time.Second {
		return false
	}
	g.swept = now
	before := len(g.places)
	for name, p := range g.places {
		if p.idle(now) {
			delete(g.places, name)
		}
	}
	return len(g.places) < before
}
