package adapter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// ServerConfig is what an adapter process is told.
type ServerConfig struct {
	// Name is the adapter's.
	Name string
	// New makes the module of one link, mandated to do what the core configures. The module ends with the link.
	New func(operations []cpm.Operation, settings []byte) (cpm.Module, error)
	// Operations are what the modules can do, whatever a core mandates; none says nothing about it.
	Operations []cpm.Operation
	// Allowed are the certificate names a core may have; none allows none.
	Allowed []string
	// Credit is how many operations one link may have in flight; 0 is defaultCredit.
	Credit int
	// Versions are the link versions to speak; the zero value is this build's.
	Versions Versions
	// Ended is called when a core has shut this adapter down; it may be nil.
	Ended  func()
	Logger *slog.Logger
	Now    func() time.Time
}

// defaultCredit is enough to keep every worker busy over a link of some milliseconds.
const defaultCredit = 1024

// maxLinks bounds the links of one adapter: each core has one, or two for a moment.
const maxLinks = 256

// Server answers links. It is the adapter's end.
type Server struct {
	listening

	config ServerConfig
	links  roll[serverLink]
}

// NewServer makes a Server.
func NewServer(c ServerConfig) *Server {
	if c.Credit <= 0 {
		c.Credit = defaultCredit
	}
	c.Credit, c.Versions = min(c.Credit, maxCredit), c.Versions.orBuilt()
	return &Server{config: c, links: newRoll[serverLink](maxLinks)}
}

// Serve answers links on l until ctx ends, then completes what is in flight and returns.
func (s *Server) Serve(ctx context.Context, l net.Listener, t *tls.Config) error {
	return s.serve(ctx, l, t, maxMessage, s, s.drain)
}

// drain ends every link and its module in an orderly way.
func (s *Server) drain(ctx context.Context) {
	var group sync.WaitGroup
	for _, l := range s.links.all() {
		group.Go(func() {
			_ = l.shutdown(ctx) // what is not complete by now is told so by the end of the link
			l.stop()
		})
	}
	group.Wait()
}

// Control greets a core and answers its questions.
func (s *Server) Control(stream grpc.BidiStreamingServer[cpmv1.ControlFrame, cpmv1.ControlFrame]) error {
	key, session, err := s.admit(stream.Context())
	if err != nil {
		return status(err)
	}
	return status(s.control(key, session, stream))
}

// Work answers operations. Its Control stream must be there first.
func (s *Server) Work(stream grpc.BidiStreamingServer[cpmv1.WorkFrame, cpmv1.WorkFrame]) error {
	key, _, err := s.admit(stream.Context())
	if err != nil {
		return status(err)
	}
	return status(s.work(key, stream))
}

func (s *Server) control(key string, session exporter, stream controlStream) error {
	l, err := newServerLink(stream.Context(), s, session)
	if err != nil {
		return err
	}
	defer s.leave(key, l)
	timer := time.AfterFunc(greetTimeout, l.stop)
	defer timer.Stop()
	return converse(l.ctx, &s.reading, stream, l.answers, func() error {
		if err := l.greet(stream, key); err != nil {
			s.config.Logger.LogAttrs(l.ctx, slog.LevelWarn, "a core was refused", obs.Event("link.refused"), obs.Adapter(s.config.Name), obs.Err(err))
			return err
		}
		timer.Stop()
		return l.readControl(stream)
	})
}

func (s *Server) work(key string, stream workStream) error {
	l := s.links.find(key)
	if l == nil || l.working.Swap(true) {
		return errNotGreeted()
	}
	defer l.stop()
	out := newOutbox[*cpmv1.WorkFrame](s.config.Credit)
	return converse(l.ctx, &s.reading, stream, out, func() error { return l.intake.read(stream, out) })
}

// caller is the connection of a stream: its key among the links, its session, and the certificate, which is verified.
func caller(ctx context.Context) (key string, e exporter, c *x509.Certificate, err error) {
	state, err := session(ctx)
	if err != nil {
		return "", nil, nil, err
	}
	if len(state.VerifiedChains) == 0 {
		return "", nil, nil, fault.New(fault.Unauthenticated, "the certificate is not verified")
	}
	p, _ := peer.FromContext(ctx)
	return p.Addr.String(), state, state.PeerCertificates[0], nil
}

// admit checks that the core's certificate has an allowed name.
func (s *Server) admit(ctx context.Context) (string, exporter, error) {
	key, session, certificate, err := caller(ctx)
	if err == nil && !slices.ContainsFunc(certificate.DNSNames, func(name string) bool { return slices.Contains(s.config.Allowed, name) }) {
		err = fault.New(fault.Denied, "this certificate may not use the link")
	}
	if err != nil {
		s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a caller without an allowed name was refused", obs.Event("link.refused"),
			obs.Adapter(s.config.Name))
	}
	return key, session, err
}

// leave ends a link.
func (s *Server) leave(key string, l *serverLink) {
	entered := s.links.leave(key, l)
	l.end()
	if entered {
		s.config.Logger.LogAttrs(context.WithoutCancel(l.ctx), slog.LevelInfo, "a core is gone; its keys are dropped", obs.Event("link.down"),
			obs.Adapter(s.config.Name))
	}
}
