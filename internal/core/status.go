package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// The specification's words for a status ("Status", i).
const (
	statusActive  = "Active"
	statusStopped = "Stopped"
	statusUnknown = "Unknown"
)

// StatusView is what Status answers (specification, "Commands", 5.f).
type StatusView struct {
	Name string `json:"name"`
	// Status is the specification's word for the state of the CPM.
	Status   string        `json:"status"`
	State    cpm.State     `json:"state"`
	Since    time.Time     `json:"since"`
	Revision int64         `json:"revision"`
	FSPs     int           `json:"fsps"`
	Keys     int           `json:"keys"`
	Adapters []AdapterView `json:"adapters"`
	// Counts, Commands and KeyUpdates are the core's own counters since Since (vi).
	Counts   []obs.Count        `json:"counts"`
	Commands []obs.CommandCount `json:"commands"`
	// KeyUpdates count per FSP.
	KeyUpdates []obs.UpdateCount `json:"keyUpdates"`
	Late       uint64            `json:"lateAnswers"`
}

// AdapterView is one adapter; Status is the specification's word beside the state.
type AdapterView struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Kind   string `json:"kind"`
	Launch string `json:"launch"`
	// Identity is the certificate name of an adapter on a link.
	Identity string    `json:"identity,omitempty"`
	Status   string    `json:"status"`
	State    cpm.State `json:"state"`
	Enabled  bool      `json:"enabled"`
	// Stopped is an operator's stop; it holds until an operator's start.
	Stopped    bool            `json:"stopped"`
	Operations []cpm.Operation `json:"operations"`
	Endpoints  []EndpointView  `json:"endpoints"`
	// Connected is how many replicas of an adapter that dials in are connected.
	Connected int `json:"connected,omitempty"`
	// Own are the adapter's own counters (ii to iv), added up over its endpoints or replicas: of commands, of key updates or of
	// operations. They are there after it was asked, and start anew when its process does.
	Own []OwnCount `json:"own,omitempty"`
	// HSMs are the devices of a hardware adapter (v).
	HSMs []HSMView `json:"hsms"`
}

// OwnCount is an adapter's counter of one command, action or operation; whatever was none is Invalid, under "".
type OwnCount struct {
	Name    string `json:"name"`
	Success uint64 `json:"success"`
	Failed  uint64 `json:"failed"`
	Invalid uint64 `json:"invalid"`
}

// HSMView is one hardware security module of an adapter, with its counters.
type HSMView struct {
	Name   string     `json:"name"`
	Type   string     `json:"type"`
	Status string     `json:"status"`
	Own    []OwnCount `json:"own"`
}

// EndpointView is one of an adapter's equal endpoints. That of an adapter in process has no address.
type EndpointView struct {
	Address string `json:"address,omitempty"`
	// Up says whether requests can reach it now.
	Up bool `json:"up"`
	// Status is what it answered when it was asked: Active, Stopped, or Unknown without an answer.
	Status string `json:"status,omitempty"`
	// InFlight is how many requests it has from this CPM.
	InFlight int64 `json:"inFlight"`
	// Restarts is how many times the process of a managed adapter had to be started again.
	Restarts uint64 `json:"restarts,omitempty"`
}

// Status tells the state of the CPM and its adapters as the CPM sees them, and the counters since start. It asks nobody.
func (c *Core) Status() StatusView { return c.statusOf(c.snapshot.Load()) }

func (c *Core) statusOf(s *Snapshot) StatusView {
	v := StatusView{
		Name: s.Settings.CommonName, Status: statusStopped, State: c.State(), Since: c.started.UTC(), Revision: s.Revision,
		FSPs: len(s.FSPs), Keys: s.Keys.Len(), Adapters: c.adapterViews(s), Counts: c.Counts(), Commands: c.CommandCounts(), KeyUpdates: c.KeyUpdateCounts(),
		Late: c.Late(),
	}
	if v.State == cpm.Active {
		v.Status = statusActive
	}
	return v
}

// Adapters lists the adapters by name.
func (c *Core) Adapters() []AdapterView { return c.adapterViews(c.snapshot.Load()) }

func (c *Core) adapterViews(s *Snapshot) []AdapterView {
	views := []AdapterView{}
	for _, a := range s.Routes.Adapters() {
		views = append(views, c.view(s, a))
	}
	slices.SortFunc(views, func(a, b AdapterView) int { return cmp.Compare(a.Name, b.Name) })
	return views
}

// view is an adapter as the CPM sees it. One that should work and cannot be reached is Inactive, and what it does is Unknown.
func (c *Core) view(s *Snapshot, a *route.Adapter) AdapterView {
	v := AdapterView{
		Name: a.Name, Type: a.Type, Kind: a.Kind, Launch: a.Launch, Identity: a.Identity, Status: statusStopped, State: cpm.Stopped,
		Enabled: a.Enabled, Stopped: a.Stopped, Operations: a.Operations, HSMs: []HSMView{},
	}
	running := s.adapters[a.Name]
	switch {
	case !a.Enabled || a.Stopped:
	case a.Security() && running != nil:
		v.State = running.State()
	case !a.Security():
		v.Connected = len(c.attached.of(a.Name))
		v.State = cpm.Inactive
		if v.Connected > 0 {
			v.State = cpm.Active
		}
	}
	switch v.State { //nolint:exhaustive // every other state is Stopped
	case cpm.Active:
		v.Status = statusActive
	case cpm.Inactive:
		v.Status = statusUnknown
	}
	v.Endpoints = endpointViews(a, running)
	return v
}

// endpointViews lists the endpoints in the order of the configuration; running is nil for an adapter that does not.
func endpointViews(a *route.Adapter, running *adapter) []EndpointView {
	views := []EndpointView{}
	for i, address := range a.Places() {
		v := EndpointView{Address: address}
		if running != nil {
			e := running.endpoints[i]
			v.Up, v.InFlight = e.up(), e.busy.Load()
			if m, ok := e.module.(cpm.Supervised); ok {
				v.Restarts = m.Restarts()
			}
		}
		views = append(views, v)
	}
	return views
}

// CommandCounts lists the counters of commands in the specification's order; what was no command comes last, without a name.
func (c *Core) CommandCounts() []obs.CommandCount {
	by := map[cpm.CommandName]cpm.Outcomes{}
	c.commands.each(func(name cpm.CommandName, n cpm.Outcomes) { by[name] = n })
	all := []obs.CommandCount{}
	for _, name := range append(cpm.Commands(), "") {
		n := by[name]
		all = append(all, obs.CommandCount{Command: string(name), Success: n.Success, Failed: n.Failed, Invalid: n.Invalid})
	}
	return all
}

// KeyUpdateCounts are UpdateCounts as Status and the metrics show them.
func (c *Core) KeyUpdateCounts() []obs.UpdateCount {
	all := []obs.UpdateCount{}
	for _, n := range c.UpdateCounts() {
		all = append(all, obs.UpdateCount{FSP: n.FSP, Action: n.Action, Success: n.Success, Failed: n.Failed, Invalid: n.Invalid})
	}
	return all
}
