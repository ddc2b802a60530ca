package core

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// maxAttached bounds the replicas of one adapter that are connected at a time.
const maxAttached = 16

// attachments are the Command and Key Update adapters that are connected now. Several replicas of one adapter may be, under
// one name and one identity: they are equal, as the endpoints of a security adapter are.
type attachments struct {
	mu sync.Mutex
	by map[string][]*attachment
	// refused is why an adapter was refused last, so that one that dials on is not logged each time.
	refused map[string]string
	// ending are those being shut down.
	ending sync.WaitGroup
}

// attachment is one connected adapter.
type attachment struct {
	name, typ  string
	identities []string
	settings   []byte
	revision   int64 // of settings
	service    cpm.Service
	// telling has one entry while the adapter is told its settings, so that what is newer comes last.
	telling chan struct{}
	// over is closed when it is no longer attached and has been told to end, or went by itself.
	over chan struct{}
	once sync.Once
}

func newAttachments() *attachments {
	return &attachments{by: map[string][]*attachment{}, refused: map[string]string{}}
}

func (a *attachment) finish() { a.once.Do(func() { close(a.over) }) }

// of lists the connected replicas of an adapter.
func (r *attachments) of(name string) []*attachment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.by[name])
}

// all lists every connected adapter.
func (r *attachments) all() []*attachment {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*attachment
	for _, some := range r.by {
		all = append(all, some...)
	}
	return all
}

// news says whether an adapter does not have these settings yet; older ones than it has are none.
func (r *attachments) news(a *attachment, settings []byte, revision int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return revision >= a.revision && !bytes.Equal(a.settings, settings)
}

// configured notes what an adapter was told; it ignores what is older than what it has.
func (r *attachments) configured(a *attachment, settings []byte, revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if revision >= a.revision {
		a.settings, a.revision = settings, revision
	}
}

// remove takes an attachment out; false if it was not there any more.
func (r *attachments) remove(a *attachment) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.by[a.name], a)
	if i < 0 {
		return false
	}
	r.by[a.name] = slices.Delete(r.by[a.name], i, i+1)
	if len(r.by[a.name]) == 0 {
		delete(r.by, a.name)
	}
	return true
}

