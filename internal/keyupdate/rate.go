package keyupdate

import (
	"maps"
	"math"
	"net/netip"
	"sync"
	"time"
)

// maxAddresses bounds the table of the rate limit.
const maxAddresses = 16 << 10

// rates limits what each address may ask: a bucket that fills with time. A batch may overdraw its bucket, and then waits for
// longer. IPv6 callers are known by their /64, which is what one of them is given.
type rates struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
	swept   time.Time // when full buckets were last looked for
}

type bucket struct {
	level float64
	at    time.Time
	// held says that the latest request had to wait.
	held bool
}

func newRates(now func() time.Time) *rates {
	return &rates{now: now, buckets: map[netip.Prefix]bucket{}}
}

// verdict says whether a request may go on, and how long its caller has to wait if not.
type verdict struct {
	wait time.Duration
	ok   bool
	// first says that the request before this one could go on.
	first bool
}

// take takes n out of the bucket of an address.
func (r *rates) take(address netip.Addr, n int, s Settings) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	who, now := network(address), r.now()
	b, known := r.buckets[who]
	if !known {
		r.makeRoom(now, s)
		b = bucket{level: float64(s.Burst), at: now}
	}
	b.level, b.at = filled(b, now, s), now
	v := verdict{ok: b.level >= 1, first: !b.held}
	b.held = !v.ok
	if v.ok {
		b.level -= float64(n)
	} else {
		v.wait = time.Duration((1 - b.level) / s.RequestsPerSecond * float64(time.Second))
	}
	r.buckets[who] = b
	return v
}

// makeRoom drops the buckets that are full again, which say nothing, or else the fullest of a few: it limits its address the
// least, and many new addresses push out each other and not those that have been limited. Full ones are looked for at most
// once a second, so that a flood of addresses does not become a flood of work.
func (r *rates) makeRoom(now time.Time, s Settings) {
	if len(r.buckets) < maxAddresses {
		return
	}
	if now.Sub(r.swept) >= time.Second {
		r.swept = now
		maps.DeleteFunc(r.buckets, func(_ netip.Prefix, b bucket) bool { return filled(b, now, s) >= float64(s.Burst) })
	}
	if len(r.buckets) < maxAddresses {
		return
	}
	var fullest netip.Prefix
	looked, level := 0, math.Inf(-1)
	for who, b := range r.buckets { // begins anywhere
		if l := filled(b, now, s); l > level {
			fullest, level = who, l
		}
		if looked++; looked == candidates {
			break
		}
	}
	delete(r.buckets, fullest)
}

// candidates is how many buckets are compared to find one to drop.
const candidates = 16

func filled(b bucket, now time.Time, s Settings) float64 {
	return min(float64(s.Burst), b.level+max(0, now.Sub(b.at).Seconds())*s.RequestsPerSecond)
}

// network is what the limit knows an address by.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: all of these share one bucket
	}
	return p
}

// budget bounds the bytes of requests that are held at once.
type budget struct {
	mu    sync.Mutex
	limit int
	used  int
}

// maxReading bounds the bytes of requests being read or worked on, in all.
const maxReading = 64 << 20

func (b *budget) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}
