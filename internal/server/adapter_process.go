package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/ssm"
)

// AdapterOptions are what an adapter process is told. It never sees the database: its mandate comes from the core.
type AdapterOptions struct {
	// Name is the adapter's, as the core's configuration has it.
	Name string
	// Listen is host:port for the cores to dial.
	Listen string
	// TLS has the adapter's certificate and the authority of the cores.
	TLS config.TLS
	// Cores are the certificate names that may use the adapter.
	Cores   []string
	Log     config.Log
	Workers config.Workers
	Version string
	// Managed says that a core has started this process: what is above comes from it, over an inherited descriptor.
	Managed bool
	// Out takes the log; Ready is told the address once the adapter is Active, and may be nil.
	Out   io.Writer
	Ready func(address string)
}

// process is an adapter process being put together.
type process struct {
	AdapterOptions

	log *slog.Logger
	tls *tls.Config
	// identity is what the TLS files hold, inherited what a managed process was given instead; the other is nil.
	identity  *identity
	inherited *adapter.Inherited
	spare     spare
}

// SSM runs a software security module as a process of its own until ctx ends or a core shuts it down (specification,
// "Software Security Module Adapter").
func SSM(ctx context.Context, o AdapterOptions) error {
	p := &process{AdapterOptions: o}
	if o.Managed {
		// A service manager may signal every process of the CPM at once. This one still has to answer what the CPM has accepted:
		// it ends when the CPM tells it to, or is gone.
		ctx = context.WithoutCancel(ctx)
		if err := p.inherit(); err != nil {
			return err
		}
	}
	p.log = newLog(&config.Config{Log: p.Log}, p.Out).With(slog.String("component", "ssm"))
	err := p.prepare(ctx)
	if err == nil {
		err = p.run(ctx)
	}
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelError, "the adapter cannot run", obs.Event("adapter.failed"), obs.Adapter(p.Name), obs.Err(err))
		return err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "the adapter has shut down and is Inactive", obs.Event("adapter.stopped"), obs.Adapter(p.Name))
	return nil
}

// prepare does what comes before the port is opened.
func (p *process) prepare(ctx context.Context) error {
	if err := harden(); err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "memory could not be kept out of core dumps", obs.Event("cpm.harden"), obs.Adapter(p.Name), obs.Err(err))
	}
	p.spare = tune()
	if err := ssm.SelfTest(ctx); err != nil {
		return fault.New(fault.Device, "the cryptography of this binary does not work").Because(err)
	}
	if p.inherited != nil {
		return nil
	}
	var err error
	if p.identity, err = newIdentity(ctx, p.TLS, time.Now, p.log.With(obs.Adapter(p.Name)), nil); err != nil {
		return err
	}
	p.tls = p.identity.serverConfig()
	return nil
}

// run serves the links of the cores until ctx ends or a core ends it.
func (p *process) run(ctx context.Context) error {
	var l net.ListenConfig
	l.SetMultipathTCP(false)
	bound, err := l.Listen(ctx, "tcp", p.Listen)
	if err != nil {
		return fault.New(fault.State, "the port cannot be bound; see what uses it").Because(err)
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	if p.identity != nil {
		go p.identity.watch(ctx, p.log.With(obs.Adapter(p.Name)))
	}
	s := adapter.NewServer(adapter.ServerConfig{
		Name: p.Name, Allowed: p.Cores, Logger: p.log, Now: time.Now, Ended: end, Operations: operation.Operations(),
		New: func(operations []cpm.Operation, _ []byte) (cpm.Module, error) {
			return ssm.New(ssm.Config{Mandated: operations, HeavyWorkers: p.Workers.Heavy, LightWorkers: p.Workers.Light, Now: time.Now}), nil
		},
	})
	p.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active and waits for cores", obs.Event("adapter.active"), obs.Adapter(p.Name),
		slog.String("listen", bound.Addr().String()), slog.String("version", p.Version))
	if p.Ready != nil {
		p.Ready(bound.Addr().String())
	}
	if err := p.report(bound.Addr().String(), end); err != nil {
		return errors.Join(err, bound.Close())
	}
	return s.Serve(ctx, bound, p.tls)
}
