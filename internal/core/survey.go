package core

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/route"
)

// Survey is Status after every adapter was asked for its own (specification, "Commands", 5.a to 5.f). All are asked at once,
// each with a timer of its own; one that does not answer in time is Unknown, and its answer is dropped if it comes later.
func (c *Core) Survey(ctx context.Context) StatusView {
	s := c.snapshot.Load()
	v := c.statusOf(s)
	var group sync.WaitGroup
	for i := range v.Adapters {
		a, known := s.Routes.Adapter(v.Adapters[i].Name)
		if !known || v.Adapters[i].State == cpm.Stopped {
			continue
		}
		group.Go(func() { v.Adapters[i].hear(c.ask(ctx, s, a), a.Security()) })
	}
	group.Wait()
	return v
}

// report is what one endpoint or replica said of itself.
type report struct {
	state  cpm.State
	counts map[string]cpm.Outcomes
	// place is the endpoint's, in the order of the configuration.
	place    int
	answered bool
}

// question asks one endpoint or replica.
type question func(ctx context.Context) (cpm.State, map[string]cpm.Outcomes, error)

// ask asks every endpoint or replica of an adapter that is there.
func (c *Core) ask(ctx context.Context, s *Snapshot, a *route.Adapter) []report {
	questions := map[int]question{}
	if running := s.adapters[a.Name]; running != nil {
		for i, e := range running.endpoints {
			if e.up() {
				questions[i] = askModule(e.module)
			}
		}
	}
	for i, r := range c.attached.of(a.Name) {
		questions[i] = askService(r.service)
	}
	reports := make(chan report, len(questions))
	for i, q := range questions {
		go func() { reports <- q.within(ctx, s, i) }()
	}
	var all []report
	for range questions {
		all = append(all, <-reports)
	}
	return all
}

// within asks with a timer. The module is not trusted to keep to it: a late answer finds nobody.
func (q question) within(ctx context.Context, s *Snapshot, place int) report {
	ctx, cancel := context.WithTimeout(ctx, s.Settings.StatusTimeout)
	defer cancel()
	answer := make(chan report, 1)
	go func() {
		state, counts, err := q(ctx)
		answer <- report{state: state, counts: counts, place: place, answered: err == nil}
	}()
	select {
	case r := <-answer:
		return r
	case <-ctx.Done():
		return report{place: place}
	}
}

func askModule(m cpm.Module) question {
	return func(ctx context.Context) (cpm.State, map[string]cpm.Outcomes, error) {
		s, err := m.Status(ctx)
		counts := map[string]cpm.Outcomes{}
		for o, n := range s.Counts {
			counts[string(o)] = n
		}
		return s.State, counts, err
	}
}

func askService(s cpm.Service) question {
	return func(ctx context.Context) (cpm.State, map[string]cpm.Outcomes, error) {
		status, err := s.Status(ctx)
		return status.State, status.Counts, err
	}
}

// maxOwn bounds how many counters of an adapter are shown, and their names: they come from outside.
const (
	maxOwn     = 256
	maxOwnName = 64
)

// hear puts what an adapter said into its view. It is Active if any of its places is, and Unknown if none answered.
func (v *AdapterView) hear(reports []report, endpoints bool) {
	sums := map[string]cpm.Outcomes{}
	v.Status = statusUnknown
	for _, r := range reports {
		word := r.word()
		if endpoints {
			v.Endpoints[r.place].Status = word
		}
		if word == statusActive || word == statusStopped && v.Status == statusUnknown {
			v.Status, v.State = word, r.state
		}
		for name, n := range r.counts {
			if sum, there := sums[name]; there || len(sums) < maxOwn && len(name) <= maxOwnName {
				sums[name] = cpm.Outcomes{Success: sum.Success + n.Success, Failed: sum.Failed + n.Failed, Invalid: sum.Invalid + n.Invalid}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		n := sums[name]
		v.Own = append(v.Own, OwnCount{Name: name, Success: n.Success, Failed: n.Failed, Invalid: n.Invalid})
	}
}

// word is the specification's for what was answered.
func (r report) word() string {
	switch {
	case !r.answered:
		return statusUnknown
	case r.state == cpm.Active:
		return statusActive
	}
	return statusStopped
}
