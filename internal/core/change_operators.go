package core

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// GroupDocument is the document of group.set; the target is the group.
type GroupDocument struct {
	// Commands are commands, such as RefreshKeys, and names of actions, such as key.add.
	Commands []string `json:"commands"`
}

// UserDocument is the document of user.add and user.set; the target is the user.
type UserDocument struct {
	Group        string   `json:"group"`
	Disabled     bool     `json:"disabled,omitempty"`
	Certificates []string `json:"certificates,omitempty"`
}

// WhitelistDocument is the document of whitelist.set; the target is the adapter. Without addresses nobody is let in.
type WhitelistDocument struct {
	Addresses []string `json:"addresses"`
}

// TokenDocument is the document of token.issue and, with the id alone, of token.revoke; the target is the user. The token
// itself is made where it is needed and never comes here.
type TokenDocument struct {
	ID      string    `json:"id"`
	Hash    string    `json:"hash,omitempty"` // SHA-256 of the token, in hexadecimal
	Expires time.Time `json:"expires,omitzero"`
}

// maxTokenLife bounds how long a token may be good for.
const maxTokenLife = 366 * 24 * time.Hour

// edits are the actions that change some rows of what says who may do what. Each is judged as a whole configuration is.
func edits() map[string]func(w *work, next tables) error {
	return map[string]func(w *work, next tables) error{
		"user.add":      addUser,
		"user.set":      setUser,
		"user.delete":   deleteUser,
		"group.set":     setGroup,
		"group.delete":  deleteGroup,
		"whitelist.set": setWhitelist,
		"grant.add":     addGrants,
		"grant.remove":  removeGrants,
		"token.issue":   issueToken,
		"token.revoke":  revokeToken,
	}
}

// edit makes an action of a change of the tables: what comes out is derived and checked before it is stored.
func edit(change func(w *work, next tables) error) act {
	return func(_ context.Context, w *work) error {
		next := &Snapshot{Keys: w.before.Keys, rows: w.before.rows.clone()}
		if err := change(w, next.rows); err != nil {
			return err
		}
		if err := next.derive(); err != nil {
			return err
		}
		w.urgent = true // who may do less from now on may not do more at another CPM
		return w.write(next.rows)
	}
}

// compares says whether an action is worked out against the snapshot, so that the store must be at its revision.
func compares(action string) bool {
	_, edited := edits()[action]
	return edited || action == "config.apply"
}

func addUser(w *work, next tables) error {
	if _, there := next.users[w.change.Target]; there {
		return fault.New(fault.Conflict, "the user is there already; change it with: cpm user set")
	}
	return putUser(w, next)
}

func setUser(w *work, next tables) error {
	if _, err := w.user(next); err != nil {
		return err
	}
	return putUser(w, next)
}

func putUser(w *work, next tables) error {
	var d UserDocument
	if err := w.read(&d); err != nil {
		return err
	}
	next.users[w.change.Target] = w.userRow(UserEntry{w.change.Target, d.Group, d.Disabled, d.Certificates})
	return nil
}

func deleteUser(w *work, next tables) error {
	_, err := w.user(next)
	delete(next.users, w.change.Target)
	return err
}

// user is the change's target.
func (w *work) user(next tables) (store.User, error) {
	row, there := next.users[w.change.Target]
	if !there {
		return row, fault.New(fault.NotFound, "the user is not known; add it with: cpm user add")
	}
	return row, nil
}

func setGroup(w *work, next tables) error {
	var d GroupDocument
	if err := w.read(&d); err != nil {
		return err
	}
	name := w.change.Target
	if _, there := next.groups[name]; !there {
		next.groups[name] = w.groupRow(name)
	}
	next.clearGroup(name)
	for _, c := range d.Commands {
		row, there := w.before.rows.commands[[2]string{name, c}]
		if !there {
			row = w.commandRow(name, c)
		}
		next.commands[[2]string{name, c}] = row
	}
	return nil
}

