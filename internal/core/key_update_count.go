package core

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
)

// UpdateCount is how many key updates of an FSP were done, failed or were invalid since start (specification, "Status", iii
// and vi). FSP is empty for updates that name no FSP of this CPM, Action for those whose action could not be read.
type UpdateCount struct {
	FSP    string `json:"fsp"`
	Action string `json:"action"`
	cpm.Outcomes
}

type updateLabel struct{ fsp, action string }

// updateCounters count key updates.
type updateCounters struct {
	mu sync.Mutex
	by map[updateLabel]*cpm.Outcomes
}

func newUpdateCounters() *updateCounters {
	return &updateCounters{by: map[updateLabel]*cpm.Outcomes{}}
}

// add counts one outcome: what breaks a rule of key updates is invalid, any other decline of a valid one has failed.
func (c *updateCounters) add(l updateLabel, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[l] == nil {
		c.by[l] = &cpm.Outcomes{}
	}
	switch {
	case err == nil:
		c.by[l].Success++
	case rule(err) != "":
		c.by[l].Invalid++
	default:
		c.by[l].Failed++
	}
}

// UpdateCounts lists the counters of key updates by FSP and action.
func (c *Core) UpdateCounts() []UpdateCount {
	c.updates.mu.Lock()
	defer c.updates.mu.Unlock()
	all := []UpdateCount{}
	for l, n := range c.updates.by {
		all = append(all, UpdateCount{l.fsp, l.action, *n})
	}
	slices.SortFunc(all, func(a, b UpdateCount) int {
		return cmp.Or(cmp.Compare(a.FSP, b.FSP), cmp.Compare(a.Action, b.Action))
	})
	return all
}

// rule is the rule of key updates that an error is about; empty if it is another error.
func rule(err error) keys.Rule {
	r, _ := errors.AsType[keys.Rule](err)
	return r
}

// label never has a name that the CPM does not know, so that nobody outside decides how many counters there are.
func (u *updating) label() updateLabel {
	l := updateLabel{}
	if u.update != nil {
		l.action = string(u.update.Action)
	}
	if u.known {
		l.fsp = string(u.update.FSP)
	}
	return l
}

// updateRefused counts and logs a key update that was not done.
func (c *Core) updateRefused(ctx context.Context, u *updating, err error) {
	l := u.label()
	c.updates.add(l, err)
	e := fault.From(err)
	word := string(rule(err))
	if word == "" {
		word = e.Kind.String()
	}
	attrs := []slog.Attr{
		obs.Event("key.update-refused"), obs.RequestID(u.requestID), obs.FSP(l.fsp), slog.String("action", l.action),
		obs.Outcome(word), obs.Kind(e.Kind), obs.Adapter(u.adapter), slog.String("address", u.address), obs.Err(err),
	}
	if u.signer != nil {
		attrs = append(attrs, obs.Kid(u.update.Name), slog.Int64("seq", u.update.Seq))
	}
	c.log.LogAttrs(ctx, slog.LevelWarn, "key update refused", attrs...)
}

// recordKey logs what became of a key (specification, "Key Updates", 4).
func (c *Core) recordKey(ctx context.Context, p cpm.Principal, change Change, r Receipt) {
	k, ok := r.Detail.(KeyDetail)
	if !ok || k.event == "" {
		return
	}
	c.log.LogAttrs(ctx, obs.LevelAudit, "a key has been changed",
		obs.Event("key."+k.event), obs.RequestID(change.RequestID), obs.FSP(k.FSP), obs.Kid(k.Name),
		slog.Uint64("version", uint64(k.Version)), slog.String("id", k.ID), slog.String("actor", p.String()),
		slog.String("address", p.Address), slog.Int64("revision", r.Revision))
}
