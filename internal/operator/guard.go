package operator

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// guard remembers who called how often and whose credential was refused. Its tables are bounded; when one is full, the
// entry that matters least makes place.
type guard struct {
	limits Limits

	mu         sync.Mutex
	addresses  map[string]*visitor
	identities map[string]*visitor
}

// visitor is one address or one identity.
type visitor struct {
	seen time.Time
	// tokens is what is left of the burst at the time seen.
	tokens float64
	// refusals are the latest ones within the window, and until is the end of a lockout.
	refusals []time.Time
	until    time.Time
	// held says that the latest call had to wait.
	held bool
}

func newGuard(l Limits) *guard {
	return &guard{limits: l, addresses: map[string]*visitor{}, identities: map[string]*visitor{}}
}

// verdict says whether a call may go on: not when locked, and not before wait is over.
type verdict struct {
	wait   time.Duration
	locked bool
	// first says that the call before this one could go on.
	first bool
}

func (v verdict) ok() bool { return v.wait == 0 }

// address judges the address of a call.
func (g *guard) address(now time.Time, key string) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.judge(now, g.visitor(g.addresses, now, key, g.limits.Address), g.limits.Address)
}

// identity judges the credential of a call.
func (g *guard) identity(now time.Time, key string) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.judge(now, g.visitor(g.identities, now, key, g.limits.Identity), g.limits.Identity)
}

func (g *guard) judge(now time.Time, v *visitor, r Rate) verdict {
	first := !v.held
	v.held = true
	if left := v.until.Sub(now); left > 0 {
		return verdict{wait: left, locked: true, first: first}
	}
	passed := max(now.Sub(v.seen), 0)
	v.tokens = math.Min(float64(r.Burst), v.tokens+passed.Seconds()*r.PerSecond)
	v.seen = now
	if v.tokens < 1 {
		return verdict{wait: max(time.Duration((1-v.tokens)/r.PerSecond*float64(time.Second)), 1), first: first}
	}
	v.held = false
	v.tokens--
	return verdict{}
}

// refused notes that a credential was not accepted. It is true when that has locked somebody out.
func (g *guard) refused(now time.Time, address, identity string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	locked := g.refuse(now, g.visitor(g.addresses, now, address, g.limits.Address))
	if identity != "" {
		locked = g.refuse(now, g.visitor(g.identities, now, identity, g.limits.Identity)) || locked
	}
	return locked
}

func (g *guard) refuse(now time.Time, v *visitor) bool {
	recent := v.refusals[:0]
	for _, t := range v.refusals {
		if now.Sub(t) < g.limits.RefusalWindow {
			recent = append(recent, t)
		}
	}
	v.refusals = append(recent, now)
	if len(v.refusals) < g.limits.Refusals {
		return false
	}
	v.refusals, v.until = nil, now.Add(g.limits.Lockout)
	return true
}

// acceptedBy forgets the refusals of an identity that has been accepted. Those of its address stay: others share it.
func (g *guard) acceptedBy(identity string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.identities[identity]; v != nil {
		v.refusals = nil
	}
}

func (g *guard) visitor(table map[string]*visitor, now time.Time, key string, r Rate) *visitor {
	if v := table[key]; v != nil {
		return v
	}
	if len(table) >= g.limits.Tracked {
		evict(table, now)
	}
	v := &visitor{seen: now, tokens: float64(r.Burst)}
	table[key] = v
	return v
}

// evict removes the entry that was used longest ago, if possible one that is not locked out.
func evict(table map[string]*visitor, now time.Time) {
	var (
		oldest string
		least  *visitor
	)
	for key, v := range table {
		if least == nil || less(v, least, now) {
			oldest, least = key, v
		}
	}
	delete(table, oldest)
}

// less says whether a is worth less than b: entries without refusals go before those with some, and lockouts go last.
func less(a, b *visitor, now time.Time) bool {
	if x, y := weight(a, now), weight(b, now); x != y {
		return x < y
	}
	return a.seen.Before(b.seen)
}

func weight(v *visitor, now time.Time) int {
	switch {
	case v.until.After(now):
		return 2
	case len(v.refusals) > 0:
		return 1
	}
	return 0
}

// addressKey is an address as the tables know it. Of IPv6 it is the network of 64 bits, which one customer has to himself.
func addressKey(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
