package operator

import (
	"context"
	"log/slog"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Link is one core as the adapter sees it. Its methods are what that core may tell the adapter; anything else is declined
// where the link ends.
type Link struct {
	door    *Door
	address string

	// These belong to the door's lock.
	asker   Asker
	shut    bool
	working work
}

// Bind gives the link its connection.
func (l *Link) Bind(a Asker) {
	l.door.mu.Lock()
	defer l.door.mu.Unlock()
	l.asker = a
}

// up gives the connection if commands can be sent on it now.
func (l *Link) up() (Asker, bool) {
	l.door.mu.Lock()
	a, shut := l.asker, l.shut
	l.door.mu.Unlock()
	return a, a != nil && !shut && a.Up()
}

// Configure is RefreshConfig: it takes the settings of this adapter and, if it was shut down by this core, makes it Active
// again. Settings that cannot be used change nothing (specification, "Command Adapter", Processing 6).
func (l *Link) Configure(ctx context.Context, settings []byte, revision int64) error {
	d := l.door
	rules, err := parseAuthority(d.config.Name, settings)
	if err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "the settings of the core cannot be used; the ones before stay", obs.Event("adapter.configure-failed"),
			slog.String("core", l.address), slog.Int64("revision", revision), obs.Err(err))
		return err
	}
	d.mu.Lock()
	if revision >= d.revision { // a core that lags behind must not bring back who may no longer
		d.rules, d.revision = rules, revision
	}
	again := l.shut && !d.ended && d.active
	l.shut = false
	d.mu.Unlock()
	d.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is configured", obs.Event("adapter.configured"), slog.String("core", l.address),
		slog.Int64("revision", revision))
	if again {
		d.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active again", obs.Event("adapter.active"), slog.String("core", l.address))
	}
	return nil
}

// Shutdown is told by the core: no new command goes to it, and when those under way have been answered the adapter is
// Inactive for it. With the last core the adapter is Inactive as a whole; it stays up, since it must be able to start a
// CPM (specification, "Command Adapter", Shutdown).
func (l *Link) Shutdown(ctx context.Context) error {
	d := l.door
	d.mu.Lock()
	l.shut = true
	last, idle := d.allShut(), l.working.finished()
	d.mu.Unlock()
	d.log.LogAttrs(ctx, obs.LevelAudit, "the core has told the adapter to shut down", obs.Event("adapter.shutting-down"),
		slog.String("core", l.address))
	select {
	case <-idle:
	case <-ctx.Done():
		return fault.New(fault.Timeout, "commands under way were not answered in time").Because(ctx.Err())
	}
	d.log.LogAttrs(ctx, obs.LevelAudit, "the adapter has answered what it had accepted and disconnects", obs.Event("adapter.inactive"),
		slog.String("core", l.address), slog.Bool("last", last))
	if last && d.config.Shut != nil {
		go d.leave(context.WithoutCancel(ctx))
	}
	return nil
}

// leaveTimeout bounds how long the end of the process waits for the cores to close the links.
const leaveTimeout = 2 * time.Second

// leave tells the process that it may end, when the cores have heard the last answer and closed the links.
func (d *Door) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for d.connected() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.config.Shut()
			return
		}
	}
	d.config.Shut()
}

// connected counts the links that are there, whatever their cores have told.
func (d *Door) connected() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, l := range d.links {
		if l.asker != nil && l.asker.Up() {
			n++
		}
	}
	return n
}

// Activate ends the start: from now on commands are taken (specification, "Command Adapter", Start-up).
func (d *Door) Activate(ctx context.Context, listen string) {
	connected := d.connected()
	d.mu.Lock()
	d.active = true
	all := len(d.links)
	d.mu.Unlock()
	d.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active and accepts commands", obs.Event("adapter.active"), slog.String("listen", listen),
		slog.Int("cores", all), slog.Int("connected", connected), slog.String("version", d.config.Version))
}

// Shutdown ends the adapter for good: new commands are declined, and it returns when those under way have been answered.
func (d *Door) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	if !d.ended {
		d.ended = true
		close(d.ending)
	}
	idle := d.working.finished()
	d.mu.Unlock()
	d.log.LogAttrs(ctx, obs.LevelAudit, "the adapter is shutting down", obs.Event("adapter.shutting-down"))
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fault.New(fault.Timeout, "commands under way were not answered in time").Because(ctx.Err())
	}
	d.mu.Lock()
	d.drained = true
	d.mu.Unlock()
	d.log.LogAttrs(ctx, obs.LevelAudit, "the adapter is Inactive", obs.Event("adapter.inactive"), obs.Err(err))
	return err
}

// word is the specification's word for a state of this adapter.
func word(s cpm.State) string {
	if s == cpm.Active {
		return string(cpm.Active)
	}
	return string(cpm.Stopped)
}
