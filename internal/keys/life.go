package keys

import (
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Move is a change of the state of a key version, by a word: the part of an action after "key.".
type Move string

// The moves (NIST SP 800-57 part 1, section 7.3). What begins and ends by date needs none.
const (
	Suspend    Move = "suspend"
	Resume     Move = "resume"
	Deactivate Move = "deactivate"
	Compromise Move = "compromise"
	Destroy    Move = "destroy"
)

// Moves lists every move.
func Moves() []Move { return []Move{Suspend, Resume, Deactivate, Compromise, Destroy} }

// After is the state a move leads to from another, judged at use; empty if the standard does not allow it. The way from Destroyed
// to DestroyedCompromised is that of KMIP: it records what became known later.
func (m Move) After(state string) string {
	switch m {
	case Suspend:
		return only(state, Suspended, Active)
	case Resume:
		return only(state, Active, Suspended)
	case Deactivate:
		return only(state, Deactivated, Active, Suspended)
	case Compromise:
		if state == Destroyed {
			return DestroyedCompromised
		}
		return only(state, Compromised, PreActive, Active, Suspended, Deactivated)
	case Destroy:
		if state == Compromised {
			return DestroyedCompromised
		}
		return only(state, Destroyed, PreActive, Active, Suspended, Deactivated)
	}
	return ""
}

// only is to if state is one of from.
func only(state, to string, from ...string) string {
	for _, f := range from {
		if f == state {
			return to
		}
	}
	return ""
}

// Which names a version of a key; version 0 is the current one.
type Which struct {
	FSP     cpm.FSP `json:"fsp"`
	Name    string  `json:"name"`
	Version uint32  `json:"version,omitempty"`
}

// Move changes the state of a version. What compromises or destroys key material does so wherever a restore has put it
// again. Destroying removes the sealed bytes; what is known about the key stays.
func (m *Manager) Move(tx *store.Tx, w Which, move Move, actor string) (cpm.KeyRef, error) {
	f, err := m.find(tx, w)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	now := m.now()
	state := newVersion(f.series, f.chosen).State(now)
	switch {
	case move.After(state) == "":
		return cpm.KeyRef{}, fault.New(fault.State, "the key version is %s: no way leads from there by %s", state, move)
	case move == Resume && f.chosen.NotAfter != 0 && f.chosen.NotAfter <= store.Micros(now):
		return cpm.KeyRef{}, fault.New(fault.State, "the time of the key version is over; add a new one")
	}
	for i := range f.versions {
		o := &f.versions[i]
		if o != f.chosen && (move != Compromise && move != Destroy || !same(o, f.chosen)) {
			continue
		}
		next := move.After(newVersion(f.series, o).State(now))
		if next == "" {
			continue
		}
		enter(o, next, now)
		o.UpdatedBy = actor
		if err := tx.Put(o); err != nil {
			return cpm.KeyRef{}, err
		}
	}
	f.series.UpdatedAt, f.series.UpdatedBy = store.Micros(now), actor
	return f.ref(), tx.Put(f.series)
}

// enter puts a version into a state, with what goes with it.
func enter(o *store.Object, state string, now time.Time) {
	at := store.Micros(now)
	o.State, o.UpdatedAt = state, at
	if (state == Compromised || state == DestroyedCompromised) && o.CompromisedAt == 0 {
		o.CompromisedAt = at
	}
	if state == Destroyed || state == DestroyedCompromised {
		o.Sealed = nil
		if o.DestroyedAt == 0 {
			o.DestroyedAt = at
		}
	}
}

// found is a version with its series and all others of it.
type found struct {
	series   *store.Series
	versions []store.Object
	chosen   *store.Object
}

func (f found) ref() cpm.KeyRef {
	return cpm.KeyRef{ID: cpm.KeyID(f.chosen.ID), Name: f.series.Name, Version: number(f.chosen.Version)}
}

// find reads a version in the transaction.
func (m *Manager) find(tx *store.Tx, w Which) (found, error) {
	s, err := tx.SeriesNamed(string(w.FSP), w.Name)
	if err != nil {
		return found{}, err
	}
	if s == nil {
		return found{}, fault.New(fault.NotFound, "the FSP has no key of this name")
	}
	f := found{series: s}
	if f.versions, err = tx.Objects(s.ID); err != nil {
		return found{}, err
	}
	version := int64(w.Version)
	if version == 0 {
		version = s.Current
	}
	for i := range f.versions {
		if f.versions[i].Version == version {
			f.chosen = &f.versions[i]
			return f, nil
		}
	}
	return found{}, fault.New(fault.NotFound, "the key has no such version")
}
