package core

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// shutdownAdapter stops one adapter (specification, "Commands", 1.a). It waits until the adapter is drained and its
// connection closed, unless the command came through that very adapter, which is drained only when this is answered.
func (c *Core) shutdownAdapter(ctx context.Context, o *order) error {
	before := c.attached.of(o.target)
	if _, err := c.Apply(ctx, o.principal(), Change{Action: "adapter.stop", Target: o.target, RequestID: o.id}); err != nil {
		return err
	}
	if o.target != o.through {
		awaitOver(ctx, before)
	}
	return nil
}

// awaitOver waits until the links of adapters that were told to end are closed.
func awaitOver(ctx context.Context, all []*attachment) {
	for _, a := range all {
		select {
		case <-a.over:
		case <-ctx.Done():
			return
		}
	}
}

// shutdownSystem begins the shutdown of the whole CPM (specification, "Commands", 1.b, and "Shutdown"). From now on nothing
// else is accepted; the operator's answer goes out over the link that is closed last.
func (c *Core) shutdownSystem(ctx context.Context, o *order) (*cpmv1.CommandReply, error) {
	if c.config.End == nil {
		return nil, fault.New(fault.Unsupported, "this CPM cannot be ended by a command")
	}
	c.commanded.Store(true)
	c.BeginShutdown(ctx)
	c.config.End()
	r := c.reply(o, nil)
	r.Reason = "the CPM answers what it has accepted, and then ends"
	return r, nil
}

// startupAll starts every adapter that is stopped (specification, "Commands", 2.iii).
func (c *Core) startupAll(ctx context.Context, o *order) *cpmv1.CommandReply {
	var stopped []string
	for _, a := range c.snapshot.Load().Routes.Adapters() {
		if a.Stopped {
			stopped = append(stopped, a.Name)
		}
	}
	slices.Sort(stopped)
	r := c.reply(o, c.startupAdapters(ctx, o, stopped...))
	if len(stopped) == 0 {
		r.Reason = "no adapter is stopped"
	}
	return r
}

// startupAdapters starts adapters and waits until each is Active or the timer ends. Its error says which are not.
func (c *Core) startupAdapters(ctx context.Context, o *order, names ...string) error {
	problems := make([]error, len(names))
	for i, name := range names {
		_, problems[i] = c.Apply(ctx, o.principal(), Change{Action: "adapter.start", Target: name, RequestID: o.id})
	}
	c.awaitActive(ctx, names, problems)
	var started []string
	for i, name := range names {
		switch {
		case problems[i] == nil:
			started = append(started, name)
		case len(names) > 1:
			problems[i] = named(name, problems[i])
		}
	}
	if len(started) > 0 {
		c.log.LogAttrs(ctx, obs.LevelAudit, "the adapters were started by the CPM", obs.Event("adapter.started"), obs.RequestID(o.id),
			slog.String("adapters", strings.Join(started, " ")))
	}
	return joined(problems)
}

// lookEvery is how often a Startup looks whether an adapter has become Active.
const lookEvery = 20 * time.Millisecond

// awaitActive waits for all adapters at once that have no problem yet; it is one not to become Active.
func (c *Core) awaitActive(ctx context.Context, names []string, problems []error) {
	ctx, cancel := context.WithTimeout(ctx, c.snapshot.Load().Settings.StartupTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i, name := range names {
		if problems[i] != nil {
			continue
		}
		group.Go(func() {
			problems[i] = c.becomeActive(ctx, name)
		})
	}
	group.Wait()
}

// becomeActive waits until an adapter is Active; its error is why it is not.
func (c *Core) becomeActive(ctx context.Context, name string) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		s := c.snapshot.Load()
		a, known := s.Routes.Adapter(name)
		switch {
		case !known:
			return fault.New(fault.NotFound, "the adapter is not configured any more")
		case !a.Enabled:
			return fault.New(fault.State, "the adapter is not stopped any more, but it is disabled in the configuration")
		case c.view(s, a).State == cpm.Active:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the adapter is not reachable; it is started, and Active once it can be reached")
		}
	}
}

// refreshConfig reads the configuration again, and has the adapter that is named take its own anew (specification,
// "Commands", 3, and "Command Adapter": RefreshConfig).
func (c *Core) refreshConfig(ctx context.Context, o *order) error {
	if o.target != "" {
		if err := c.configurable(o.target); err != nil {
			return err
		}
	}
	if _, err := c.Refresh(ctx, o.principal(), RefreshOrder{What: RefreshConfig, RequestID: o.id}); err != nil {
		return err
	}
	if o.target == "" {
		return nil
	}
	return c.reconfigure(ctx, o.target)
}

// configurable says why an adapter cannot be told its configuration now.
func (c *Core) configurable(name string) error {
	a, _ := c.snapshot.Load().Routes.Adapter(name)
	switch {
	case !a.Enabled:
		return fault.New(fault.State, "the adapter is disabled in the configuration")
	case a.Stopped:
		return fault.New(fault.State, "the adapter is stopped; send Startup first")
	}
	return nil
}

// reconfigure tells every place of an adapter its configuration, each with a timer of its own.
func (c *Core) reconfigure(ctx context.Context, name string) error {
	s := c.snapshot.Load()
	config, known := s.Routes.Adapter(name)
	if !known {
		return fault.New(fault.NotFound, "the adapter is not configured any more")
	}
	if !config.Security() {
		return c.reconfigureAttached(ctx, s, name)
	}
	if a := s.adapters[name]; a == nil || a.State() != cpm.Active {
		return fault.New(fault.Unavailable, "the adapter is not reachable; it takes its configuration when it can be reached")
	}
	return s.adapters[name].configure(ctx, s.Settings.StatusTimeout)
}

func (c *Core) reconfigureAttached(ctx context.Context, s *Snapshot, name string) error {
	config, _ := s.Routes.Adapter(name)
	replicas := c.attached.of(name)
	if len(replicas) == 0 {
		return fault.New(fault.Unavailable, "the adapter is not connected; it takes its configuration when it connects")
	}
	var problems []error
	for _, a := range replicas {
		if err := c.configure(ctx, a, s.told(config), s, true); err != nil {
			problems = append(problems, fault.New(fault.Device, "the adapter did not take its configuration").Because(err))
		}
	}
	return joined(problems)
}

// named puts an adapter's name before a problem, so that an answer about several says which.
func named(name string, err error) error {
	e := fault.From(err)
	return fault.New(e.Kind, "%s: %s", name, e.Public).Because(err)
}

// joined makes one fault of several; it has the kind of the first and every text.
func joined(problems []error) error {
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, fault.From(p).Public)
	}
	return fault.New(fault.From(problems[0]).Kind, "%s", strings.Join(texts, "; ")).Because(errors.Join(problems...))
}

// addressOf is an address for the log, if it is one.
func addressOf(text string) string {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String()
	}
	return ""
}
