package keys

import (
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Delete marks a key as deleted and deactivates its versions, so that none of them is used from the commit on, not even
// after a later Add under the same name. The versions stay as backup.
func (m *Manager) Delete(tx *store.Tx, f cpm.FSP, name, actor string) error {
	s, err := tx.SeriesNamed(string(f), name)
	if err != nil {
		return err
	}
	if s == nil {
		return fault.New(fault.NotFound, "the FSP has no key of this name")
	}
	if s.Deleted {
		return fault.New(fault.State, "the key is deleted already")
	}
	at := store.Micros(m.now())
	s.Deleted, s.UpdatedAt, s.UpdatedBy = true, at, actor
	versions, err := tx.Objects(s.ID)
	if err != nil {
		return err
	}
	for i := range versions {
		if o := &versions[i]; o.State == Active || o.State == PreActive || o.State == Suspended {
			o.State, o.UpdatedAt, o.UpdatedBy = Deactivated, at, actor
			if err := tx.Put(o); err != nil {
				return err
			}
		}
	}
	return tx.Put(s)
}
