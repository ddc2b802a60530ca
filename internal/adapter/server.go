package adapter

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
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

	config ServerConfig
	mu     sync.Mutex
	links  map[string]*serverLink // by the peer's address: one connection, one link
}

// NewServer makes a Server.
func NewServer(c ServerConfig) *Server {
	if c.Credit <= 0 {
		c.Credit = defaultCredit
	}
	return &Server{config: c, links: map[string]*serverLink{}}
}

// How often a silent link is asked for a sign of life, and how long it may take: a half-open link is gone after their sum.
const (
	aliveEvery = 10 * time.Second
	aliveWait  = 5 * time.Second
)

// Serve answers links on l until ctx ends, then completes what is in flight and returns.
func (s *Server) Serve(ctx context.Context, l net.Listener, t *tls.Config) error {
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(t)), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: aliveEvery, Timeout: aliveWait}))
	cpmv1.RegisterLinkServiceServer(g, s)
	failed := make(chan error, 1)
	go func() { failed <- g.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.drain(context.WithoutCancel(ctx))
	g.Stop()
	return nil
}

// drainTimeout bounds how long operations in flight are completed at the end.
const drainTimeout = 10 * time.Second

// drain ends every link's module in an orderly way.
func (s *Server) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for _, l := range s.all() {
		l.shutdown(ctx)
	}
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
	key, err := s.admit(stream.Context())
	if err != nil {
		return status(err)
	}
	l, err := s.greet(stream)
	if err != nil {
		return status(err)
	}
	if !s.enter(key, l) {
		return status(fault.New(fault.Conflict, "this connection has a link already"))
	}
	defer s.leave(key, l)
	s.config.Logger.LogAttrs(stream.Context(), slog.LevelInfo, "a core is connected", obs.Event("link.up"), obs.Adapter(s.config.Name))
	return status(l.serveControl(stream))
}

// Work answers operations. Its Control stream must be there first.
func (s *Server) Work(stream grpc.BidiStreamingServer[cpmv1.WorkFrame, cpmv1.WorkFrame]) error {
	key, err := s.admit(stream.Context())
	if err != nil {
		return status(err)
	}
	s.mu.Lock()
	l := s.links[key]
	s.mu.Unlock()
	if l == nil {
		return status(fault.New(fault.State, "the link has not been greeted"))
	}
	return status(l.serveWork(stream))
}

// admit checks that the peer's certificate has an allowed name, and gives the key of its connection.
func (s *Server) admit(ctx context.Context) (string, error) {
	state, err := session(ctx)
	if err != nil {
		return "", err
	}
	p, _ := peer.FromContext(ctx)
	for _, name := range state.PeerCertificates[0].DNSNames {
		for _, allowed := range s.config.Allowed {
			if name == allowed {
				return p.Addr.String(), nil
			}
		}
	}
	s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a caller without an allowed name was refused", obs.Event("link.refused"),
		obs.Adapter(s.config.Name))
	return "", fault.New(fault.Denied, "this certificate may not use the link")
}

func (s *Server) enter(key string, l *serverLink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[key] != nil {
		return false
	}
	s.links[key] = l
	return true
}

func (s *Server) leave(key string, l *serverLink) {
	s.mu.Lock()
	delete(s.links, key)
	s.mu.Unlock()
	l.end()
	s.config.Logger.LogAttrs(context.WithoutCancel(l.ctx), slog.LevelInfo, "a core is gone; its keys are dropped", obs.Event("link.down"),
		obs.Adapter(s.config.Name))
}
