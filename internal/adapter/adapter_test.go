package adapter

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpm/moduletest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/spec"
	"github.com/mojaloop/cpm/internal/ssm"
)

// fleet is an authority with a core's and an adapter's certificate.
type fleet struct {
	authority *pki.Authority
	adapter   *tls.Config
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	a, err := pki.NewAuthority(time.Now(), "test")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Issue(time.Now(), "ssm", "ssm.cpm")
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{a, &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{leaf.TLS()}, ClientCAs: a.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert,
	}}
}

func (f *fleet) core(t *testing.T, name string) func() (*tls.Config, error) {
	t.Helper()
	leaf, err := f.authority.Issue(time.Now(), "core", name)
	if err != nil {
		t.Fatal(err)
	}
	return func() (*tls.Config, error) {
		return &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{leaf.TLS()}, RootCAs: f.authority.Pool(), ServerName: "ssm.cpm",
		}, nil
	}
}

// serve runs an adapter with software modules.
func (f *fleet) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(ServerConfig{
		Name: "ssm1", Allowed: []string{"core.cpm"}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		New: func(operations []cpm.Operation, _ []byte) (cpm.Module, error) {
			return ssm.New(ssm.Config{Mandated: operations, HeavyWorkers: 2, Now: time.Now}), nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, f.adapter) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func (f *fleet) dial(t *testing.T, address, name string) *Client {
	t.Helper()
	c := Dial(context.WithoutCancel(t.Context()), ClientConfig{
		Name: "ssm1", Address: address, TLS: f.core(t, name), Operations: append(moduletest.SecretKeyOperations(), cpm.JWSSign, cpm.JWSVerify, cpm.JWEEncrypt, cpm.JWEDecrypt),
		Logger: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(c.Close)
	return c
}

func TestModuleOverTheWire(t *testing.T) {
	f := newFleet(t)
	moduletest.Test(t, func(t *testing.T) cpm.Module {
		c := f.dial(t, f.serve(t), "core.cpm")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := c.Connected(ctx); err != nil {
			t.Fatal(err)
		}
		return c
	})
	spec.Covers(t, "SSM-1", "SSM-2", "SSM-3", "SSM-4", "SSM-6", "SSM-7", "MSG-6")
}

func TestAStrangerIsNotServed(t *testing.T) {
	f := newFleet(t)
	c := f.dial(t, f.serve(t), "other.cpm")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.Connected(ctx); !errors.Is(err, fault.Unavailable) {
		t.Errorf("connected: %v", err)
	}
}
