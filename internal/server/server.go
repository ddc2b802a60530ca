// Package server puts a CPM together and runs it: `cpm server` and `cpm dev`. It is the only place that knows every room
// of the house; what would point upward between rooms is handed in here.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mojaloop/cpm/internal/api"
	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/events"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/store"
)

// Options are what a run is told beside its configuration.
type Options struct {
	Version string
	// Out takes the log.
	Out io.Writer
	// Ready is called once the CPM is Active; it may be nil.
	Ready func(Addresses)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Addresses are where a running CPM listens, with the ports it was given by the system where it asked for any.
// One that is switched off or could not be opened is empty.
type Addresses struct{ HTTP, GRPC, Command, KeyUpdate, Probes, Socket string }

// server is one running CPM.
type server struct {
	config  *config.Config
	options Options
	log     *slog.Logger
	metrics *obs.Metrics
	started time.Time

	store    *store.Store
	core     *core.Core
	door     *api.Door
	identity *identity
	ports    ports
	release  func()
	events   *events.Forwarder // nil if they are in the log only
	spare    spare
	// end begins the orderly end of the run: the command Shutdown.
	end func()
}

// Run starts a CPM, tells Ready when it is Active, and serves until ctx ends or a command shuts it down. Then it drains:
// accepted requests are
// answered, new ones declined, connections closed in order. Whatever stops it from becoming Active is logged and
// returned.
func Run(ctx context.Context, c *config.Config, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	s := &server{config: c, options: o, log: newLog(c, o.Out), started: o.Now(), end: end}
	defer s.forwardEvents(ctx)()
	if err := s.start(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "the CPM cannot start", obs.Event("cpm.start-failed"), obs.Err(err))
		s.close(ctx)
		return err
	}
	return s.serve(ctx)
}

func newLog(c *config.Config, out io.Writer) *slog.Logger {
	level, ok := obs.ParseLevel(c.Log.Level)
	if !ok {
		level = slog.LevelInfo
	}
	return obs.NewLogger(out, c.Log.Format, level)
}

// start does everything up to, and without, accepting the first request.
func (s *server) start(ctx context.Context) error {
	s.spare = tune()
	s.metrics = obs.NewMetrics(obs.Build{Version: s.options.Version})
	s.log.LogAttrs(ctx, slog.LevelInfo, "the CPM is Starting", obs.Event("cpm.starting"), slog.String("version", s.options.Version))
	if err := harden(); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "memory could not be kept out of core dumps", obs.Event("cpm.harden"), obs.Err(err))
	}
	if err := s.selfChecks(ctx); err != nil {
		return err
	}
	s.door = api.New(api.Config{
		Processor: s.core, Admission: s.core, Publisher: s.core, Logger: s.log, Metrics: newDoorMetrics(s.metrics), Now: s.options.Now, NewID: obs.NewRequestID,
		Limits: api.Limits{Connections: s.config.Limits.Connections, Drain: s.config.DrainTimeout},
	})
	return s.register()
}

// register shows the core's own counters among the metrics.
func (s *server) register() error {
	var problems []error
	problems = append(problems, s.metrics.Registry.Register(obs.OperationCollector(s.core.Counts, s.config.Metrics.FSPLabel)))
	problems = append(problems, s.metrics.Registry.Register(obs.ShedCollector(s.core.Sheds)))
	problems = append(problems, s.metrics.Registry.Register(obs.CommandCollector(s.core.CommandCounts)))
	problems = append(problems, s.metrics.Registry.Register(obs.UpdateCollector(s.core.KeyUpdateCounts, s.config.Metrics.FSPLabel)))
	problems = append(problems, s.metrics.Registry.Register(obs.StateCollector(s.core.State)))
	problems = append(problems, s.metrics.Registry.Register(obs.RevisionCollector(s.core.Revision)))
	problems = append(problems, s.metrics.Registry.Register(obs.AgreementCollector(s.core.Agreement)))
	if s.events != nil {
		problems = append(problems, s.metrics.Registry.Register(events.Collector(s.events)))
	}
	return errors.Join(problems...)
}

// serve runs the doors until ctx ends, then drains them in order.
func (s *server) serve(ctx context.Context) error {
	// The doors outlive ctx: they answer and decline until the drain is over.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, failed := errgroup.WithContext(running)
	opened := s.doors(failed, group)
	select { // whoever reads that the CPM is Active finds every door open
	case <-opened:
	case <-failed.Done():
	}
	if err := s.core.Activate(ctx); err != nil {
		stop()
		_ = group.Wait()
		s.close(ctx)
		return err
	}
	group.Go(func() error { s.core.Follow(failed); return nil })
	if s.options.Ready != nil {
		s.options.Ready(s.ports.addresses(s.config))
	}
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	err := s.drain(running)
	stop()
	err = errors.Join(group.Wait(), err)
	s.close(running)
	return err
}

