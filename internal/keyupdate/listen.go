package keyupdate

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Timers and bounds of a connection. The header's time covers the TLS handshake.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 5 * time.Minute // the slowest batch
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	flushTimeout  = 2 * time.Second

	maxConnections           = 512
	maxConnectionsPerAddress = 32
)

// Serve answers HTTPS on l until ctx ends, then completes what is being answered and closes. c is the server's side of the
// connection: at least TLS 1.3 and no session tickets, whatever it says. Whether client certificates are demanded is c's.
func (a *Adapter) Serve(ctx context.Context, l net.Listener, c *tls.Config) error {
	c = strict(c)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler: a, Protocols: protocols, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: headerTimeout,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(notLookers{a.log.With(obs.Event("keyupdate.connection")).Handler()}, slog.LevelWarn),
		// What is accepted is answered after ctx is done.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(tls.NewListener(newCrowd(l), c)) }()
	select {
	case err := <-ended:
		return fault.New(fault.Internal, "the door of the key updates failed").Because(err)
	case <-ctx.Done():
	}
	err := a.end(context.WithoutCancel(ctx), s)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// notLookers leaves out connections that ended before they said anything: a load balancer opens such to see who is there.
type notLookers struct{ slog.Handler }

// Handle writes the record, unless it is of such a connection.
func (h notLookers) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: TLS handshake error from ") && strings.HasSuffix(r.Message, ": EOF") {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// strict makes c, and every configuration it is replaced by in a handshake, one of TLS 1.3, HTTP/1.1 and a full handshake for
// every connection.
func strict(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion, c.SessionTicketsDisabled, c.NextProtos = tls.VersionTLS13, true, []string{"http/1.1"}
	get := c.GetConfigForClient
	if get == nil {
		return c
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		fresh, err := get(hello)
		if err != nil || fresh == nil {
			return nil, err
		}
		fresh = fresh.Clone()
		fresh.GetConfigForClient = nil
		return strict(fresh), nil
	}
	return c
}

// end lets the last answers out and closes what only waits for another request.
func (a *Adapter) end(ctx context.Context, s *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// crowd bounds the connections of a port, in all and of one address: what is over is closed at once, before a handshake.
type crowd struct {
	net.Listener
	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

func newCrowd(l net.Listener) *crowd { return &crowd{Listener: l, of: map[netip.Prefix]int{}} }

// Accept gives the next connection there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := netip.Prefix{}
		if p, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
			who = network(p.Addr())
		}
		if c.enter(who) {
			return &visitor{Conn: conn, leave: sync.OnceFunc(func() { c.leave(who) })}, nil
		}
		_ = conn.Close()
	}
}

func (c *crowd) enter(who netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= maxConnections || c.of[who] >= maxConnectionsPerAddress {
		return false
	}
	c.all++
	c.of[who]++
	return true
}

func (c *crowd) leave(who netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[who]--; c.of[who] == 0 {
		delete(c.of, who)
	}
}

// visitor is a connection that makes room when it is closed.
type visitor struct {
	net.Conn
	leave func()
}

// Close ends the connection.
func (v *visitor) Close() error {
	err := v.Conn.Close()
	v.leave()
	return err
}
