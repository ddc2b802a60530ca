package nemesis

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// fault is one thing that can happen to an endpoint. Its run ends when the harm is undone.
type fault struct {
	name string
	run  func(n *nemesis, e *endpoint)
}

// faults are all there are.
func faults() []fault {
	return []fault{
		{"kill -9", func(n *nemesis, e *endpoint) { e.child.kill(); n.last(); n.w.startAdapter(e) }},
		{"kill -9 and start at once", func(n *nemesis, e *endpoint) { e.child.kill(); n.w.startAdapter(e) }},
		{"stop and continue", func(n *nemesis, e *endpoint) {
			e.child.signal(syscall.SIGSTOP)
			n.last()
			e.child.signal(syscall.SIGCONT)
		}},
		{"reset", func(_ *nemesis, e *endpoint) { e.proxy.reset() }},
		{"refuse and reset", during(harm{refuse: true}, (*proxy).reset)},
		{"half-open towards the core", during(harm{holdDown: true}, nil)},
		{"half-open towards the adapter", during(harm{holdUp: true}, nil)},
		{"stall", during(harm{holdUp: true, holdDown: true}, nil)},
		{"half-open, then reset", during(harm{holdDown: true}, (*proxy).reset)},
		{"blackhole", during(harm{swallow: true}, nil)},
		{"delays", during(harm{delay: 60 * time.Millisecond}, nil)},
		{"slices", during(harm{slices: true}, nil)},
		{"shuffled and late answers", func(n *nemesis, e *endpoint) {
			e.proxy.lead(n.w.dawdler)
			e.proxy.reset()
			time.Sleep(2 * timer) // so that late answers find their link still there
			n.last()
			e.proxy.lead(e.address)
			e.proxy.reset()
		}},
	}
}

// during does a harm for a while; with may break the connections at its beginning.
func during(h harm, with func(*proxy)) func(*nemesis, *endpoint) {
	return func(n *nemesis, e *endpoint) {
		e.proxy.do(h)
		if with != nil {
			with(e.proxy)
		}
		n.last()
		e.proxy.do(harm{})
	}
}

// nemesis does one fault after the other, now and then to both endpoints at once.
type nemesis struct {
	w      *world
	random *rand.Rand
	// shortest and longest are how long a fault lasts; one in longEvery lasts up to endless.
	shortest, longest, endless time.Duration
	longEvery                  int
	done                       map[string]int
	total                      int
}

// last waits as long as a fault lasts.
func (n *nemesis) last() {
	longest := n.longest
	if n.longEvery > 0 && n.random.IntN(n.longEvery) == 0 {
		longest = n.endless
	}
	time.Sleep(n.shortest + time.Duration(n.random.Int64N(int64(longest-n.shortest))))
}

// strike does one fault, or the same one to both.
func (n *nemesis) strike() {
	all := faults()
	f := all[n.total%len(all)]
	if n.total >= len(all) { // each of them once, then at random
		f = all[n.random.IntN(len(all))]
	}
	victims := n.w.places[n.random.IntN(len(n.w.places)):][:1]
	if n.random.IntN(12) == 0 {
		victims = n.w.places
	}
	for _, e := range victims[1:] {
		e.proxy.reset()
	}
	f.run(n, victims[0])
	n.total++
	n.done[f.name]++
}
