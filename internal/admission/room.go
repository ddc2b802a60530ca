package admission

import "sync"

// Room is an amount that many names share: places, or bytes. A name may have as much as is left free: one that floods gets half of
// it, two a third each, and there is always room for a name that had none (dynamic thresholds, Choudhury and Hahne 1998). What a
// name keeps for long is to leave half of that for what it needs for a moment.
type Room[K comparable] struct {
	most int

	mu    sync.Mutex
	taken map[K]int
	long  map[K]int // of what is taken
	// beyond is what of it is more than there is room for, and not in all.
	beyond map[K]int
	all    int
}

// NewRoom makes room for so many.
func NewRoom[K comparable](most int) *Room[K] {
	return &Room[K]{most: most, taken: map[K]int{}, long: map[K]int{}, beyond: map[K]int{}}
}

// Enter takes a place for a name, which Leave gives back, or says that there is none for it.
func (r *Room[K]) Enter(name K) bool { return r.Take(name, 1) }

// Take takes n for a name, which Give gives back, or says that there is not that much for it. Nobody takes less than nothing.
func (r *Room[K]) Take(name K, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return within(r.beside(name), n, r.most-r.all) && r.take(name, n)
}

// beside is what a name has beside what it keeps for long, with that if there is anything: who has only what it keeps counts as having
// nothing.
func (r *Room[K]) beside(name K) int {
	if has := r.taken[name]; has != r.long[name] {
		return has
	}
	return 0
}

// TakeLong takes n for a name that keeps it for long. Shorten ends that; Give gives it back after that.
func (r *Room[K]) TakeLong(name K, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	has, free, long := r.taken[name], r.most-r.all, r.long[name]
	switch {
	case n <= 0:
		return true
	case !within(has, n, free), long > 0 && 4*(long+n) > has+free: // of which one name may have half
		return false
	}
	r.long[name] = long + n
	return r.take(name, n)
}

// Shorten makes n of what TakeLong took like what Take takes.
func (r *Room[K]) Shorten(name K, n int) {
	if n <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.long[name] -= n; r.long[name] == 0 {
		delete(r.long, name)
	}
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
	r.all -= n - r.forget(name, n)
	if r.taken[name] -= n; r.taken[name] == 0 {
		delete(r.taken, name)
	}
}

// forget gives how much of n there was no room for, which is given back first.
func (r *Room[K]) forget(name K, n int) int {
	over := min(n, r.beyond[name])
	if over == 0 {
		return 0
	}
	if r.beyond[name] -= over; r.beyond[name] == 0 {
		delete(r.beyond, name)
	}
	return over
}

// within is the rule: of what is free, who has nothing gets what it asks for, and who has something gets more while it has no
// more than is free then.
func within(has, n, free int) bool { return n <= 0 || n <= free && (has == 0 || has+n <= free-n+1) }

// Settle makes n of what was taken for a name, and not for long, for what is done already and cannot be declined any more. What is more
// than the name could take counts for it alone, so that the others' room stays.
func (r *Room[K]) Settle(name K, was, n int) {
	if n <= was {
		r.Give(name, was-n)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	has, free, more := r.beside(name), r.most-r.all, n-was
	fits := more
	if !within(has, more, free) {
		fits = min(more, max(0, free+1-has)/2)
	}
	r.taken[name] += more
	r.all += fits
	if more > fits {
		r.beyond[name] += more - fits
	}
}

// Taken is how much is taken, of what there is.
func (r *Room[K]) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Most is how much there is.
func (r *Room[K]) Most() int { return r.most }
