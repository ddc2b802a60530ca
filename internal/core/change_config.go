package core

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/store"
)

// Document is a configuration to be applied: each part that is given replaces that part of the stored configuration; a
// part that is absent stays. FSPs are added or changed, never removed: suspend one to cut it off.
type Document struct {
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	FSPs     []FSPEntry                 `json:"fsps,omitempty"`
	Adapters []AdapterEntry             `json:"adapters,omitempty"`
	Routes   []RouteEntry               `json:"routes,omitempty"`
	Grants   []GrantEntry               `json:"grants,omitempty"`
	Groups   []GroupEntry               `json:"groups,omitempty"`
	Users    []UserEntry                `json:"users,omitempty"`
	// Whitelist says from where each Command adapter takes commands; an adapter that is not in it takes none.
	Whitelist []WhitelistEntry `json:"whitelist,omitempty"`
}

// FSPEntry is one FSP of a Document.
type FSPEntry struct {
	Name   string `json:"name"`
	Policy Policy `json:"policy,omitzero"`
}

// AdapterEntry is one adapter of a Document.
type AdapterEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`   // security (default), command, keyupdate
	Kind     string `json:"kind"`             // ssm; command and keyupdate may leave it out
	Launch   string `json:"launch,omitempty"` // inproc (default), managed, external; command and keyupdate are external
	Disabled bool   `json:"disabled,omitempty"`
	// Identity is the name the certificate of an adapter on a link must have, Endpoints its addresses as host:port.
	Identity   string          `json:"identity,omitempty"`
	Endpoints  []string        `json:"endpoints,omitempty"`
	Operations []cpm.Operation `json:"operations"`
	Settings   json.RawMessage `json:"settings,omitempty"`
}

// RouteEntry is one rule of a Document.
type RouteEntry struct {
	FSP       string   `json:"fsp"`       // or *
	Operation string   `json:"operation"` // or *
	Adapter   string   `json:"adapter"`
	Disabled  bool     `json:"disabled,omitempty"`
	Timeout   Duration `json:"timeout,omitempty"`
}

// GrantEntry is one grant of a Document for several operations.
type GrantEntry struct {
	Principal  string   `json:"principal"`
	FSP        string   `json:"fsp"`        // or *
	Operations []string `json:"operations"` // or *
}

// applyConfig stores a Document in one transaction. The whole is validated before the commit.
func applyConfig(_ context.Context, w *work) error {
	var d Document
	if err := w.read(&d); err != nil {
		return err
	}
	rows := w.rows(d)
	next := &Snapshot{Keys: w.before.Keys, rows: w.before.rows.clone()}
	next.rows.replace(d, rows)
	if err := next.derive(); err != nil {
		return err
	}
	if err := checkPrincipals(d.Grants); err != nil {
		return err
	}
	if next.enabledAdapters() == 0 {
		return fault.New(fault.Invalid, "at least one enabled security adapter is needed")
	}
	if lost := w.before.rows.lost(next.rows); len(lost) > 0 {
		w.detail = ConfigDetail{Gone: lost}
	}
	return w.write(next.rows)
}

// checkPrincipals names every grant that would never apply, because no caller has such a name.
func checkPrincipals(grants []GrantEntry) error {
	problems := make([]error, len(grants))
	for i, g := range grants {
		problems[i] = access.CheckPrincipal(g.Principal)
	}
	if err := errors.Join(problems...); err != nil {
		return fault.New(fault.Invalid, "%s", err)
	}
	return nil
}

// rows turns the document into table rows, stamped as new.
func (w *work) rows(d Document) *store.State {
	at, by := store.Micros(w.now), w.actor
	s := &store.State{}
	for name, value := range d.Settings {
		s.Settings = append(s.Settings, store.Setting{Name: name, Value: value})
	}
	for _, f := range d.FSPs {
		s.FSPs = append(s.FSPs, w.fspRow(f))
	}
	for _, a := range d.Adapters {
		row := adapterRow(a, at, by)
		row.Stopped = w.before.rows.adapters[a.Name].Stopped // an operator's decision, not the document's
		s.Adapters = append(s.Adapters, row)
		for _, e := range a.Endpoints {
			s.Endpoints = append(s.Endpoints, endpointRow(a.Name, e, at, by))
		}
	}
	for _, r := range d.Routes {
		s.Routes = append(s.Routes, store.Route{
			Space: r.FSP, Operation: r.Operation, Adapter: r.Adapter, Enabled: !r.Disabled,
			Timeout: int64(r.Timeout) / 1000, CreatedAt: at, UpdatedAt: at, CreatedBy: by, UpdatedBy: by,
		})
	}
	for _, g := range d.Grants {
		for _, o := range g.Operations {
			s.Grants = append(s.Grants, store.Grant{
				Principal: g.Principal, Space: g.FSP, Operation: o, CreatedAt: at, UpdatedAt: at, CreatedBy: by, UpdatedBy: by,
			})
		}
	}
	w.operatorRows(d, s)
	return s
}

// fspRow keeps the state of an FSP that is there.
func (w *work) fspRow(f FSPEntry) store.FSP {
	row, there := w.before.rows.fsps[f.Name]
	if !there {
		row = store.FSP{Name: f.Name, State: fspActive, CreatedAt: store.Micros(w.now), CreatedBy: w.actor}
	}
	row.Policy, _ = json.Marshal(f.Policy)
	row.UpdatedAt, row.UpdatedBy = store.Micros(w.now), w.actor
	return row
}

func adapterRow(a AdapterEntry, at int64, by string) store.Adapter {
	kind, launch := a.Type, route.LaunchExternal // of an adapter that dials in
	if a.Type == "" || a.Type == route.TypeSecurity {
		a.Type, kind, launch = route.TypeSecurity, a.Kind, route.LaunchInProcess
	}
	a.Kind, a.Launch = cmp.Or(a.Kind, kind), cmp.Or(a.Launch, launch)
	if a.Operations == nil {
		a.Operations = []cpm.Operation{}
	}
	operations, _ := json.Marshal(a.Operations)
	return store.Adapter{
		Name: a.Name, Type: a.Type, Kind: a.Kind, Launch: a.Launch, Enabled: !a.Disabled, Operations: operations,
		Identity: a.Identity, Settings: a.Settings, CreatedAt: at, UpdatedAt: at, CreatedBy: by, UpdatedBy: by,
	}
}

// endpointRow takes host:port apart; what cannot be one keeps its text as the address, and the check of the routing table
// names it.
func endpointRow(adapter, endpoint string, at int64, by string) store.Endpoint {
	e := store.Endpoint{Adapter: adapter, Address: endpoint, CreatedAt: at, CreatedBy: by}
	if host, port, err := net.SplitHostPort(endpoint); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			e.Address, e.Port = host, int64(n)
		}
	}
	return e
}

// replace puts the parts the document has in place of the stored ones. Settings and FSPs are only added to.
func (t tables) replace(d Document, rows *store.State) {
	if d.Adapters != nil {
		clear(t.adapters)
		clear(t.endpoints)
	}
	if d.Routes != nil {
		clear(t.routes)
	}
	if d.Grants != nil {
		clear(t.grants)
	}
	t.replaceOperators(d)
	t.put(rows)
}

// enabledAdapters counts the security adapters that may work.
func (s *Snapshot) enabledAdapters() int {
	n := 0
	for _, a := range s.Routes.Adapters() {
		if a.Security() && a.Enabled && !a.Stopped {
			n++
		}
	}
	return n
}

// write stores the difference between the tables as they are and as they shall be: what others refer to is put first and
// deleted last.
func (w *work) write(next tables) error {
	old := w.before.rows
	adapter := func(r *store.Adapter) store.Row { return r }
	endpoint := func(r *store.Endpoint) store.Row { return r }
	route := func(r *store.Route) store.Row { return r }
	grant := func(r *store.Grant) store.Row { return r }
	return firstError(
		func() error { return w.removeOperators(old, next) },
		func() error { return remove(w.tx, old.endpoints, next.endpoints, endpoint) },
		func() error { return remove(w.tx, old.routes, next.routes, route) },
		func() error { return remove(w.tx, old.grants, next.grants, grant) },
		func() error { return remove(w.tx, old.adapters, next.adapters, adapter) },
		func() error {
			return put(w.tx, old.settings, next.settings, func(r *store.Setting) store.Row { return r }, nil)
		},
		func() error {
			return put(w.tx, old.fsps, next.fsps, func(r *store.FSP) store.Row { return r },
				func(r *store.FSP) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error {
			return put(w.tx, old.adapters, next.adapters, adapter,
				func(r *store.Adapter) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error {
			return put(w.tx, old.endpoints, next.endpoints, endpoint,
				func(r *store.Endpoint) dates { return dates{createdAt: &r.CreatedAt, createdBy: &r.CreatedBy} })
		},
		func() error {
			return put(w.tx, old.routes, next.routes, route,
				func(r *store.Route) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error {
			return put(w.tx, old.grants, next.grants, grant,
				func(r *store.Grant) dates { return dates{&r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &r.UpdatedBy} })
		},
		func() error { return w.putOperators(old, next) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
