package core

import (
	"context"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// updateKey is addKey for a key that must be there; a deleted one is, and becomes active again.
func updateKey(ctx context.Context, w *work) error {
	var a keys.Addition
	if err := w.read(&a); err != nil {
		return err
	}
	s, err := w.tx.SeriesNamed(string(a.FSP), a.Name)
	if err != nil {
		return err
	}
	if s == nil {
		return fault.New(fault.NotFound, "the FSP has no key of this name; add it with: cpm key add")
	}
	return addKey(ctx, w)
}

// restoreKey makes the material of an earlier version the new Active one: the document is a keys.Which with a version.
func restoreKey(_ context.Context, w *work) error {
	which, err := w.which()
	if err != nil {
		return err
	}
	ref, err := w.core.manager.Restore(w.tx, which, w.actor)
	if err != nil {
		return err
	}
	w.keyDetail(which.FSP, ref, "restored")
	return nil
}

// moveKey is the action of a move: the document is a keys.Which. A version that may not be used any more has left memory and
// every adapter when the answer is there, whatever the overlap.
func moveKey(m keys.Move, event string) act {
	return func(_ context.Context, w *work) error {
		which, err := w.which()
		if err != nil {
			return err
		}
		ref, err := w.core.manager.Move(w.tx, which, m, w.actor)
		if err != nil {
			return err
		}
		w.keyDetail(which.FSP, ref, event)
		w.urgent = true // what may not be used here may not be used at another CPM
		return nil
	}
}

func (w *work) which() (keys.Which, error) {
	var d keys.Which
	if err := w.read(&d); err != nil {
		return d, err
	}
	return d, KeyDocument{d.FSP, d.Name}.check()
}
