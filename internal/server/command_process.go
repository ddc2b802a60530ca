package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/operator"
)

// CommandOptions are what a Command adapter is told: where it listens, where the cores are, and what it needs to start one
// of them. Everything else comes from the cores.
type CommandOptions struct {
	// Name is the adapter's, as the cores' configuration has it.
	Name string
	// Listen is host:port for operators.
	Listen string
	// Cores are the addresses of the cores' command ports; CoreName is the name their certificates have.
	Cores    []string
	CoreName string
	// TLS has the adapter's certificate, for both sides, and the authority of the cores; OperatorCA and OperatorCRL are the
	// authority of the operators and its lists of revoked certificates.
	TLS                     config.TLS
	OperatorCA, OperatorCRL string
	// StartupNames are certificate names that may start the CPM while none can be asked.
	StartupNames []string
	// Server is how the CPM of this machine is started; without a configuration it is not.
	Server ServerStart
	// StartupTimeout is how long it may take; 0 is the default of the door.
	StartupTimeout time.Duration
	// Rate is how many commands one credential may send in a second, in the long run; an address may send twice as many.
	// 0 is the default of the door.
	Rate int
	// EndWhenShut ends the process when every core has shut the adapter down. Otherwise it stays up, to be able to start
	// the CPM.
	EndWhenShut bool
	Log         config.Log
	Version     string
	// Out takes the log; Ready is told the address once the adapter is Active, and may be nil.
	Out   io.Writer
	Ready func(address string)
}

// Command runs a Command adapter until ctx ends (specification, "Command Adapter").
func Command(ctx context.Context, o CommandOptions) error {
	log := newLog(&config.Config{Log: o.Log}, o.Out).With(slog.String("component", "command"), slog.String("adapter", o.Name))
	err := runCommand(ctx, o, log)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "the adapter cannot run", obs.Event("adapter.failed"), obs.Err(err))
		return err
	}
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter has ended", obs.Event("adapter.stopped"))
	return nil
}

func runCommand(ctx context.Context, o CommandOptions, log *slog.Logger) error {
	if err := harden(); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "memory could not be kept out of core dumps", obs.Event("cpm.harden"), obs.Err(err))
	}
	inward, err := newIdentity(ctx, o.TLS, time.Now, log, nil)
	if err != nil {
		return err
	}
	outward, err := newIdentity(ctx, o.operatorTLS(), time.Now, log, nil)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go inward.watch(ctx, log)
	go outward.watch(ctx, log)
	door := operator.New(o.door(end, log))
	// The links outlive ctx: what was accepted needs them for its answer.
	links := o.attach(context.WithoutCancel(ctx), door, inward, log)
	defer closeAll(links)
	var l net.ListenConfig
	l.SetMultipathTCP(false)
	bound, err := l.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fault.New(fault.State, "the port cannot be bound; see what uses it").Because(err)
	}
	o.await(ctx, links, log)
	door.Activate(ctx, bound.Addr().String())
	if o.Ready != nil {
		o.Ready(bound.Addr().String())
	}
	return door.Serve(ctx, bound, outward.serverConfig())
}

// operatorTLS has the adapter's certificate and what operators are judged by.
func (o CommandOptions) operatorTLS() config.TLS {
	return config.TLS{Cert: o.TLS.Cert, Key: o.TLS.Key, ClientCA: o.OperatorCA, CRL: o.OperatorCRL}
}

// door is the configuration of the door to operators.
func (o CommandOptions) door(end func(), log *slog.Logger) operator.Config {
	c := operator.Config{
		Name: o.Name, Version: o.Version, Logger: log, Now: time.Now, NewID: obs.NewRequestID, Limits: operator.DefaultLimits(),
		Names: o.StartupNames,
	}
	if o.StartupTimeout > 0 {
		c.Limits.Startup = o.StartupTimeout
	}
	if o.Rate > 0 {
		c.Limits.Identity = operator.RateOf(o.Rate)
		c.Limits.Address = operator.RateOf(2 * o.Rate)
	}
	if o.Server.Config != "" {
		c.Starter = &serverStarter{start: o.Server, cores: o.Cores}
	}
	if o.EndWhenShut {
		c.Shut = end
	}
	return c
}

// attach dials every core.
func (o CommandOptions) attach(ctx context.Context, door *operator.Door, i *identity, log *slog.Logger) []*adapter.Attached {
	var all []*adapter.Attached
	for _, address := range o.Cores {
		link := door.Core(address)
		attached := adapter.Attach(ctx, adapter.AttachConfig{
			Name: o.Name, Address: address, Logger: log,
			TLS:       i.clientConfig(o.nameOf(address)),
			Configure: link.Configure, Status: door.Status, Shutdown: link.Shutdown,
		})
		link.Bind(attached)
		all = append(all, attached)
	}
	return all
}

// nameOf is the certificate name of the core at an address: the host of the address, unless one is configured.
func (o CommandOptions) nameOf(address string) string {
	if o.CoreName != "" {
		return o.CoreName
	}
	host, _, _ := net.SplitHostPort(address)
	return host
}

// await gives the cores a moment to be reached. One that is not is dialled on.
func (o CommandOptions) await(ctx context.Context, links []*adapter.Attached, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i, a := range links {
		group.Go(func() {
			if err := a.Connected(ctx); err != nil {
				log.LogAttrs(ctx, slog.LevelWarn, "the core is not reachable yet", obs.Event("adapter.core-unreachable"),
					slog.String("core", o.Cores[i]), obs.Err(err))
			}
		})
	}
	group.Wait()
}

func closeAll(links []*adapter.Attached) {
	for _, a := range links {
		a.Close()
	}
}
