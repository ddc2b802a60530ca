package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

// The ports of adapters that dial in are optional: the CPM is Active without them, logs it and shows it.
func TestTheCPMServesWithoutThePortsOfAdaptersThatDialIn(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	c := withKey()
	c.Tune = func(c *config.Config) { c.Listen.Command, c.Listen.KeyUpdate = taken.Addr().String(), "" }
	m := cpmtest.Start(t, c)
	if status, err := ask(t, m, m.HTTP(cpmtest.Client)); err != nil || status != http.StatusOK {
		t.Errorf("%d %v", status, err)
	}
	status, err := m.Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l := status.Listen; l.Command != "" || l.KeyUpdate != "" || strings.Join(l.NotOpen, " ") != "listen.command" {
		t.Errorf("%+v", l)
	}
	for _, event := range []string{`"event":"port.not-open","port":"listen.command"`, `"event":"port.off","port":"listen.keyUpdate"`} {
		if !strings.Contains(m.Log(), event) {
			t.Errorf("the log has no %s", event)
		}
	}
	spec.Covers(t, "PORT-command-optional", "PORT-keyupdate-optional")
}

func TestAnAdapterNobodyConfiguredIsNotLetIn(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, withKey())
	for _, address := range []string{m.At.Command, m.At.KeyUpdate} {
		refused := strings.Count(m.Log(), `"event":"link.refused"`)
		a := adapter.Attach(t.Context(), adapter.AttachConfig{
			Name: "command1", Address: address, Logger: slog.New(slog.DiscardHandler),
			TLS: func() (*tls.Config, error) { return m.TLS("command1.example"), nil },
		})
		eventually(t, "the log says so", func() bool { return strings.Count(m.Log(), `"event":"link.refused"`) > refused })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := a.Connected(ctx); err == nil {
			t.Errorf("%s: let in", address)
		}
		cancel()
		a.Close()
	}
}

// Each port takes its own adapters, and its own questions.
func TestEachPortHasItsAdaptersAndTheirQuestions(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{Document: core.Document{Adapters: []core.AdapterEntry{
		{Name: "ssm1", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}},
		{Name: "cmd1", Type: "command", Identity: "cmd.example"},
		{Name: "kup1", Type: "keyupdate", Identity: "kup.example"},
	}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, c := range []struct {
		name, identity, address string
		mine, others            cpm.Operation
		declined                fault.Kind
	}{
		{"cmd1", "cmd.example", m.At.Command, cpm.AskCommand, cpm.AskKeyUpdate, fault.Denied},
		{"kup1", "kup.example", m.At.KeyUpdate, cpm.AskImportKey, cpm.AskCommand, fault.Invalid},
	} {
		certificate := m.TLS(c.identity)
		a := adapter.Attach(t.Context(), adapter.AttachConfig{
			Name: c.name, Address: c.address, Logger: slog.New(slog.DiscardHandler), TLS: func() (*tls.Config, error) { return certificate, nil },
		})
		if err := a.Connected(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Ask(ctx, c.mine, "r-1", nil); !errors.Is(err, c.declined) {
			t.Errorf("%s asks: %v", c.name, err)
		}
		if _, err := a.Ask(ctx, c.others, "r-2", nil); !errors.Is(err, fault.Unsupported) {
			t.Errorf("%s asks what is not its to ask: %v", c.name, err)
		}
		if _, err := a.Ask(ctx, c.mine, "r-3", []byte{0xff}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s sends what is no message: %v", c.name, err)
		}
		a.Close()
	}
	spec.Covers(t, "PORT-command", "PORT-keyupdate")
}
