package core

import (
	"encoding/json"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/store"
)

// GroupEntry is one group of users of a Document.
type GroupEntry struct {
	Name string `json:"name"`
	// Commands are commands, such as RefreshKeys, and names of actions, such as key.add.
	Commands []string `json:"commands"`
}

// UserEntry is one operator of a Document. The tokens of a user who is there stay; they are issued and revoked, never applied.
type UserEntry struct {
	Name     string `json:"name"`
	Group    string `json:"group"`
	Disabled bool   `json:"disabled,omitempty"`
	// Certificates are the names of client certificates that show the user.
	Certificates []string `json:"certificates,omitempty"`
}

// WhitelistEntry lists from where an adapter takes commands: addresses, and ranges such as 10.1.0.0/16.
type WhitelistEntry struct {
	Adapter   string   `json:"adapter"`
	Addresses []string `json:"addresses"`
}

// operatorRows adds the rows of the document's groups, users and whitelist.
func (w *work) operatorRows(d Document, s *store.State) {
	for _, g := range d.Groups {
		s.Groups = append(s.Groups, w.groupRow(g.Name))
		for _, c := range g.Commands {
			s.GroupCommands = append(s.GroupCommands, w.commandRow(g.Name, c))
		}
	}
	for _, u := range d.Users {
		s.Users = append(s.Users, w.userRow(u))
	}
	for _, e := range d.Whitelist {
		for _, a := range e.Addresses {
			s.Whitelist = append(s.Whitelist, w.rangeRow(e.Adapter, a))
		}
	}
}

func (w *work) groupRow(name string) store.Group {
	at := store.Micros(w.now)
	return store.Group{Name: name, Attrs: []byte("{}"), CreatedAt: at, CreatedBy: w.actor, UpdatedAt: at, UpdatedBy: w.actor}
}

func (w *work) commandRow(group, command string) store.GroupCommand {
	return store.GroupCommand{Group: group, Command: command, CreatedAt: store.Micros(w.now), CreatedBy: w.actor}
}

// rangeRow writes a range in its canonical form; what is none keeps its text, and the check of the rules names it.
func (w *work) rangeRow(adapter, address string) store.Whitelist {
	if p, err := access.ParseRange(address); err == nil {
		address = p.String()
	}
	return store.Whitelist{Adapter: adapter, Address: address, CreatedAt: store.Micros(w.now), CreatedBy: w.actor}
}

// userRow keeps the tokens of a user who is there.
func (w *work) userRow(u UserEntry) store.User {
	at := store.Micros(w.now)
	k := credentials{Certificates: u.Certificates}
	if old, there := w.before.rows.users[u.Name]; there {
		stored, _ := credentialsOf(old) // the snapshot was made of it
		k.Tokens = stored.Tokens
	}
	return store.User{
		Name: u.Name, Group: u.Group, Enabled: !u.Disabled, Attrs: json.RawMessage(k.attrs()),
		CreatedAt: at, CreatedBy: w.actor, UpdatedAt: at, UpdatedBy: w.actor,
	}
}

// replaceOperators takes out the parts the document gives anew.
func (t tables) replaceOperators(d Document) {
	if d.Groups != nil {
		clear(t.groups)
		clear(t.commands)
	}
	if d.Users != nil {
		clear(t.users)
	}
	if d.Whitelist != nil {
		clear(t.whitelist)
	}
}

// removeOperators deletes what next has not, what refers to others first; it comes before adapters are deleted.
func (w *work) removeOperators(old, next tables) error {
	return firstError(
		func() error {
			return remove(w.tx, old.whitelist, next.whitelist, func(r *store.Whitelist) store.Row { return r })
		},
		func() error {
			return remove(w.tx, old.commands, next.commands, func(r *store.GroupCommand) store.Row { return r })
		},
		func() error { return remove(w.tx, old.users, next.users, func(r *store.User) store.Row { return r }) },
	)
}

// putOperators writes what is new or differs, what others refer to first; it comes after adapters are written. A group is
// deleted last, when no user that stays is in it any more.
func (w *work) putOperators(old, next tables) error {
	return firstError(
		func() error {
			return put(w.tx, old.groups, next.groups, func(r *store.Group) store.Row { return r },
				func(r *store.Group) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error {
			return put(w.tx, old.commands, next.commands, func(r *store.GroupCommand) store.Row { return r },
				func(r *store.GroupCommand) dates { return dates{createdAt: &r.CreatedAt, createdBy: &r.CreatedBy} })
		},
		func() error {
			return put(w.tx, old.users, next.users, func(r *store.User) store.Row { return r },
				func(r *store.User) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error {
			return put(w.tx, old.whitelist, next.whitelist, func(r *store.Whitelist) store.Row { return r },
				func(r *store.Whitelist) dates { return dates{createdAt: &r.CreatedAt, createdBy: &r.CreatedBy} })
		},
		func() error {
			return remove(w.tx, old.groups, next.groups, func(r *store.Group) store.Row { return r })
		},
	)
}
