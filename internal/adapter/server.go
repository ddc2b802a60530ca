package adapter

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
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

// Server answers links. It is the adapter's end.
type Server struct {
	cpmv1.UnimplementedLinkServiceServer

	config  ServerConfig
	reading sync.WaitGroup // the goroutines that read streams
	mu      sync.Mutex
	links   map[string]*serverLink // by the peer's address: one connection, one link
}

// NewServer makes a Server.
func NewServer(c ServerConfig) *Server {
	if c.Credit <= 0 {
		c.Credit = defaultCredit
	}
	c.Credit, c.Versions = min(c.Credit, maxCredit), c.Versions.orBuilt()
	return &Server{config: c, links: map[string]*serverLink{}}
}

// Serve answers links on l until ctx ends, then completes what is in flight and returns.
func (s *Server) Serve(ctx context.Context, l net.Listener, t *tls.Config) error {
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(t)), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: aliveEvery, Timeout: aliveWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: aliveEvery / 2}),
		grpc.ConnectionTimeout(greetTimeout), grpc.MaxConcurrentStreams(streamsPerLink), grpc.WaitForHandlers(true))
	cpmv1.RegisterLinkServiceServer(g, s)
	failed := make(chan error, 1)
	go func() { failed <- g.Serve(l) }()
	defer s.reading.Wait()
	select {
	case err := <-failed:
		s.drain(context.WithoutCancel(ctx))
		g.Stop()
		return err
	case <-ctx.Done():
	}
	s.drain(context.WithoutCancel(ctx))
	// The links have been told to end; this lets their last answers out.
	force := time.AfterFunc(flushTimeout, g.Stop)
	defer force.Stop()
	g.GracefulStop()
	<-failed //nolint:errcheck // it ended because it was told to
	return nil
}

// streamsPerLink is Control and Work, and room for two that are refused with words.
const streamsPerLink = 4

// flushTimeout bounds how long last answers are on their way.
const flushTimeout = time.Second

// drainTimeout bounds how long operations in flight are completed at the end.
const drainTimeout = 10 * time.Second

// drain ends every link and its module in an orderly way.
func (s *Server) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var group sync.WaitGroup
	for _, l := range s.all() {
		group.Go(func() {
			_ = l.shutdown(ctx) // what is not complete by now is told so by the end of the link
			l.stop()
		})
	}
	group.Wait()
}

func (s *Server) all() []*serverLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*serverLink
	for _, l := range s.links {
		all = append(all, l)
	}
	return all
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
	s.mu.Lock()
	l := s.links[key]
	s.mu.Unlock()
	if l == nil || l.working.Swap(true) {
		return fault.New(fault.State, "the link has not been greeted, or has its work stream already")
	}
	defer l.stop()
	out := newOutbox[*cpmv1.WorkFrame](s.config.Credit)
	return converse(l.ctx, &s.reading, stream, out, func() error { return l.readWork(stream, out) })
}

// converse reads and writes one stream until either ends or ctx does, and then writes what is left. Its reader ends with the
// stream, which is when the caller has returned.
func converse[F any](ctx context.Context, reading *sync.WaitGroup, s stream[F], out *outbox[F], read func() error) error {
	stop, readerEnded, writerEnded := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	reading.Go(func() { readerEnded <- read() })
	go func() { writerEnded <- out.run(s, stop) }()
	var err error
	select {
	case err = <-readerEnded:
	case err = <-writerEnded:
		close(stop)
		return err
	case <-ctx.Done():
	}
	close(stop)
	<-writerEnded //nolint:errcheck // the other side is gone, or has everything
	return err
}

// admit checks that the peer's certificate has an allowed name, and gives the key of its connection.
func (s *Server) admit(ctx context.Context) (string, exporter, error) {
	state, err := session(ctx)
	if err != nil {
		return "", nil, err
	}
	p, _ := peer.FromContext(ctx)
	for _, name := range state.PeerCertificates[0].DNSNames {
		if len(state.VerifiedChains) > 0 && slices.Contains(s.config.Allowed, name) {
			return p.Addr.String(), state, nil
		}
	}
	s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a caller without an allowed name was refused", obs.Event("link.refused"),
		obs.Adapter(s.config.Name))
	return "", nil, fault.New(fault.Denied, "this certificate may not use the link")
}

// maxLinks bounds the links of one adapter: each core has one, or two for a moment.
const maxLinks = 256

func (s *Server) enter(key string, l *serverLink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.links[key] != nil:
		return fault.New(fault.Conflict, "this connection has a link already")
	case len(s.links) >= maxLinks:
		return fault.New(fault.Busy, "the adapter has as many links as it takes")
	}
	s.links[key] = l
	return nil
}

// leave ends a link. One that was refused has not entered and leaves nothing.
func (s *Server) leave(key string, l *serverLink) {
	s.mu.Lock()
	entered := s.links[key] == l
	if entered {
		delete(s.links, key)
	}
	s.mu.Unlock()
	l.end()
	if entered {
		s.config.Logger.LogAttrs(context.WithoutCancel(l.ctx), slog.LevelInfo, "a core is gone; its keys are dropped", obs.Event("link.down"),
			obs.Adapter(s.config.Name))
	}
}
