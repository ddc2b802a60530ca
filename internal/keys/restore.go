package keys

import (
	"crypto/rand"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// Restore makes the material of an earlier version the key's new Active version. A version never changes its place in the
// history, so that the record of who signed with what stays true. What was compromised or destroyed is not restored, nor what is
// suspended or not yet active; the end of the old version is the end of the new one.
func (m *Manager) Restore(tx *store.Tx, w Which, actor string) (cpm.KeyRef, error) {
	if w.Version == 0 {
		return cpm.KeyRef{}, fault.New(fault.Missing, "name the version to restore; see: cpm key history")
	}
	f, err := m.find(tx, w)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	now := m.now()
	if err := restorable(f, now); err != nil {
		return cpm.KeyRef{}, err
	}
	old := *f.chosen
	private := secret.Bytes{}
	if old.Kind != KindPublic {
		private, err = m.ring.Open(f.series.Space, associated(old.ID, old.Version, old.Kind, f.series.Use, old.Algorithm), old.Sealed)
		if err != nil {
			return cpm.KeyRef{}, fault.New(fault.Internal, "the stored key cannot be opened").Because(err)
		}
		defer private.Destroy()
	}
	f.series.Current++
	f.series.Deleted = false
	f.series.UpdatedAt, f.series.UpdatedBy = store.Micros(now), actor
	return m.append(tx, f.series, f.versions, again(old, f.series.Current, actor, now), private)
}

func restorable(f found, now time.Time) error {
	v := newVersion(f.series, f.chosen)
	switch state := v.State(now); {
	case returns(f.versions, func(o *store.Object) bool { return same(o, f.chosen) }) != nil:
		return returning() // whatever its own state is
	case f.chosen.NotAfter != 0 && f.chosen.NotAfter <= store.Micros(now):
		return fault.New(fault.State, "the time of the key version is over; add a new one")
	case state != Active && state != Deactivated:
		return fault.New(fault.State, "the key version is %s, which cannot be restored", state)
	case state == Active && v.Current && !v.Deleted:
		return fault.New(fault.State, "the key version is the current one already")
	}
	return nil
}

// again is the record of a new version with the material of an old one.
func again(old store.Object, version int64, actor string, now time.Time) *store.Object {
	o := old
	_, _ = rand.Read(o.ID[:]) // never fails
	at := store.Micros(now)
	o.Version, o.State, o.Sealed, o.NotBefore, o.SupersededAt = version, Active, nil, 0, 0
	o.CreatedAt, o.UpdatedAt, o.ActivatedAt = at, at, at
	o.CreatedBy, o.UpdatedBy = actor, actor
	o.Parent = old.ID
	mark(&o, false)
	return &o
}
