package keys

import (
	"context"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/seal"
)

// Manager opens keys for modules and takes new ones in.
type Manager struct {
	ring *seal.Keyring
	now  func() time.Time
}

// NewManager makes a Manager over an open key ring; now is the clock that stamps dates.
func NewManager(ring *seal.Keyring, now func() time.Time) *Manager {
	return &Manager{ring, now}
}

// Material opens one version for a module. The caller owns its private bytes and destroys them.
func (m *Manager) Material(_ context.Context, v *Version) (cpm.Material, error) {
	out := cpm.Material{Ref: v.Ref, Algorithm: v.Algorithm(), Use: v.Use, Public: v.Row.Public}
	if !v.Private() {
		return out, nil
	}
	clear, err := m.ring.Open(v.Space, associated(v.Row.ID, v.Row.Version, v.Row.Kind, string(v.Use), v.Row.Algorithm), v.Row.Sealed)
	if err != nil {
		return out, fault.New(fault.Internal, "a stored key cannot be opened").Because(err)
	}
	out.Private = clear
	return out, nil
}

// associated binds a sealed key to the record it belongs to.
func associated(id [16]byte, version int64, kind, use, algorithm string) seal.AD {
	return seal.AD{Object: id, Version: version, Kind: kind, Use: use, Algorithm: algorithm}
}
