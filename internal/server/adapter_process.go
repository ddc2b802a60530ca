package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
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
	// Out takes the log; Ready is told the address once the adapter is Active, and may be nil.
	Out   io.Writer
	Ready func(address string)
}

// SSM runs a software security module as a process of its own until ctx ends or a core shuts it down (specification,
// "Software Security Module Adapter").
func SSM(ctx context.Context, o AdapterOptions) error {
	log := newLog(&config.Config{Log: o.Log}, o.Out).With(slog.String("component", "ssm"), slog.String("adapter", o.Name))
	err := runSSM(ctx, o, log)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "the adapter cannot run", obs.Event("adapter.failed"), obs.Err(err))
		return err
	}
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter has shut down and is Inactive", obs.Event("adapter.stopped"))
	return nil
}

func runSSM(ctx context.Context, o AdapterOptions, log *slog.Logger) error {
	if err := harden(); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "memory could not be kept out of core dumps", obs.Event("cpm.harden"), obs.Err(err))
	}
	tune()
	if err := ssm.SelfTest(); err != nil {
		return fault.New(fault.Device, "the cryptography of this binary does not work").Because(err)
	}
	identity, err := newIdentity(ctx, o.TLS, time.Now, log, nil)
	if err != nil {
		return err
	}
	var l net.ListenConfig
	l.SetMultipathTCP(false)
	bound, err := l.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fault.New(fault.State, "the port cannot be bound; see what uses it").Because(err)
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go identity.watch(ctx, log)
	s := adapter.NewServer(adapter.ServerConfig{
		Name: o.Name, Allowed: o.Cores, Logger: log, Now: time.Now, Ended: end,
		New: func(operations []cpm.Operation, _ []byte) (cpm.Module, error) {
			return ssm.New(ssm.Config{Mandated: operations, HeavyWorkers: o.Workers.Heavy, LightWorkers: o.Workers.Light, Now: time.Now}), nil
		},
	})
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active and waits for cores", obs.Event("adapter.active"),
		slog.String("listen", bound.Addr().String()), slog.String("version", o.Version))
	if o.Ready != nil {
		o.Ready(bound.Addr().String())
	}
	return s.Serve(ctx, bound, identity.serverConfig())
}
