package core

import (
	"context"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// KeyDetail says which version a key.add made.
type KeyDetail struct {
	FSP     string `json:"fsp"`
	Name    string `json:"name"`
	Version uint32 `json:"version"`
	ID      string `json:"id"`
}

// addKey adds or updates: the document is a keys.Addition.
func addKey(_ context.Context, w *work) error {
	var a keys.Addition
	if err := w.read(&a); err != nil {
		return err
	}
	if err := w.knownFSP(a.FSP); err != nil {
		return err
	}
	ref, err := w.core.manager.Add(w.tx, a, w.change.Secret, w.actor)
	if err != nil {
		return err
	}
	w.detail = KeyDetail{string(a.FSP), ref.Name, ref.Version, ref.ID.String()}
	return nil
}

// KeyDocument names a key.
type KeyDocument struct {
	FSP  cpm.FSP `json:"fsp"`
	Name string  `json:"name"`
}

func deleteKey(_ context.Context, w *work) error {
	var d KeyDocument
	if err := w.read(&d); err != nil {
		return err
	}
	if d.FSP == "" || d.Name == "" {
		return fault.New(fault.Missing, "give the FSP and the name of the key")
	}
	return w.core.manager.Delete(w.tx, d.FSP, d.Name, w.actor)
}
