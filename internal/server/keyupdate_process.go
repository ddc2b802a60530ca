package server

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keyupdate"
	"github.com/mojaloop/cpm/internal/obs"
)

// KeyUpdateOptions are what a Key Update adapter is told: where it listens and where the cores are. Everything else comes
// from the cores.
type KeyUpdateOptions struct {
	// Name is the adapter's, as the cores' configuration has it.
	Name string
	// Listen is host:port for the FSPs.
	Listen string
	// Cores are the addresses of the cores' key update ports; CoreName is the name their certificates have, empty for the
	// host of the address.
	Cores    []string
	CoreName string
	// TLS has the adapter's certificate for the cores and the authority of theirs.
	TLS config.TLS
	// Door has the certificate shown to FSPs and the authority of their certificates.
	Door config.TLS
	// ServerOnly asks FSPs for no certificate: the signature of an update is what authenticates it.
	ServerOnly bool
	Log        config.Log
	Version    string
	// Out takes the log; Ready is told the address once the door listens, and may be nil.
	Out   io.Writer
	Ready func(address string)
}

// KeyUpdate runs a Key Update adapter until ctx ends or the cores shut it down (specification, "Key Update Adapter").
func KeyUpdate(ctx context.Context, o KeyUpdateOptions) error {
	log := newLog(&config.Config{Log: o.Log}, o.Out).With(slog.String("adapter", o.Name))
	err := runKeyUpdate(ctx, o, log)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "the adapter cannot run", obs.Event("adapter.failed"), obs.Err(err))
		return err
	}
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter has shut down", obs.Event("adapter.stopped"))
	return nil
}

func runKeyUpdate(ctx context.Context, o KeyUpdateOptions, log *slog.Logger) error {
	if err := harden(); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "memory could not be kept out of core dumps", obs.Event("cpm.harden"), obs.Err(err))
	}
	inward, err := newIdentity(ctx, o.TLS, time.Now, log, nil)
	if err != nil {
		return err
	}
	outward, err := newIdentity(ctx, o.Door, time.Now, log, nil)
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
	go inward.watch(ctx, log)
	go outward.watch(ctx, log)
	a := keyupdate.New(keyupdate.Config{Logger: log, Now: time.Now, Ended: end})
	return o.serve(ctx, a, bound, inward, outward, log)
}

// serve runs the door until ctx ends. Links and door outlive ctx: what was accepted needs them for its answer.
func (o KeyUpdateOptions) serve(ctx context.Context, a *keyupdate.Adapter, l net.Listener, inward, outward *identity, log *slog.Logger) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	links := o.attach(running, a, inward, log)
	defer func() {
		for _, link := range links {
			link.Close()
		}
	}()
	for _, link := range links {
		go func() {
			if link.Connected(ctx) == nil {
				a.Activate(ctx)
			}
		}()
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(running, l, o.doorConfig(outward)) }()
	log.LogAttrs(ctx, slog.LevelInfo, "the adapter listens for key updates and connects to the CPM", obs.Event("adapter.listening"),
		slog.String("listen", l.Addr().String()), slog.String("version", o.Version))
	if o.Ready != nil {
		o.Ready(l.Addr().String())
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(running, adapterDrain)
	defer cancel()
	err := a.Shutdown(drain)
	stop()
	if last := <-served; err == nil {
		err = last
	}
	return err
}

// adapterDrain bounds how long an adapter that is told to end completes what it has accepted.
const adapterDrain = 15 * time.Second

// attach dials every core.
func (o KeyUpdateOptions) attach(ctx context.Context, a *keyupdate.Adapter, i *identity, log *slog.Logger) []*adapter.Attached {
	var all []*adapter.Attached
	for _, address := range o.Cores {
		name := o.CoreName
		if name == "" {
			name, _, _ = net.SplitHostPort(address)
		}
		link := a.Link()
		attached := adapter.Attach(ctx, adapter.AttachConfig{
			Name: o.Name, Address: address, Logger: log, TLS: i.clientConfig(name), Configure: link.Configure, Shutdown: link.Shutdown,
			Status: func() cpm.ServiceStatus {
				s, _ := link.Status(ctx) // it has no error
				return s
			},
		})
		link.Bind(attached)
		all = append(all, attached)
	}
	return all
}

// doorConfig is the side of the connection that FSPs see.
func (o KeyUpdateOptions) doorConfig(i *identity) *tls.Config {
	c := i.serverConfig()
	if !o.ServerOnly {
		return c
	}
	// Nobody shows a certificate, so none can be found revoked either.
	c.ClientAuth, c.VerifyConnection = tls.NoClientCert, nil
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		fresh := i.get().Clone()
		fresh.ClientAuth, fresh.ClientCAs, fresh.VerifyConnection = tls.NoClientCert, nil, nil
		return fresh, nil
	}
	return c
}
