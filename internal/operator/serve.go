package operator

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// errNoAuthority is the error of a TLS configuration without a pool for client certificates: the system's would be taken,
// and every public certificate be a credential.
var errNoAuthority = errors.New("the door needs the authority of the operators' certificates")

// Serve answers on l until ctx ends: then what was accepted is answered, and whatever else comes meanwhile is declined.
// c must name the authority of client certificates; a certificate is verified if one is shown, and TLS 1.3 is demanded.
func (d *Door) Serve(ctx context.Context, l net.Listener, c *tls.Config) error {
	hard, err := harden(c)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler: d, Protocols: protocols, DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: d.limits.HeaderTimeout, ReadTimeout: d.limits.ReadTimeout, IdleTimeout: d.limits.IdleTimeout,
		WriteTimeout: d.limits.Command + d.limits.Startup + time.Minute, MaxHeaderBytes: d.limits.HeaderBytes,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		// Accepted commands are answered after ctx is done.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(tls.NewListener(newCrowd(l, d.limits), hard)) }()
	select {
	case err := <-ended:
		return fault.New(fault.Internal, "the port of the adapter failed").Because(err)
	case <-ctx.Done():
	}
	err = d.end(context.WithoutCancel(ctx), s)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// end shuts the adapter down, then closes the port.
func (d *Door) end(ctx context.Context, s *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, d.limits.Drain)
	defer cancel()
	err := d.Shutdown(ctx)
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if shut := s.Shutdown(closing); shut != nil {
		_ = s.Close() // connections that have sent no whole request
	}
	return err
}

// harden makes a configuration of this door out of c: TLS 1.3, no resumption, and a certificate that is verified if it is
// shown, since a token may stand in its place.
func harden(c *tls.Config) (*tls.Config, error) {
	c = c.Clone()
	c.MinVersion, c.SessionTicketsDisabled, c.ClientAuth = tls.VersionTLS13, true, tls.VerifyClientCertIfGiven
	c.NextProtos = []string{"http/1.1"}
	if judge := c.VerifyConnection; judge != nil {
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil // there is nothing to judge; a token must do
			}
			return judge(s)
		}
	}
	get := c.GetConfigForClient
	if get == nil {
		if c.ClientCAs == nil {
			return nil, errNoAuthority
		}
		return c, nil
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		fresh, err := get(hello)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			return nil, errNoAuthority
		}
		fresh = fresh.Clone()
		fresh.GetConfigForClient = nil
		return harden(fresh)
	}
	return c, nil
}

// crowd bounds the connections of a listener, in all and of one address. Beyond the first bound it does not accept; beyond
// the second it closes at once, so that one address cannot take all places.
type crowd struct {
	net.Listener
	each   int
	places chan struct{}
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	open map[string]int
}

func newCrowd(l net.Listener, limits Limits) *crowd {
	return &crowd{
		Listener: l, each: limits.AddressConnections, places: make(chan struct{}, limits.Connections), closed: make(chan struct{}),
		open: map[string]int{},
	}
}

// Accept waits for a free place and a connection that may have it.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		select {
		case c.places <- struct{}{}:
		case <-c.closed:
			return nil, net.ErrClosed
		}
		conn, err := c.Listener.Accept()
		if err != nil {
			<-c.places
			return nil, err
		}
		key := ""
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			key = addressKey(a.AddrPort().Addr().Unmap())
		}
		if c.enter(key) {
			return &guest{Conn: conn, leave: sync.OnceFunc(func() { c.leave(key) })}, nil
		}
		<-c.places
		_ = conn.Close()
	}
}

func (c *crowd) enter(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[key] >= c.each {
		return false
	}
	c.open[key]++
	return true
}

func (c *crowd) leave(key string) {
	c.mu.Lock()
	if c.open[key]--; c.open[key] <= 0 {
		delete(c.open, key)
	}
	c.mu.Unlock()
	<-c.places
}

// Close ends accepting.
func (c *crowd) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// guest is a connection that gives its place back when it is closed.
type guest struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}
