package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/store"
)

// Snapshot is everything a request is judged by. It never changes; a request sees exactly one.
type Snapshot struct {
	store.Position

	Routes   *route.Table
	Rules    *access.Rules
	Keys     *keys.Index
	FSPs     map[cpm.FSP]*FSP
	Settings Settings

	adapters map[string]*adapter
	rows     tables
}

func emptySnapshot() *Snapshot {
	s := &Snapshot{Keys: keys.NewIndex(nil, nil), adapters: map[string]*adapter{}, rows: newTables()}
	if err := s.derive(); err != nil {
		panic(err) // empty tables have no faults
	}
	return s
}

// derive makes routes, rules and FSPs of the tables. Its error names every problem.
func (s *Snapshot) derive() error {
	var problems []error
	note := func(err error) { problems = append(problems, err) }
	var adapters []route.Adapter
	for _, r := range s.rows.adapters {
		a, err := adapterOf(r)
		note(err)
		a.Endpoints = s.rows.endpointsOf(r.Name)
		adapters = append(adapters, a)
	}
	var rules []route.Rule
	for _, r := range s.rows.routes {
		rules = append(rules, route.Rule{
			Space: r.Space, Operation: r.Operation, Adapter: r.Adapter, Enabled: r.Enabled,
			Timeout: time.Duration(r.Timeout) * time.Microsecond,
		})
		note(s.known("route", r.Space))
	}
	grants := make([]access.Grant, 0, len(s.rows.grants))
	for g := range s.rows.grants {
		grants = append(grants, g)
		note(s.known("grant", g.Space))
	}
	var err error
	s.Routes, err = route.New(rules, adapters)
	note(err)
	operators, err := s.rows.operators()
	note(err)
	operators.Grants, operators.Actions = grants, Actions()
	s.Rules, err = access.New(operators)
	note(err)
	note(s.rows.checkWhitelist())
	s.FSPs, err = fspsOf(s.rows.fsps)
	note(err)
	for name, f := range s.FSPs {
		for _, peer := range f.Policy.Encryption.peers() {
			note(s.known(fmt.Sprintf("encryption of %q", name), peer))
		}
	}
	s.Settings, err = settingsOf(s.rows.settings)
	note(err)
	if err := errors.Join(problems...); err != nil {
		return fault.New(fault.Invalid, "the configuration has faults:\n%s", err)
	}
	return nil
}

// known checks that a rule or grant names an FSP that is there.
func (s *Snapshot) known(what, space string) error {
	if _, ok := s.rows.fsps[space]; ok || space == route.Any {
		return nil
	}
	return fmt.Errorf("%s for FSP %q: the FSP is not known; add it first", what, space)
}

func adapterOf(r store.Adapter) (route.Adapter, error) {
	a := route.Adapter{
		Name: r.Name, Type: r.Type, Kind: r.Kind, Launch: r.Launch, Identity: r.Identity, Enabled: r.Enabled,
		Stopped: r.Stopped, Settings: r.Settings,
	}
	if len(r.Operations) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(r.Operations, &a.Operations); err != nil {
		return a, fmt.Errorf("adapter %q: its operations cannot be read: %w", r.Name, err)
	}
	return a, nil
}

// build makes a snapshot of a whole state and starts its adapters, but for those that run already in before.
func (c *Core) build(ctx context.Context, state *store.State, before *Snapshot) (*Snapshot, error) {
	next := emptySnapshot()
	next.Position = state.Position
	next.rows.put(state)
	next.Keys = keys.NewIndex(state.Series, state.Objects)
	if err := next.derive(); err != nil {
		return nil, err
	}
	return next, c.startAdapters(ctx, next, before)
}

// patched is the snapshot after a change: the rows it named, read again, in place of the old ones.
func (s *Snapshot) patched(fresh *store.State, gone []store.Ref) (*Snapshot, error) {
	next := &Snapshot{Position: fresh.Position, Keys: s.Keys, adapters: s.adapters, rows: s.rows.clone()}
	next.rows.put(fresh)
	next.rows.remove(gone)
	if len(fresh.Series)+len(fresh.Objects) > 0 {
		next.Keys = s.Keys.With(fresh.Series, fresh.Objects)
	}
	return next, next.derive()
}
