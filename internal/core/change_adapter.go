package core

import (
	"context"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// stopAdapter ends an adapter and keeps it stopped, over restarts too, until it is started (specification, "Shutdown").
func stopAdapter(_ context.Context, w *work) error { return w.moveAdapter(true) }

// startAdapter starts a stopped adapter (specification, "Startup").
func startAdapter(_ context.Context, w *work) error { return w.moveAdapter(false) }

func (w *work) moveAdapter(stopped bool) error {
	row := &store.Adapter{Name: w.change.Target}
	there, err := w.tx.Get(row)
	switch {
	case err != nil:
		return err
	case !there:
		return fault.New(fault.NotFound, "the adapter is not known; see what there is with: cpm adapter list")
	case row.Stopped == stopped && stopped:
		return fault.New(fault.State, "the adapter is stopped already")
	case row.Stopped == stopped:
		return fault.New(fault.State, "the adapter is not stopped")
	}
	row.Stopped, row.UpdatedAt, row.UpdatedBy = stopped, store.Micros(w.now), w.actor
	return w.tx.Put(row)
}
