package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Admission is the setting that bounds what callers and FSPs may ask for. Absent members have the defaults; a 0 that is
// written takes a default away.
type Admission struct {
	// Callers are the limits of each caller, FSPs those of each FSP; an FSP's policy may have its own.
	Callers admission.Limits `json:"callers"`
	FSPs    admission.Limits `json:"fsps"`
	// Principals are the limits of single callers in place of Callers.
	Principals []PrincipalLimits `json:"principals,omitempty"`

	principals map[admission.Caller]admission.Limits
}

// PrincipalLimits are the limits of one caller, named by kind and name as in grants. Absent members are those of all callers.
type PrincipalLimits struct {
	admission.Limits

	Principal string `json:"principal"`
}

// How many requests a caller, and an FSP, may have under way when nothing else is configured: more than can be answered in a
// second on most machines.
const (
	defaultCallers = 2048
	defaultFSPs    = 4096
)

// maxPrincipals bounds the callers with limits of their own.
const maxPrincipals = 1024

func defaultAdmission() Admission {
	return Admission{
		Callers: admission.Limits{Concurrent: defaultCallers}, FSPs: admission.Limits{Concurrent: defaultFSPs},
	}
}

// readAdmission reads the setting strictly.
func readAdmission(s *Settings, v []byte) error {
	a := defaultAdmission()
	d := json.NewDecoder(bytes.NewReader(v))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return err
	}
	if len(a.Principals) > maxPrincipals {
		return fmt.Errorf("principals has more than %d callers", maxPrincipals)
	}
	problems := []error{problemIn("callers", a.Callers.Check()), problemIn("fsps", a.FSPs.Check())}
	a.principals = make(map[admission.Caller]admission.Limits, len(a.Principals))
	for _, l := range a.Principals {
		p, ok := principalNamed(l.Principal)
		if !ok {
			problems = append(problems, fmt.Errorf("principals: %q is not KIND:NAME, such as certificate:switch.example", l.Principal))
		}
		if _, twice := a.principals[p]; twice && ok {
			problems = append(problems, fmt.Errorf("principals: %s is there twice", l.Principal))
		}
		problems = append(problems, problemIn("principals: "+l.Principal, l.Check()))
		a.principals[p] = l.Limits
	}
	s.Admission = a
	return errors.Join(problems...)
}

func problemIn(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// principalNamed reads a caller of the Mojaloop port as grants write it.
func principalNamed(text string) (admission.Caller, bool) {
	for _, kind := range []cpm.PrincipalKind{cpm.PrincipalCertificate, cpm.PrincipalLoopback} {
		prefix := string(kind) + ":"
		if len(text) > len(prefix) && text[:len(prefix)] == prefix {
			return admission.Caller{Kind: kind, Name: text[len(prefix):]}, true
		}
	}
	return admission.Caller{}, false
}

// of are the limits of a caller.
func (a *Admission) of(c admission.Caller) admission.Limits {
	if len(a.principals) > 0 {
		if l, own := a.principals[c]; own {
			return l.Or(a.Callers)
		}
	}
	return a.Callers
}

// maxCallers bounds the callers that are told apart; certificates name them, so there are as many as were issued.
const maxCallers = 16 << 10

// quotas count what callers and FSPs ask for. They outlive snapshots: a change of the configuration forgives nobody.
type quotas struct {
	callers *admission.Gate[admission.Caller]
	fsps    *admission.Gate[cpm.FSP]
	sampler admission.Sampler

	mu    sync.Mutex
	sheds map[admission.Reason]uint64
}

func newQuotas() *quotas {
	return &quotas{
		callers: admission.NewGate[admission.Caller](maxCallers), fsps: admission.NewGate[cpm.FSP](maxCallers),
		sheds: map[admission.Reason]uint64{},
	}
}

// fsp lets a request be one of its FSP's, which has to leave the place again. Only FSPs that are there come here.
func (q *quotas) fsp(t *trip) (*admission.Place, error) {
	f := t.snapshot.FSPs[t.request.FSP]
	if f == nil {
		return nil, nil
	}
	place, no := q.fsps.Enter(f.Name, f.Policy.Limits.Or(t.snapshot.Settings.Admission.FSPs))
	switch {
	case no == nil:
		return place, nil
	case no.Why == admission.Rate:
		return nil, admission.Decline(admission.FSPRate, no.After, "the FSP has used up its rate; try again later")
	}
	return nil, admission.Decline(admission.FSPMany, no.After, "the FSP has too many requests under way; try again shortly")
}

// Admit lets one request of a caller in before anything of it is read, or declines it. A door calls it for every request,
// and Leave on the place when it is answered.
func (c *Core) Admit(ctx context.Context, p cpm.Principal) (*admission.Place, *fault.Error) {
	who := admission.CallerOf(p)
	place, no := c.quotas.callers.Enter(who, c.snapshot.Load().Settings.Admission.of(who))
	if no == nil {
		return place, nil
	}
	e := usedUp(no)
	if no.Why == admission.Many {
		e = admission.Decline(admission.CallerMany, no.After, "the caller has too many requests under way; try again shortly")
	}
	c.shed(ctx, &trip{request: &cpm.Request{Caller: p}}, e)
	return nil, e
}

// Again lets one more item of a batch begin on a place that the batch has, or declines it.
func (c *Core) Again(ctx context.Context, p cpm.Principal, place *admission.Place) *fault.Error {
	no := c.quotas.callers.Again(place, c.snapshot.Load().Settings.Admission.of(admission.CallerOf(p)))
	if no == nil {
		return nil
	}
	e := usedUp(no)
	c.shed(ctx, &trip{request: &cpm.Request{Caller: p}}, e)
	return e
}

// Beside gives a batch another place for its items, if its caller has not half of what it may have under way.
func (c *Core) Beside(p cpm.Principal) (*admission.Place, bool) {
	who := admission.CallerOf(p)
	return c.quotas.callers.Beside(who, c.snapshot.Load().Settings.Admission.of(who))
}

func usedUp(no *admission.Refusal) *fault.Error {
	return admission.Decline(admission.CallerRate, no.After, "the caller has used up its rate; try again later")
}

// shed counts a request that was declined as Busy, and logs one of each reason in a second.
func (c *Core) shed(ctx context.Context, t *trip, e *fault.Error) {
	reason := admission.ReasonOf(e)
	c.quotas.mu.Lock()
	c.quotas.sheds[reason]++
	c.quotas.mu.Unlock()
	skipped, ok := c.quotas.sampler.Pass(string(reason))
	if !ok {
		return
	}
	c.log.LogAttrs(ctx, slog.LevelWarn, "requests are declined because too much is asked for", obs.Event("request.shed"),
		slog.String("reason", string(reason)), slog.Uint64("skipped", skipped), obs.RequestID(t.request.ID), obs.TraceID(t.request.Trace.ID()),
		slog.String("caller", t.request.Caller.String()), obs.FSP(t.fspLabel()), obs.Operation(t.operationLabel()), obs.Adapter(t.rule.Adapter), obs.Err(e))
}

// Sheds are the requests declined as Busy since start, by reason, for the metrics.
func (c *Core) Sheds() map[string]uint64 {
	c.quotas.mu.Lock()
	defer c.quotas.mu.Unlock()
	all := make(map[string]uint64, len(c.quotas.sheds))
	for reason, n := range maps.All(c.quotas.sheds) {
		all[string(reason)] = n
	}
	return all
}
