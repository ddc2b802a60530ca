package core

import (
	"context"
	"encoding/json"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// FSPDocument is the document of fsp.add and fsp.set.
type FSPDocument struct {
	Policy Policy `json:"policy,omitzero"`
}

func addFSP(_ context.Context, w *work) error {
	var d FSPDocument
	if err := w.read(&d); err != nil {
		return err
	}
	row := &store.FSP{Name: w.change.Target}
	there, err := w.tx.Get(row)
	if err != nil {
		return err
	}
	if there {
		return fault.New(fault.Conflict, "the FSP is there already; change it with: cpm fsp set")
	}
	return w.putFSP(row, d)
}

func setFSP(_ context.Context, w *work) error {
	var d FSPDocument
	if err := w.read(&d); err != nil {
		return err
	}
	row, err := w.fsp()
	if err != nil {
		return err
	}
	return w.putFSP(row, d)
}

// putFSP checks and stores an FSP with its policy.
func (w *work) putFSP(row *store.FSP, d FSPDocument) error {
	policy, err := json.Marshal(d.Policy)
	if err != nil {
		return err
	}
	if row.State == "" {
		row.State, row.CreatedAt, row.CreatedBy = fspActive, store.Micros(w.now), w.actor
	}
	row.Policy = policy
	row.UpdatedAt, row.UpdatedBy = store.Micros(w.now), w.actor
	if _, err := fspOf(*row); err != nil {
		return fault.New(fault.Invalid, "FSP: %s", err)
	}
	if err := w.knownPeers(d.Policy); err != nil {
		return err
	}
	return w.tx.Put(row)
}

// knownPeers names every FSP of the policy's rules that is not there: a rule for a misspelt one would encrypt nothing.
func (w *work) knownPeers(p Policy) error {
	var unknown []string
	for _, peer := range p.Encryption.peers() {
		if there, err := w.tx.Get(&store.FSP{Name: peer}); err != nil {
			return err
		} else if !there && peer != w.change.Target {
			unknown = append(unknown, peer)
		}
	}
	if len(unknown) > 0 {
		return fault.New(fault.Invalid, "FSP: encryption: no such peers: %q; add them first with: cpm fsp add", unknown)
	}
	return nil
}

func suspendFSP(_ context.Context, w *work) error { return w.moveFSP(fspActive, fspSuspended) }

func resumeFSP(_ context.Context, w *work) error { return w.moveFSP(fspSuspended, fspActive) }

// moveFSP changes the state; requests of a suspended FSP are declined from the swap of the snapshot on.
func (w *work) moveFSP(from, to string) error {
	row, err := w.fsp()
	if err != nil {
		return err
	}
	if row.State != from {
		return fault.New(fault.State, "the FSP is %s already", to)
	}
	row.State, row.UpdatedAt, row.UpdatedBy = to, store.Micros(w.now), w.actor
	return w.tx.Put(row)
}

// fsp reads the change's target.
func (w *work) fsp() (*store.FSP, error) {
	row := &store.FSP{Name: w.change.Target}
	there, err := w.tx.Get(row)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "the FSP is not known; add it with: cpm fsp add")
	}
	return row, err
}

// activeFSP is an error unless the FSP is there and not suspended, as of this transaction.
func (w *work) activeFSP(f cpm.FSP) error {
	row := &store.FSP{Name: string(f)}
	if there, err := w.tx.Get(row); err != nil || there && row.State == fspActive {
		return err
	}
	return errSuspended()
}

// knownFSP is an error unless the FSP is there.
func (w *work) knownFSP(f cpm.FSP) error {
	there, err := w.tx.Get(&store.FSP{Name: string(f)})
	if err == nil && !there {
		err = fault.New(fault.NotFound, "the FSP is not known; add it with: cpm fsp add")
	}
	return err
}
