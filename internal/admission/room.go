package admission

import "sync"

// Room is an amount that many names share: places, or bytes. A name may have as much as is left free: one that floods gets half of
// it, two a third each, and there is always room for a name that had none (dynamic thresholds, Choudhury and Hahne 1998).
type Room[K comparable] struct {
	most int

	mu    sync.Mutex
	taken map[K]int
	all   int
}

// NewRoom makes room for so many.
func NewRoom[K comparable](most int) *Room[K] { return &Room[K]{most: most, taken: map[K]int{}} }

// Enter takes a place for a name, which Leave gives back, or says that there is none for it.
func (r *Room[K]) Enter(name K) bool { return r.Take(name, 1) }

// Take takes n for a name, which Give gives back, or says that there is not that much for it. Nobody takes less than nothing.
func (r *Room[K]) Take(name K, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return within(r.taken[name], n, r.most-r.all) && r.take(name, n)
}

// EnterAlone takes a place, any that is free, for a name that shares the room with nobody.
func (r *Room[K]) EnterAlone(name K) bool { return r.TakeFree(name, 1) }

// TakeFree takes n of what is free, for something that has begun, or for a name that shares the room with nobody.
func (r *Room[K]) TakeFree(name K, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return n <= r.most-r.all && r.take(name, n)
}

func (r *Room[K]) take(name K, n int) bool {
	if n > 0 {
		r.taken[name] += n
		r.all += n
	}
	return true
}

// Leave gives a place back.
func (r *Room[K]) Leave(name K) { r.Give(name, 1) }

// Give gives back n of what was taken.
func (r *Room[K]) Give(name K, n int) {
	if n <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all -= n
	if r.taken[name] -= n; r.taken[name] == 0 {
		delete(r.taken, name)
	}
}

// within is the rule: of what is free, who has nothing gets what it asks for, and who has something gets more while it has no
// more than is free then.
func within(has, n, free int) bool { return n <= 0 || n <= free && (has == 0 || has+n <= free-n+1) }

// Change makes n of what was taken for a name, or says that there is not that much for it; then it stays taken as it was.
func (r *Room[K]) Change(name K, was, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > was && !within(r.taken[name]-was, n, r.most-r.all+was) {
		return false
	}
	r.all += n - was
	if r.taken[name] += n - was; r.taken[name] == 0 {
		delete(r.taken, name)
	}
	return true
}

// Taken is how much is taken.
func (r *Room[K]) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Most is how much there is.
func (r *Room[K]) Most() int { return r.most }
