package keys

import (
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// DefaultOverlap is how long a superseded verification key still verifies.
const DefaultOverlap = 5 * time.Minute

// maxProcess is how many keys a signature is tried with at most.
const maxProcess = 3

// Wish is which key a request may use.
type Wish struct {
	FSP cpm.FSP
	Use cpm.KeyUse
	// Protect wants the one key that makes new signatures; otherwise up to three that verify.
	Protect bool
	// Key is what the request named; nil is the current key.
	Key *cpmv1.KeySelector
	// Overlap is how long superseded keys still verify.
	Overlap time.Duration
}

// Select finds the versions a request may use now, the newest first. For verification no version is no error: the first
// value is empty, and the second says whether the FSP has keys that may not be used now.
func (x *Index) Select(w Wish, now time.Time) (usable []*Version, unusable bool, err error) {
	named, err := x.named(w)
	if err != nil {
		return nil, false, err
	}
	if w.Protect {
		v, err := protecting(named, now)
		if err != nil {
			return nil, false, err
		}
		return []*Version{v}, false, nil
	}
	usable = processing(named, now, w.Overlap)
	return usable, len(usable) == 0 && len(named) > 0, nil
}

// processing lists the versions that may verify: those in force, and after them the superseded ones, so that several updates of
// one key within the overlap never push out another key that is in force.
func processing(named []*Version, now time.Time, overlap time.Duration) (usable []*Version) {
	for _, superseded := range []bool{false, true} {
		for _, v := range named {
			if len(usable) < maxProcess && v.mayProcess(now, overlap) && v.superseded(now, 0) == superseded {
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
		case name != "" && v.Ref.Name != name, number != 0 && v.Ref.Version != number:
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

// protecting is the version that makes signatures now, or why there is none. Of several keys the one that was there first
// is taken, so that adding another never changes what signs unasked.
func protecting(versions []*Version, now time.Time) (*Version, error) {
	private := false
	var chosen *Version
	for _, v := range versions {
		if v.mayProtect(now) && (chosen == nil || v.SeriesCreated < chosen.SeriesCreated) {
			chosen = v
		}
		private = private || v.Private()
	}
	switch {
	case chosen != nil:
		return chosen, nil
	case len(versions) == 0:
		return nil, fault.New(fault.NotFound, "the FSP has no such key for this operation; add one with: cpm key add")
	case !private:
		return nil, fault.New(fault.State, "the CPM holds only the public half of this key; import or generate the private one")
	}
	return nil, fault.New(fault.State, "no version of this key may be used now: deleted, superseded, suspended or outside its dates")
}
