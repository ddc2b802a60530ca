package keyupdate

import (
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
}

func newRates(now func() time.Time) *rates {
	return &rates{now: now, buckets: map[netip.Prefix]bucket{}}
}

// take takes n out of the bucket of an address, or says how long the caller has to wait.
func (r *rates) take(address netip.Addr, n int, s Settings) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	who, now := network(address), r.now()
	b, known := r.buckets[who]
	if !known && len(r.buckets) >= maxAddresses && !r.forget(now, s) {
		return retryAfter, false
	}
	if !known {
		b = bucket{level: float64(s.Burst), at: now}
	}
	b.level = filled(b, now, s)
	b.at = now
	if b.level < 1 {
		r.buckets[who] = b
		return time.Duration((1 - b.level) / s.RequestsPerSecond * float64(time.Second)), false
	}
	b.level -= float64(n)
	r.buckets[who] = b
	return 0, true
}

// forget drops the buckets that are full again, which say nothing; false when there is none. It looks at most once a second,
// so that a flood of addresses does not become a flood of work.
func (r *rates) forget(now time.Time, s Settings) bool {
	if now.Sub(r.swept) < time.Second {
		return false
	}
	r.swept = now
	before := len(r.buckets)
	for who, b := range r.buckets {
		if filled(b, now, s) >= float64(s.Burst) {
			delete(r.buckets, who)
		}
	}
	return len(r.buckets) < before
}

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
