package server

import (
	"context"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/probe"
	"github.com/mojaloop/cpm/internal/route"
)

// newProbe makes the door for those who watch.
func (s *server) newProbe(ctx context.Context) *probe.Door {
	return probe.New(probe.Config{
		Health: health{s, ctx}, Registry: s.metrics.Registry, Version: s.options.Version, Start: s.started, Now: s.options.Now,
		Log: s.log,
	})
}

// health answers the probes from the core's state.
type health struct {
	server *server
	ctx    context.Context
}

// Live is always well: a CPM that can answer needs no restart.
func (h health) Live() error { return nil }

// Ready wants the CPM Active with at least one Active adapter, and memory not older than it may be.
func (h health) Ready() error {
	status := h.server.core.Status()
	if status.State != cpm.Active {
		return fault.New(fault.Unavailable, "the CPM is %s", status.State)
	}
	if err := h.server.core.Fresh(); err != nil {
		return err
	}
	for _, a := range status.Adapters {
		if a.Type == route.TypeSecurity && a.State == cpm.Active {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "no security adapter is Active")
}

// Started fails until the CPM was Active once.
func (h health) Started() error {
	if h.server.core.State() == cpm.Starting {
		return fault.New(fault.Unavailable, "the CPM is %s", cpm.Starting)
	}
	return nil
}

// pingTimeout bounds the look at the database for the health page.
const pingTimeout = time.Second

// Services names the database and the adapters.
func (h health) Services() []probe.Service {
	ctx, cancel := context.WithTimeout(h.ctx, pingTimeout)
	defer cancel()
	services := []probe.Service{{Name: "datastore", OK: h.server.store.Ping(ctx) == nil}}
	for _, a := range h.server.core.Status().Adapters {
		if a.Type != route.TypeSecurity {
			continue // without Command and Key Update adapters the CPM serves all the same
		}
		services = append(services, probe.Service{Name: "adapter-" + a.Name, OK: a.State == cpm.Active})
	}
	return services
}
