package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/ssm"
)

// openAdapter starts or dials what an adapter row describes. The kinds are compiled in; an address never says what to
// start.
func (s *server) openAdapter(ctx context.Context, a *route.Adapter, endpoint string) (cpm.Module, error) {
	if a.Kind != route.KindSSM {
		return nil, fmt.Errorf("no adapter of kind %q is built in", a.Kind)
	}
	if a.Launch == route.LaunchInProcess {
		return ssm.New(ssm.Config{
			Mandated: a.Operations, HeavyWorkers: s.config.Workers.Heavy, LightWorkers: s.config.Workers.Light, Now: s.options.Now,
		}), nil
	}
	if a.Launch == route.LaunchManaged {
		return s.openManaged(ctx, a)
	}
	if s.identity == nil {
		return nil, fault.New(fault.State, "an adapter on a link needs the TLS files of this CPM; set tls in the configuration")
	}
	client := adapter.Dial(context.WithoutCancel(ctx), adapter.ClientConfig{
		Name: a.Name, Address: endpoint, TLS: s.identity.clientConfig(a.Identity), Operations: a.Operations, Settings: a.Settings,
		Logger: s.log,
	})
	s.await(ctx, client, a.Name, endpoint)
	return client, nil
}

// reachTimeout is how long a start or a change waits for an adapter to be reached. One that is not is dialled on, and its
// requests are declined until then.
const reachTimeout = 2 * time.Second

func (s *server) await(ctx context.Context, m interface{ Connected(context.Context) error }, name, endpoint string) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := m.Connected(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "the adapter is not reachable yet", obs.Event("adapter.unreachable"),
			obs.Adapter(name), slog.String("address", endpoint), obs.Err(err))
	}
}

// clientConfig shows our certificate to an adapter that must have the name. The files are looked at for each connection.
func (i *identity) clientConfig(name string) func() (*tls.Config, error) {
	return func() (*tls.Config, error) {
		present := i.get()
		return &tls.Config{
			MinVersion: tls.VersionTLS13, ServerName: name, RootCAs: present.ClientCAs, VerifyConnection: i.verify,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &present.Certificates[0], nil },
		}, nil
	}
}