// doors starts every door on its port. The channel is closed when the administration socket, if there is one, answers.
func (s *server) doors(ctx context.Context, group *errgroup.Group) <-chan struct{} {
	opened := make(chan struct{})
	tlsConfig := s.tlsConfig()
	if s.identity != nil {
		group.Go(func() error {
			s.identity.watch(ctx, s.log)
			return nil
		})
	}
	if s.ports.http != nil {
		group.Go(func() error { return s.serveHTTP(ctx) })
	}
	if s.ports.grpc != nil {
		group.Go(func() error { return s.door.ServeGRPC(ctx, s.ports.grpc, tlsConfig) })
	}
	if s.ports.probes != nil {
		group.Go(func() error { return s.newProbe(ctx).Serve(ctx, s.ports.probes) })
	}
	s.dialIns(ctx, group)
	s.keyFiles(ctx, group)
	if s.ports.admin == nil {
		close(opened)
		return opened
	}
	admin := command.New(s.core, command.Options{
		Log: s.log, About: s.about(), Drain: s.config.DrainTimeout, Opened: func() { close(opened) },
	})
	group.Go(func() error { return admin.ServeOn(ctx, s.ports.admin) })
	return opened
}

// serveHTTP answers the JSON port. Only `cpm dev` answers plain HTTP too.
func (s *server) serveHTTP(ctx context.Context) error {
	if s.config.Dev {
		return s.serveDevHTTP(ctx)
	}
	return s.door.ServeJSON(ctx, s.ports.http, s.tlsConfig())
}

// adaptersEnd is how much longer than for requests a shutdown waits for adapters.
const adaptersEnd = 5 * time.Second

// drain answers what was accepted and declines what comes, then ends the adapters (specification, "Shutdown").
func (s *server) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.DrainTimeout+adaptersEnd)
	defer cancel()
	requests, stop := context.WithTimeout(ctx, s.config.DrainTimeout)
	defer stop()
	s.core.BeginShutdown(ctx)
	return errors.Join(s.door.Drain(requests), s.core.Shutdown(ctx))
}

// close gives back what start took; the database is last.
func (s *server) close(ctx context.Context) {
	s.ports.close()
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "the database did not close cleanly", obs.Event("database.close"), obs.Err(err))
		}
	}
	if s.release != nil {
		s.release()
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "the CPM has shut down", obs.Event("cpm.stopped"))
}

func (s *server) about() command.About {
	a := command.About{Version: s.options.Version}
	addresses := s.ports.addresses(s.config)
	a.Listen = command.Listen{
		MojaloopHTTP: addresses.HTTP, MojaloopGRPC: addresses.GRPC, Command: addresses.Command, KeyUpdate: addresses.KeyUpdate,
		Probes: addresses.Probes, NotOpen: s.ports.notOpen,
	}
	if r := s.config.RiskAcceptance; r.Given() {
		a.RiskAcceptance = &command.RiskAcceptance{By: r.By, Date: r.Date, Text: r.Text}
	}
	return a
}

// ports are the bound listeners; nil is switched off.
type ports struct {
	http, grpc, command, keyUpdate, probes, admin net.Listener

	notOpen []string // the keys of optional ports that are configured and could not be opened
}

// bind opens the ports. The Mojaloop port is not optional: if it cannot be bound the CPM does not start. The ports of
// the adapters that dial in and the administration socket are: without them the CPM serves all the same, and says so.
func (s *server) bind(ctx context.Context) error {
	var l net.ListenConfig
	l.SetMultipathTCP(false)
	for _, p := range []struct {
		name, address string
		listener      *net.Listener
	}{
		{"listen.mojaloopHTTP", s.config.Listen.MojaloopHTTP, &s.ports.http},
		{"listen.mojaloopGRPC", s.config.Listen.MojaloopGRPC, &s.ports.grpc},
		{"listen.probes", s.config.Listen.Probes, &s.ports.probes},
	} {
		if p.address == "" {
			continue
		}
		bound, err := l.Listen(ctx, "tcp", p.address)
		if err != nil {
			return s.notBound(p.name, p.address).Because(err)
		}
		*p.listener = bound
	}
	if s.ports.http == nil && s.ports.grpc == nil {
		return fault.New(fault.State, "no Mojaloop port is configured; set listen.mojaloopHTTP or listen.mojaloopGRPC")
	}
	s.bindDialIns(ctx, &l)
	admin, err := command.Open(ctx, s.config.Listen.Socket)
	if err != nil {
		s.ports.notOpen = append(s.ports.notOpen, "listen.socket")
		s.log.LogAttrs(ctx, slog.LevelError, "no administration until the next start", obs.Event("command.not-open"), obs.Err(err))
		return nil
	}
	s.ports.admin = admin
	return nil
}

// notBound says what to do about a port that somebody else has; `cpm dev` can take others.
func (s *server) notBound(name, address string) *fault.Error {
	if s.config.Dev {
		return fault.New(fault.State, "%s cannot be bound; see what uses %s, or choose other ports with --port-base", name, address)
	}
	return fault.New(fault.State, "%s cannot be bound; see what uses %s", name, address)
}

func (p ports) close() {
	for _, l := range []net.Listener{p.http, p.grpc, p.command, p.keyUpdate, p.probes, p.admin} {
		if l != nil {
			_ = l.Close() // closed already after an orderly end
		}
	}
}

func (p ports) addresses(c *config.Config) Addresses {
	text := func(l net.Listener) string {
		if l == nil {
			return ""
		}
		return l.Addr().String()
	}
	return Addresses{
		HTTP: text(p.http), GRPC: text(p.grpc), Command: text(p.command), KeyUpdate: text(p.keyUpdate), Probes: text(p.probes),
		Socket: c.Listen.Socket,
	}
}