func deleteGroup(w *work, next tables) error {
	if _, there := next.groups[w.change.Target]; !there {
		return fault.New(fault.NotFound, "the group is not known; see what there is with: cpm group list")
	}
	for _, u := range next.users {
		if u.Group == w.change.Target {
			return fault.New(fault.State, "users are in this group; move them with: cpm user set")
		}
	}
	next.clearGroup(w.change.Target)
	delete(next.groups, w.change.Target)
	return nil
}

func (t tables) clearGroup(name string) {
	for k := range t.commands {
		if k[0] == name {
			delete(t.commands, k)
		}
	}
}

func setWhitelist(w *work, next tables) error {
	var d WhitelistDocument
	if err := w.read(&d); err != nil {
		return err
	}
	adapter := w.change.Target
	if _, there := next.adapters[adapter]; !there {
		return fault.New(fault.NotFound, "the adapter is not known; see what there is with: cpm adapter list")
	}
	for r := range next.whitelist {
		if r.Adapter == adapter {
			delete(next.whitelist, r)
		}
	}
	for _, a := range d.Addresses {
		row := w.rangeRow(adapter, a)
		at := access.Range{Adapter: adapter, Address: row.Address}
		if old, there := w.before.rows.whitelist[at]; there {
			row = old
		}
		next.whitelist[at] = row
	}
	return nil
}

func addGrants(w *work, next tables) error {
	var d GrantEntry
	if err := w.read(&d); err != nil {
		return err
	}
	if len(d.Operations) == 0 {
		return fault.New(fault.Missing, "name the operations to grant")
	}
	if err := checkPrincipals([]GrantEntry{d}); err != nil {
		return err
	}
	for _, row := range w.rows(Document{Grants: []GrantEntry{d}}).Grants {
		at := access.Grant{Principal: row.Principal, Space: row.Space, Operation: row.Operation}
		if _, there := next.grants[at]; !there {
			next.grants[at] = row
		}
	}
	return nil
}

func removeGrants(w *work, next tables) error {
	var d GrantEntry
	if err := w.read(&d); err != nil {
		return err
	}
	removed := 0
	for at := range next.grants {
		if at.Principal == d.Principal && at.Space == d.FSP && (len(d.Operations) == 0 || slices.Contains(d.Operations, at.Operation)) {
			delete(next.grants, at)
			removed++
		}
	}
	if removed == 0 {
		return fault.New(fault.NotFound, "there is no such grant; see what there is with: cpm grant list")
	}
	return nil
}

func issueToken(w *work, next tables) error {
	d, row, k, err := w.token(next)
	if err != nil {
		return err
	}
	if !d.Expires.After(w.now) || d.Expires.After(w.now.Add(maxTokenLife)) {
		return fault.New(fault.Invalid, "a token is good for at most %d days, and at least till now", maxTokenLife/(24*time.Hour))
	}
	// What is over has no use any more, and would count towards the bound of a user's tokens.
	k.Tokens = slices.DeleteFunc(k.Tokens, func(t access.Token) bool { return t.Expires.Before(w.now) })
	k.Tokens = append(k.Tokens, access.Token{ID: d.ID, Hash: d.Hash, Created: w.now.UTC(), Expires: d.Expires.UTC()})
	w.stamp(next, row, k)
	return nil
}

func revokeToken(w *work, next tables) error {
	d, row, k, err := w.token(next)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(k.Tokens), func(t access.Token) bool { return t.ID == d.ID })
	if len(left) == len(k.Tokens) {
		return fault.New(fault.NotFound, "the user has no such token; see what there is with: cpm token list")
	}
	k.Tokens = left
	w.stamp(next, row, k)
	return nil
}

// token reads the document and the user it is about.
func (w *work) token(next tables) (d TokenDocument, row store.User, k credentials, err error) {
	if err = w.read(&d); err != nil {
		return d, row, k, err
	}
	if row, err = w.user(next); err != nil {
		return d, row, k, err
	}
	k, err = credentialsOf(row)
	return d, row, k, err
}

// stamp puts a user with other credentials into the tables.
func (w *work) stamp(next tables, row store.User, k credentials) {
	row.Attrs = json.RawMessage(k.attrs())
	row.UpdatedAt, row.UpdatedBy = store.Micros(w.now), w.actor
	next.users[row.Name] = row
}
