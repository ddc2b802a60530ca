package keys

import (
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Accept records that the update is the last one of its FSP, in the transaction of what it changes. Its seq must be above
// that of the last one accepted, whichever replica that was and however long ago.
func (m *Manager) Accept(tx *store.Tx, u *Update) error {
	last := &store.KeyUpdate{Space: string(u.FSP)}
	if _, err := tx.Get(last); err != nil {
		return err
	}
	switch {
	case u.Seq == last.Seq && u.Nonce == last.Nonce:
		return breaks(RuleReplayed, fault.Conflict, nil, "this key update was accepted before; nothing was changed again")
	case u.Seq <= last.Seq:
		return breaks(RuleOutOfOrder, fault.Conflict, nil, "the seq of the key update must be above %d, that of the last one accepted", last.Seq)
	}
	return tx.Put(&store.KeyUpdate{Space: string(u.FSP), Seq: u.Seq, Nonce: u.Nonce, At: store.Micros(m.now())})
}

// StillSigns checks, within the transaction, that the version which verified an update has not been taken away since.
func (m *Manager) StillSigns(tx *store.Tx, v *Version) error {
	row := &store.Object{ID: v.Row.ID}
	series := &store.Series{ID: v.Row.Series}
	there, err := tx.Get(row)
	if err == nil && there {
		there, err = tx.Get(series)
	}
	if err != nil {
		return err
	}
	if there && newVersion(series, row).mayProcess(m.now(), 0) {
		return nil
	}
	return Unsigned()
}

// Unsigned is the one answer to an update that no update key of the FSP it names verifies, whether there is such an FSP and such
// a key or not.
func Unsigned() error {
	return breaks(RuleSigner, fault.Unauthenticated, nil,
		"the key update is not signed by an update key of the FSP it names; an operator adds the first one with: cpm key add --use update")
}
