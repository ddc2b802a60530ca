package keys

import (
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Delete marks a key and its versions as deleted and deactivates them, so that none of them is used from the commit on, not even
// to decrypt after a later Add under the same name. The versions stay as backup. A use, if one is given, must be the key's. The
// version that was the current one is returned.
func (m *Manager) Delete(tx *store.Tx, f cpm.FSP, name string, use cpm.KeyUse, actor string) (cpm.KeyRef, error) {
	s, err := tx.SeriesNamed(string(f), name)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	if s == nil {
		return cpm.KeyRef{}, fault.New(fault.NotFound, "the FSP has no key of this name")
	}
	if use != "" && s.Use != string(use) {
		return cpm.KeyRef{}, fault.New(fault.State, "the key is there with use %s", s.Use)
	}
	if s.Deleted {
		return cpm.KeyRef{}, fault.New(fault.State, "the key is deleted already")
	}
	at := store.Micros(m.now())
	s.Deleted, s.UpdatedAt, s.UpdatedBy = true, at, actor
	versions, err := tx.Objects(s.ID)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	last := cpm.KeyRef{Name: name, Version: number(s.Current)}
	for i := range versions {
		o := &versions[i]
		if o.Version == s.Current {
			last.ID = cpm.KeyID(o.ID)
		}
		mark(o, true)
		o.UpdatedAt, o.UpdatedBy = at, actor
		if o.State == Active || o.State == PreActive || o.State == Suspended {
			o.State = Deactivated
		}
		if err := tx.Put(o); err != nil {
			return cpm.KeyRef{}, err
		}
	}
	return last, tx.Put(s)
}