// Attach takes in a Command or Key Update adapter that has dialled in: a configured adapter must have its name, type and
// one of the names of its certificate, be enabled, and not be stopped. The settings and the revision are its first
// Configure. detach is called when its link is gone.
//
// Errors: fault.Denied (name, type or certificate), fault.State (disabled, stopped), fault.Busy (too many replicas),
// fault.Unavailable (the CPM is shutting down).
func (c *Core) Attach(ctx context.Context, name, typ string, identities []string, s cpm.Service) (settings []byte, revision int64, detach func(), err error) {
	ctx = context.WithoutCancel(ctx) // of the link, which ends before detach
	a := &attachment{name: name, typ: typ, identities: slices.Clone(identities), service: s, telling: make(chan struct{}, 1), over: make(chan struct{})}
	if c.ending() {
		return nil, 0, nil, fault.New(fault.Unavailable, "the CPM is shutting down")
	}
	if settings, revision, err = c.attached.enter(a, c.snapshot.Load); err != nil {
		c.refuse(ctx, a, err)
		return nil, 0, nil, err
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is connected and Active", obs.Event("adapter.attached"), obs.Adapter(name), slog.String("type", typ))
	return settings, revision, func() { c.detach(ctx, a) }, nil
}

// enter judges by the snapshot of the moment the lock is held, so that a change of it either sees the attachment or is seen
// by it.
func (r *attachments) enter(a *attachment, now func() *Snapshot) (settings []byte, revision int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := now()
	config, err := s.dialler(a)
	if err != nil {
		return nil, 0, err
	}
	if len(r.by[a.name]) >= maxAttached {
		return nil, 0, fault.New(fault.Busy, "as many replicas of this adapter are connected as may be: %d", maxAttached)
	}
	a.settings, a.revision = s.told(config), s.Revision
	r.by[a.name] = append(r.by[a.name], a)
	delete(r.refused, a.name)
	return a.settings, s.Revision, nil
}

// dialler finds the configuration of an adapter that dialled in, or why it may not be connected.
func (s *Snapshot) dialler(a *attachment) (*route.Adapter, error) {
	config, known := s.Routes.Adapter(a.name)
	switch {
	case !known || config.Type != a.typ || config.Security():
		return nil, fault.New(fault.Denied, "no adapter of this name and type is configured")
	case !slices.Contains(a.identities, config.Identity):
		return nil, fault.New(fault.Denied, "the certificate is not the adapter's; see its identity in the configuration")
	case !config.Enabled:
		return nil, fault.New(fault.State, "the adapter is disabled in the configuration")
	case config.Stopped:
		return nil, fault.New(fault.State, "the adapter is stopped; start it with: cpm adapter start")
	}
	return config, nil
}

// refuse logs a refusal, once for as long as its reason is the same. A name that is not configured is not repeated.
func (c *Core) refuse(ctx context.Context, a *attachment, err error) {
	label, reason := "", fault.From(err).Public
	if _, known := c.snapshot.Load().Routes.Adapter(a.name); known {
		label = a.name
	}
	c.attached.mu.Lock()
	again := c.attached.refused[label] == reason
	c.attached.refused[label] = reason
	c.attached.mu.Unlock()
	if !again {
		c.log.LogAttrs(ctx, slog.LevelWarn, "an adapter may not connect", obs.Event("adapter.refused"), obs.Adapter(label), obs.Err(err))
	}
}

func (c *Core) detach(ctx context.Context, a *attachment) {
	defer a.finish()
	if c.attached.remove(a) {
		c.log.LogAttrs(ctx, slog.LevelWarn, "the link of the adapter is lost", obs.Event("adapter.detached"), obs.Adapter(a.name))
	}
}

// dismiss begins to end the connected adapters that a new snapshot does not let be connected.
func (c *Core) dismiss(ctx context.Context, next *Snapshot) {
	for _, a := range c.attached.all() {
		if _, err := next.dialler(a); err != nil {
			c.end(ctx, a, next)
		}
	}
}

// inform tells the connected adapters whose settings are others in a new snapshot.
func (c *Core) inform(ctx context.Context, next *Snapshot) {
	for _, a := range c.attached.all() {
		if config, err := next.dialler(a); err == nil {
			_ = c.configure(ctx, a, next.told(config), next, false) // logged; the next Configure brings it again
		}
	}
}

// configure sends an adapter its settings (specification, "RefreshConfig"), unless it has them and need not be told again.
func (c *Core) configure(ctx context.Context, a *attachment, settings []byte, s *Snapshot, again bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.Settings.StatusTimeout)
	defer cancel()
	err := c.tell(ctx, a, settings, s.Revision, again)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "the adapter did not take its configuration", obs.Event("adapter.configure-failed"),
			obs.Adapter(a.name), obs.Err(err))
	}
	return err
}

func (c *Core) tell(ctx context.Context, a *attachment, settings []byte, revision int64, again bool) error {
	select {
	case a.telling <- struct{}{}:
		defer func() { <-a.telling }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !again && !c.attached.news(a, settings, revision) {
		return nil
	}
	if err := a.service.Configure(ctx, settings, revision); err != nil {
		return err
	}
	c.attached.configured(a, settings, revision)
	c.log.LogAttrs(ctx, slog.LevelInfo, "the adapter has been configured", obs.Event("adapter.configured"), obs.Adapter(a.name))
	return nil
}

// end sends an adapter the Shutdown, waits for it to be drained or for the timer, and closes the link (specification,
// "Shut down a single adapter", iii to v). It does not wait itself: the adapter is drained only when it has answered
// everything, which may be the very command that ends it.
func (c *Core) end(ctx context.Context, a *attachment, s *Snapshot) {
	if !c.attached.remove(a) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Settings.ShutdownTimeout)
	c.attached.ending.Go(func() {
		defer cancel()
		defer a.finish()
		err := a.service.Shutdown(ctx)
		if closer, ok := a.service.(interface{ Close() }); ok {
			closer.Close()
		}
		c.logClosed(ctx, a.name, err)
	})
}

// logClosed logs that the CPM has closed the connection to an adapter; err is why it was not drained.
func (c *Core) logClosed(ctx context.Context, name string, err error) {
	level, drained := slog.LevelInfo, "drained"
	if err != nil {
		level, drained = slog.LevelWarn, "not drained"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			drained = "not drained when its timer expired"
		}
	}
	c.log.LogAttrs(ctx, level, "the connection to the adapter was closed by the CPM", obs.Event("adapter.closed"), obs.Adapter(name),
		slog.String("drained", drained), obs.Err(err))
}
