package core

import (
	"context"
	"fmt"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// KeyDetail says which version a change of a key made or was about.
type KeyDetail struct {
	FSP     string `json:"fsp"`
	Name    string `json:"name"`
	Version uint32 `json:"version"`
	ID      string `json:"id"`
	// Warning says what is not well with a key that was taken in all the same.
	Warning string `json:"warning,omitempty"`

	// event is what happened, as the log calls it: "added" is key.added.
	event string
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
	if err := a.Certified(w.before.Settings.Certificates, w.now); err != nil {
		return err
	}
	return w.addKey(a)
}

func (w *work) addKey(a keys.Addition) error {
	ref, err := w.core.manager.Add(w.tx, a, w.change.Secret, w.actor)
	if err != nil {
		return err
	}
	event := "updated"
	if ref.Version == 1 {
		event = "added"
	}
	w.keyDetail(a.FSP, ref, event)
	if a.Symmetric && w.change.Secret.Len() < keys.ShortSecret {
		w.warn("the secret is shorter than %d bytes and can be found by trying; agree on a longer one", keys.ShortSecret)
	}
	return nil
}

func (w *work) keyDetail(f cpm.FSP, ref cpm.KeyRef, event string) {
	w.detail = KeyDetail{FSP: string(f), Name: ref.Name, Version: ref.Version, ID: ref.ID.String(), event: event}
}

// warn adds a warning to what the change of a key tells.
func (w *work) warn(text string, args ...any) {
	d, _ := w.detail.(KeyDetail)
	d.Warning = fmt.Sprintf(text, args...)
	w.detail = d
}

// KeyDocument names a key.
type KeyDocument struct {
	FSP  cpm.FSP `json:"fsp"`
	Name string  `json:"name"`
}

func (d KeyDocument) check() error {
	if d.FSP == "" || d.Name == "" {
		return fault.New(fault.Missing, "give the FSP and the name of the key")
	}
	return nil
}

func deleteKey(_ context.Context, w *work) error {
	var d KeyDocument
	if err := w.read(&d); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	return w.deleteKey(d.FSP, d.Name, "")
}

// deleteKey deletes a key; a use, if one is given, must be the key's.
func (w *work) deleteKey(f cpm.FSP, name string, use cpm.KeyUse) error {
	ref, err := w.core.manager.Delete(w.tx, f, name, use, w.actor)
	if err != nil {
		return err
	}
	w.keyDetail(f, ref, "deleted")
	w.urgent = true
	return nil
}
