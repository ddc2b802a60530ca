package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/ssm"
	"github.com/mojaloop/cpm/internal/store"
)

// selfCheck is one thing that must be right before the CPM may become Active.
type selfCheck struct {
	name string
	run  func(ctx context.Context) (found string, err error)
}

// selfChecks runs every check, one log event each, and stops at the first that fails (specification, "Start up").
func (s *server) selfChecks(ctx context.Context) error {
	for _, check := range []selfCheck{
		{"known-answers", s.checkAlgorithms},
		{"certificates", s.checkCertificates},
		{"database", s.checkDatabase},
		{"keys", s.checkKeys},
		{"security-adapter", s.checkAdapters},
		{"mojaloop-port", s.checkPorts},
	} {
		began := time.Now()
		found, err := check.run(ctx)
		attrs := []slog.Attr{
			obs.Event("selfcheck." + check.name), slog.String("check", check.name), obs.Duration(time.Since(began)), slog.String("found", found),
		}
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "self-check failed", append(attrs, obs.Err(err))...)
			return err
		}
		s.log.LogAttrs(ctx, slog.LevelInfo, "self-check passed", attrs...)
	}
	return nil
}

func (s *server) checkAlgorithms(ctx context.Context) (string, error) {
	if err := ssm.SelfTest(ctx); err != nil {
		return "", fault.New(fault.Device, "the cryptography of this binary does not work").Because(err)
	}
	return "every algorithm gives its known answer", nil
}

// checkDatabase opens the data directory, the database and the key ring.
func (s *server) checkDatabase(ctx context.Context) (string, error) {
	release, err := lock(s.config.DataDir)
	if err != nil {
		return "", err
	}
	s.release = release
	opened, ring, err := open(ctx, s.config)
	if err != nil {
		return "", err
	}
	s.store = opened
	s.core = core.New(core.Config{
		Store: opened, Ring: ring, Open: s.openAdapter, Logger: s.log, Now: s.options.Now,
		BytesInFlight: s.config.Limits.BytesInFlight, RequestTimeout: s.config.Limits.RequestTimeout, Observe: s.observe, End: s.end,
		Replica: s.replica(),
	})
	return s.config.Database.Driver, nil
}

// replica names this CPM by its machine and Mojaloop port, if others may share its database.
func (s *server) replica() func() string {
	if s.config.Database.Driver == "sqlite" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return func() string {
		a := s.ports.addresses(s.config)
		_, port, _ := net.SplitHostPort(cmp.Or(a.HTTP, a.GRPC))
		return net.JoinHostPort(host, port)
	}
}

// open opens the database with the root key.
func open(ctx context.Context, c *config.Config) (*store.Store, *seal.Keyring, error) {
	provider, err := seal.OpenRootKeyFile(c.RootKey.File)
	if err != nil {
		return nil, nil, err
	}
	opened, err := store.Open(ctx, store.Config{Driver: c.Database.Driver, DSN: c.Database.DSN.Reveal()})
	if err != nil {
		return nil, nil, err
	}
	ring, err := seal.Open(ctx, opened, provider)
	if err != nil {
		_ = opened.Close()
		return nil, nil, err
	}
	return opened, ring, nil
}

func (s *server) checkKeys(ctx context.Context) (string, error) {
	if err := s.checkKeyFiles(); err != nil {
		return "", err
	}
	if err := s.core.Load(ctx); err != nil {
		return "", err
	}
	status := s.core.Status()
	return fmt.Sprintf("%d key versions of %d FSPs at revision %d", status.Keys, status.FSPs, status.Revision), nil
}

// checkAdapters wants an Active security adapter, and somebody who took the responsibility if all are software.
func (s *server) checkAdapters(ctx context.Context) (string, error) {
	enabled, active, hardware := 0, 0, 0
	for _, a := range s.core.Status().Adapters {
		if a.Type != route.TypeSecurity {
			continue
		}
		if a.Enabled {
			enabled++
		}
		if a.State == cpm.Active {
			active++
		}
		if a.Kind == route.KindHSM {
			hardware++
		}
	}
	if enabled == 0 {
		return "", fault.New(fault.State, "no enabled security adapter is configured; add one with: cpm apply -f FILE")
	}
	if hardware == 0 && !s.config.Dev {
		if err := s.checkRisk(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d enabled, %d Active, %d hardware", enabled, active, hardware), nil
}

func (s *server) checkRisk(ctx context.Context) error {
	r := s.config.RiskAcceptance
	if !r.Given() {
		return fault.New(fault.State, "no hardware adapter is configured; somebody has to accept the risk: set riskAcceptance in the configuration")
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "running without hardware; the risk is accepted", obs.Event("cpm.risk-accepted"),
		slog.String("by", r.By), slog.String("date", r.Date), slog.String("text", r.Text))
	return nil
}

func (s *server) checkCertificates(ctx context.Context) (string, error) {
	if s.config.TLS == (config.TLS{}) {
		return "none configured", nil // only `cpm dev` gets past the configuration's own check
	}
	var err error
	s.identity, err = newIdentity(ctx, s.config.TLS, s.options.Now, s.log, func(lives []pki.Life) {
		s.metrics.CertificatesExpire(expiries(lives))
	})
	if err != nil {
		return "", err
	}
	return "the certificate expires " + s.identity.notAfter().UTC().Format(time.RFC3339), nil
}

func (s *server) checkPorts(ctx context.Context) (string, error) {
	if err := s.bind(ctx); err != nil {
		return "", err
	}
	a := s.ports.addresses(s.config)
	return fmt.Sprintf("HTTPS %s, gRPC %s", a.HTTP, a.GRPC), nil
}

// observe writes the histograms of a finished operation.
func (s *server) observe(o core.Observation) {
	if o.Adapter != "" { // a plan has none: its steps are observed by themselves
		s.metrics.OperationDuration.WithLabelValues(string(o.Operation), o.Adapter).Observe(o.Module.Seconds())
	}
	if o.Refused != "" {
		s.metrics.SignatureRefusals.WithLabelValues(o.Refused).Inc()
	}
}
