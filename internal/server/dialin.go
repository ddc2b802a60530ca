package server

import (
	"context"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// The ports of the adapters that dial in are optional (design: a CPM that cannot be commanded still serves transactions).

// dialIn is one of them.
type dialIn struct {
	key, address string
	kind         string // the type of its adapters
	listener     *net.Listener
}

func (s *server) dialInPorts() []dialIn {
	return []dialIn{
		{"listen.command", s.config.Listen.Command, route.TypeCommand, &s.ports.command},
		{"listen.keyUpdate", s.config.Listen.KeyUpdate, route.TypeKeyUpdate, &s.ports.keyUpdate},
	}
}

// bindDialIns opens the ports that can be opened, and says which are not.
func (s *server) bindDialIns(ctx context.Context, l *net.ListenConfig) {
	for _, d := range s.dialInPorts() {
		if d.address == "" {
			s.log.LogAttrs(ctx, slog.LevelInfo, "the port is not configured; the CPM serves without it", obs.Event("port.off"), slog.String("port", d.key))
			continue
		}
		err := error(fault.New(fault.State, "it needs the TLS files of this CPM"))
		if s.identity != nil {
			*d.listener, err = l.Listen(ctx, "tcp", d.address)
		}
		if err != nil {
			*d.listener = nil
			s.ports.notOpen = append(s.ports.notOpen, d.key)
			s.log.LogAttrs(ctx, slog.LevelError, "the port cannot be opened; the CPM serves without it until the next start",
				obs.Event("port.not-open"), slog.String("port", d.key), slog.String("listen", d.address), obs.Err(err))
		}
	}
}

// dialIns answers the adapters that dial in. A port that fails does not end the CPM.
func (s *server) dialIns(ctx context.Context, group *errgroup.Group) {
	for _, d := range s.dialInPorts() {
		if *d.listener == nil {
			continue
		}
		group.Go(func() error {
			if err := s.newPort(d.kind).Serve(ctx, *d.listener, s.identity.serverConfig()); err != nil {
				s.log.LogAttrs(ctx, slog.LevelError, "the port has failed; the CPM serves without it", obs.Event("port.failed"),
					slog.String("port", d.key), obs.Err(err))
			}
			return nil
		})
	}
}

func (s *server) newPort(kind string) *adapter.Port {
	return adapter.NewPort(adapter.PortConfig{
		Type: kind, Logger: s.log,
		Attach: func(ctx context.Context, name string, identities []string, service cpm.Service) (*adapter.Attachment, error) {
			settings, revision, detach, err := s.core.Attach(ctx, name, kind, identities, service)
			if err != nil {
				return nil, err
			}
			return &adapter.Attachment{Settings: settings, Revision: revision, Detach: detach}, nil
		},
		Handle: s.asks(kind),
	})
}

// handler is what a port does with an ask.
type handler = func(ctx context.Context, adapterName string, o cpm.Operation, requestID string, payload []byte) ([]byte, error)

// asks answers what adapters of a type may ask, and nothing else.
func (s *server) asks(kind string) handler {
	handlers := map[cpm.Operation]handler{}
	switch kind {
	case route.TypeCommand:
		handlers[cpm.AskCommand] = answered(s.core.Command, func() *cpmv1.CommandAsk { return &cpmv1.CommandAsk{} })
	case route.TypeKeyUpdate:
		handlers[cpm.AskKeyUpdate] = answered(s.core.KeyUpdate, func() *cpmv1.KeyUpdateAsk { return &cpmv1.KeyUpdateAsk{} })
		handlers[cpm.AskImportKey] = answered(s.core.ImportKey, func() *cpmv1.ImportKeyAsk { return &cpmv1.ImportKeyAsk{} })
	}
	return func(ctx context.Context, name string, o cpm.Operation, requestID string, payload []byte) ([]byte, error) {
		handle, known := handlers[o]
		if !known {
			return nil, fault.New(fault.Unsupported, "an adapter of type %s does not ask this", kind)
		}
		return handle(ctx, name, o, requestID, payload)
	}
}

// answered decodes the ask, has the core do it, and encodes the reply.
func answered[A, R proto.Message](do func(ctx context.Context, adapterName, requestID string, ask A) (R, error), fresh func() A) handler {
	return func(ctx context.Context, name string, _ cpm.Operation, requestID string, payload []byte) ([]byte, error) {
		ask := fresh()
		if err := proto.Unmarshal(payload, ask); err != nil {
			return nil, fault.New(fault.Invalid, "the adapter's message cannot be decoded").Because(err)
		}
		reply, err := do(ctx, name, requestID, ask)
		if err != nil {
			return nil, err
		}
		return proto.Marshal(reply)
	}
}
