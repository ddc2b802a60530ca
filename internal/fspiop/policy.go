package fspiop

import (
	"crypto"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
)

// DefaultPolicy is the policy of an FSP whose record does not say otherwise: the algorithm of the specification and the one
// deployed beside it, every form of the body, no check of the date.
func DefaultPolicy() *cpm.Policy {
	return &cpm.Policy{Algorithms: []string{"RS256", "ES256"}, Raw: true, Sorted: true, Legacy: true}
}

// allowed finds the algorithm a signature names, if the policy allows it. An empty allow-list allows nothing; naming what
// is not in the registry, none or HS256 for example, does not make it an algorithm.
func allowed(name string, p *cpm.Policy) (Algorithm, bool) {
	if !slices.Contains(p.Algorithms, name) {
		return Algorithm{}, false
	}
	return AlgorithmNamed(name)
}

// Key is a key a signature may be verified with.
type Key struct {
	Public crypto.PublicKey
	// Algorithms are the JOSE names the key may be used with; empty are those of the policy that fit the key.
	Algorithms []string
}

// usable lists the indices of the keys an algorithm may be used with.
func usable(keys []Key, a Algorithm) []int {
	found := make([]int, 0, len(keys))
	for i, k := range keys {
		if len(k.Algorithms) > 0 && !slices.Contains(k.Algorithms, a.Name()) {
			continue
		}
		if a.Accepts(k.Public) == nil {
			found = append(found, i)
		}
	}
	return found
}
