package admission

import "sync"

// Room is a number of places that many names share. A name may have as many as are left free: one that floods gets half of
// them, two a third each, and there is always room for a name that had none (dynamic thresholds, Choudhury and Hahne 1998).
type Room[K comparable] struct {
	most int

	mu    sync.Mutex
	taken map[K]int
	all   int
}

// NewRoom makes room for so many.
func NewRoom[K comparable](most int) *Room[K] { return &Room[K]{most: most, taken: map[K]int{}} }

// Enter takes a place for a name, which Leave gives back, or says that there is none for it.
func (r *Room[K]) Enter(name K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !within(r.taken[name], r.most-r.all) {
		return false
	}
	r.taken[name]++
	r.all++
	return true
}

// EnterAlone takes a place, any that is free, for a name that shares the room with nobody.
func (r *Room[K]) EnterAlone(name K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all >= r.most {
		return false
	}
	r.taken[name]++
	r.all++
	return true
}

// Leave gives a place back.
func (r *Room[K]) Leave(name K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.taken[name]--; r.taken[name] == 0 {
		delete(r.taken, name)
	}
}

// within is the rule: of what is free, who has nothing gets one, and who has something as many again.
func within(has, free int) bool { return free > 0 && (has == 0 || has < free) }

// Taken is how many places are taken.
func (r *Room[K]) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Most is how many places there are.
func (r *Room[K]) Most() int { return r.most }
