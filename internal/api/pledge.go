package api

import "github.com/mojaloop/cpm/internal/admission"

// pledge is what is reserved for a request that has come.
type pledge struct {
	room   *admission.Room[admission.Caller]
	caller admission.Caller
	n      int
	long   int // of n, which a batch keeps until it is answered
}

// reserve reserves n bytes for a request. A batch keeps them, so that all of a caller are to leave half of its share to other requests,
// but for small ones. Other requests of at most so few bytes as is said hold them for a moment, and places bound how many there
// are: nothing that their caller has under way shuts them out.
func reserve(room *admission.Room[admission.Caller], c admission.Caller, n int, batch bool, few int) (pledge, bool) {
	p, take := pledge{room: room, caller: c, n: n}, room.Take
	switch {
	case batch && n > small:
		p.long, take = n, room.TakeLong
	case !batch && n <= few:
		take = room.TakeFree
	}
	if !take(c, n) {
		return pledge{}, false
	}
	return p, true
}

// give gives it back, once. No pledge is one of nothing.
func (p *pledge) give() {
	if p == nil || p.n <= 0 {
		return
	}
	p.shorten()
	p.room.Give(p.caller, p.n)
	p.n = 0
}

// shorten makes of what a batch keeps what any request has: there is an answer.
func (p *pledge) shorten() {
	p.room.Shorten(p.caller, p.long)
	p.long = 0
}
