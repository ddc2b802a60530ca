package keys

import (
	"slices"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// DefaultOverlap is how long a superseded verification key still verifies.
const DefaultOverlap = 5 * time.Minute

// MaxProcess is how many keys a signature is tried with at most. Whoever selects keeps to it, after the versions that must not be
// used on the occasion were left out, so that those take no places of others.
const MaxProcess = 3

// Wish is which key a request may use.
type Wish struct {
	FSP cpm.FSP
	Use cpm.KeyUse
	// Protect wants the one current key; otherwise all that process what was protected with them.
	Protect bool
	// Half is the part of the key that is needed. What a private half or a secret key was used for, such as encryption, is
	// processed with superseded and ended versions too, for as long as they are neither deleted nor given up.
	Half cpm.Half
	// Key is what the request named; nil is the current key.
	Key *cpmv1.KeySelector
	// ID is the one version that will do, as a ciphertext names it; zero is any.
	ID cpm.KeyID
	// Overlap is how long superseded keys still verify.
	Overlap time.Duration
}

// Select finds the versions a request may use now, the newest first. For verification no version is no error: the first
// value is empty, and the second says whether the FSP has keys that may not be used now.
func (x *Index) Select(w Wish, now time.Time) (usable []*Version, unusable bool, err error) {
	if w.Half == cpm.NoKey {
		return nil, false, nil
	}
	named, err := x.named(w)
	if err != nil {
		return nil, false, err
	}
	if w.Protect {
		v, err := protecting(named, w.Half, now)
		if err != nil {
			return nil, false, err
		}
		return []*Version{v}, false, nil
	}
	if w.Half != cpm.PublicHalf {
		usable, err = recovering(named, w.Half, now)
		return usable, false, err
	}
	usable = processing(named, now, w.Overlap)
	return usable, len(usable) == 0 && len(named) > 0, nil
}

// recovering lists the versions that may decrypt or unwrap, the newest first, or says why there is none.
func recovering(named []*Version, half cpm.Half, now time.Time) (usable []*Version, err error) {
	for _, v := range named {
		if v.has(half) && v.mayRecover(now) {
			usable = append(usable, v)
		}
	}
	if len(usable) == 0 {
		return nil, noKey(named, half)
	}
	return usable, nil
}

// processing lists the versions that may verify: those in force, and after them the superseded ones, so that several updates of
// one key within the overlap never push out another key that is in force.
func processing(named []*Version, now time.Time, overlap time.Duration) (usable []*Version) {
	for _, superseded := range []bool{false, true} {
		for _, v := range named {
			if v.mayProcess(now, overlap) && v.superseded(now, 0) == superseded {
				usable = append(usable, v)
			}
		}
	}
	return usable
}

// named lists the FSP's versions of the right use that the request's selector lets through.
func (x *Index) named(w Wish) ([]*Version, error) {
	s, ok := x.spaces[string(w.FSP)]
	if !ok {
		return nil, nil
	}
	name, number := w.Key.GetName(), w.Key.GetVersion()
	var fit []*Version
	wrongUse := false
	for _, v := range s.versions {
		switch {
		case name != "" && v.Ref.Name != name, number != 0 && v.Ref.Version != number, w.ID != cpm.KeyID{} && v.Ref.ID != w.ID:
		case v.Use != w.Use:
			wrongUse = wrongUse || name != ""
		default:
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 && wrongUse {
		return nil, fault.New(fault.State, "the named key is for another use; name a key with use %s", w.Use)
	}
	return fit, nil
}

// protecting is the version that protects now, or why there is none. Of several keys the one that was there first is taken, so
// that adding another never changes what signs unasked.
func protecting(versions []*Version, half cpm.Half, now time.Time) (*Version, error) {
	var chosen *Version
	for _, v := range versions {
		if v.has(half) && v.mayProtect(now) && (chosen == nil || v.SeriesCreated < chosen.SeriesCreated) {
			chosen = v
		}
	}
	if chosen == nil {
		return nil, noKey(versions, half)
	}
	return chosen, nil
}

// noKey says why none of the versions can be used.
func noKey(versions []*Version, half cpm.Half) error {
	has := func(v *Version) bool { return v.has(half) }
	switch {
	case len(versions) == 0:
		return fault.New(fault.NotFound, "the FSP has no such key for this operation; add one with: cpm key add")
	case !slices.ContainsFunc(versions, has):
		return fault.New(fault.State, "the CPM holds only the public half of this key; import or generate the private one")
	}
	return fault.New(fault.State, "no version of this key may be used now: deleted, superseded, suspended, deactivated, compromised "+
		"or outside its dates; see: cpm key history FSP/NAME")
}
