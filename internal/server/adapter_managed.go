package server

import (
	"context"
	"encoding/json"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/route"
)

// managedOptions are what a managed process is told in place of flags.
type managedOptions struct {
	LogLevel string         `json:"logLevel"`
	Workers  config.Workers `json:"workers"`
}

// managedCommands are the commands of this program that serve a kind. They are compiled in: a row of the database names a
// kind and nothing else.
func managedCommands() map[string][]string {
	return map[string][]string{route.KindSSM: {"adapter", "ssm", "--managed"}}
}

// openManaged starts the process of a managed adapter and watches it.
func (s *server) openManaged(ctx context.Context, a *route.Adapter) (cpm.Module, error) {
	command, known := managedCommands()[a.Kind]
	if !known {
		return nil, fault.New(fault.Unsupported, "this CPM does not start adapters of this kind")
	}
	options, err := json.Marshal(managedOptions{LogLevel: s.config.Log.Level, Workers: s.config.Workers})
	if err != nil {
		return nil, err
	}
	managed := adapter.Supervise(context.WithoutCancel(ctx), adapter.ManagedConfig{
		Name: a.Name, Arguments: command, Options: options, Operations: a.Operations, Settings: a.Settings, Logger: s.log, Now: s.options.Now,
	})
	s.await(ctx, managed, a.Name, "")
	return managed, nil
}

// inherit takes in what the core that started this process has handed over.
func (p *process) inherit() error {
	inherited, err := adapter.Inherit()
	if err != nil {
		return err
	}
	h := inherited.Handover
	var o managedOptions
	if err := json.Unmarshal(h.Options, &o); err != nil {
		return fault.New(fault.State, "what the core has handed over cannot be read").Because(err)
	}
	if p.tls, err = h.TLS(); err != nil {
		return fault.New(fault.State, "the certificate that the core has handed over cannot be used").Because(err)
	}
	p.inherited, p.Name, p.Cores, p.Listen, p.Workers = inherited, h.Name, []string{h.Core}, "127.0.0.1:0", o.Workers
	p.Log = config.Log{Level: o.LogLevel, Format: "json"} // the form the core reads
	return nil
}

// report tells the core that started this process where it listens, and has the process end when that core is gone.
func (p *process) report(address string, end func()) error {
	if p.inherited == nil {
		return nil
	}
	go func() {
		<-p.inherited.Orphaned
		end()
	}()
	return p.inherited.Report(address)
}
