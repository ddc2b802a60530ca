package adapter

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// streamsPerLink is Control and Work, and room for two that are refused with words.
const streamsPerLink = 4

// flushTimeout bounds how long last answers are on their way.
const flushTimeout = time.Second

// drainTimeout bounds how long operations in flight are completed at the end.
const drainTimeout = 10 * time.Second

// maxConnections bounds the connections of one port, greeted or not.
const maxConnections = 512

// listening is what answers links on a port, of either half.
type listening struct {
	cpmv1.UnimplementedLinkServiceServer

	reading sync.WaitGroup // the goroutines that read streams
}

// serve answers links on l until ctx ends, then has drain complete what is in flight. No message read is larger than limit.
func (s *listening) serve(ctx context.Context, l net.Listener, t *tls.Config, limit int, answers cpmv1.LinkServiceServer, drain func(context.Context)) error {
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(t)), grpc.MaxRecvMsgSize(limit), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: aliveEvery, Timeout: aliveWait, MaxConnectionIdle: greetTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: aliveEvery / 2}),
		grpc.ConnectionTimeout(greetTimeout), grpc.MaxConcurrentStreams(streamsPerLink), grpc.WaitForHandlers(true))
	cpmv1.RegisterLinkServiceServer(g, answers)
	failed := make(chan error, 1)
	go func() { failed <- g.Serve(newBounded(l, maxConnections)) }()
	defer s.reading.Wait()
	end := func() {
		timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drain(timed)
	}
	select {
	case err := <-failed:
		end()
		g.Stop()
		return err
	case <-ctx.Done():
	}
	end()
	// The links have been told to end; this lets their last answers out.
	force := time.AfterFunc(flushTimeout, g.Stop)
	defer force.Stop()
	g.GracefulStop()
	<-failed //nolint:errcheck // it ended because it was told to
	return nil
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

// roll has the links of a port, by the address of the other side: one connection, one link.
type roll[L any] struct {
	most int

	mu    sync.Mutex
	links map[string]*L
}

func newRoll[L any](most int) roll[L] { return roll[L]{most: most, links: map[string]*L{}} }

func (r *roll[L]) enter(key string, l *L) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.links[key] != nil:
		return fault.New(fault.Conflict, "this connection has a link already")
	case len(r.links) >= r.most:
		return fault.New(fault.Busy, "there are as many links as this port takes")
	}
	r.links[key] = l
	return nil
}

func (r *roll[L]) find(key string) *L {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.links[key]
}

// leave says whether the link had entered. One that was refused has not, and leaves nothing.
func (r *roll[L]) leave(key string, l *L) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	entered := r.links[key] == l
	if entered {
		delete(r.links, key)
	}
	return entered
}

func (r *roll[L]) all() []*L {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*L
	for _, l := range r.links {
		all = append(all, l)
	}
	return all
}

// bounded is a listener that accepts no more while as many connections as it may have are open: callers wait in the
// system's queue, which costs nothing here.
type bounded struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a free place and for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &place{Conn: c, leave: sync.OnceFunc(func() { <-b.places })}, nil
}

// Close ends accepting.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// place is a connection that gives its place back when it is closed.
type place struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (p *place) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
