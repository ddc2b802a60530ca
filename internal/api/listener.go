package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/obs"
)

// ErrNotLoopback is the error of a port without TLS that would listen to other machines.
var ErrNotLoopback = errors.New("a Mojaloop port without TLS may listen on loopback only")

// listener gives connections whose TLS handshake is done, so that both ports bound, count and log handshakes in one way
// and neither server ever holds a connection of nobody. When all places are taken it stops accepting: callers wait in the
// system's queue, which costs nothing here, until a connection is closed.
type listener struct {
	net.Listener
	door  *Door
	port  Port
	tls   *tls.Config // nil on loopback
	ready chan net.Conn
	// places has one entry for each connection; open are the connections.
	places chan struct{}
	open   sync.Map
	// callers are those of the connections whose handshake is done.
	callers *admission.Room[admission.Caller]
	// broken is closed, after failed is set, when the port accepts no more; handshakes under way may still become ready.
	broken chan struct{}
	// done is closed by Close; cancel ends the handshakes under way, wait waits for them.
	done   chan struct{}
	cancel context.CancelFunc
	once   sync.Once
	wait   sync.WaitGroup
	failed error
}

// listen starts accepting. The protocol is the name for ALPN.
func (d *Door) listen(ctx context.Context, p Port, l net.Listener, c *tls.Config, protocol string) (*listener, error) {
	if c == nil && !loopback(l.Addr().String()) {
		return nil, ErrNotLoopback
	}
	if c != nil {
		var err error
		if c, err = harden(c, protocol); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &listener{
		Listener: l, door: d, port: p, tls: c, cancel: cancel,
		ready: make(chan net.Conn), places: make(chan struct{}, d.limits.Connections), broken: make(chan struct{}),
		done: make(chan struct{}), callers: admission.NewRoom[admission.Caller](d.limits.Connections),
	}
	n.wait.Go(func() { n.acceptAll(ctx) })
	return n, nil
}

// Accept gives the next connection.
func (n *listener) Accept() (net.Conn, error) {
	select {
	case c := <-n.ready:
		return c, nil
	case <-n.broken:
		return nil, n.failed
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// Close ends accepting and the handshakes under way, and returns when they have ended.
func (n *listener) Close() error {
	var err error
	n.once.Do(func() {
		close(n.done)
		err = n.Listener.Close()
		n.cancel()
		n.wait.Wait()
	})
	return err
}

func (n *listener) acceptAll(ctx context.Context) {
	var shaking sync.WaitGroup
	defer shaking.Wait()
	for n.takePlace(ctx) {
		raw, err := n.acceptOne()
		if err != nil {
			<-n.places
			n.failed = err
			close(n.broken)
			return
		}
		n.door.metrics.Connections(n.port, +1)
		c := &place{Conn: raw, leave: n.leave, closed: make(chan struct{}), pace: pace{tempo: n.door.tempo, port: n.port}}
		if n.port == GRPC {
			c.ahead = bufio.NewReaderSize(raw, readAhead)
		}
		n.open.Store(c, nil)
		shaking.Go(func() { n.welcome(ctx, c) })
	}
}

func (n *listener) leave(c *place) {
	if c.counted.Load() {
		n.callers.Leave(c.pace.caller)
	}
	n.open.Delete(c)
	n.door.metrics.Connections(n.port, -1)
	<-n.places
}

// end closes and returns when every connection is closed, which it sees to itself after a while: a server does not know of
// one that it has just been given.
func (n *listener) end() {
	_ = n.Close()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for range cap(n.places) {
		select {
		case n.places <- struct{}{}:
			continue
		case <-patience.C:
		}
		n.open.Range(func(c, _ any) bool {
			if p, ok := c.(*place); ok {
				_ = p.Close()
			}
			return true
		})
		n.places <- struct{}{}
	}
}

// takePlace waits for a free place; it says once each time that it has to.
func (n *listener) takePlace(ctx context.Context) bool {
	select {
	case n.places <- struct{}{}:
		return true
	default:
		n.door.log.LogAttrs(ctx, slog.LevelWarn, "no place for another connection", obs.Event("port.full"),
			slog.String("port", string(n.port)), slog.Int("connections", cap(n.places)))
	}
	select {
	case n.places <- struct{}{}:
		return true
	case <-n.done:
		return false
	}
}

// acceptOne retries what passes, for example when the process has no free file descriptor.
func (n *listener) acceptOne() (net.Conn, error) {
	for delay := 5 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		c, err := n.Listener.Accept()
		if t, ok := errors.AsType[interface {
			error
			Temporary() bool
		}](err); err == nil || !ok || !t.Temporary() {
			return c, err
		}
		select {
		case <-time.After(delay):
		case <-n.done:
			return nil, net.ErrClosed
		}
	}
}

// welcome does the handshake and hands the connection over, or closes it.
func (n *listener) welcome(ctx context.Context, c *place) {
	conn, err := n.shake(ctx, c)
	if err != nil {
		_ = c.Close()
		if !c.spoken.Load() && gone(err) {
			// Load balancers look this way whether the port is open, every few seconds each.
			n.door.log.LogAttrs(ctx, slog.LevelDebug, "connection closed before it said anything", obs.Event("port.silent"), slog.String("port", string(n.port)),
				slog.String("address", c.RemoteAddr().String()))
			return
		}
		n.door.metrics.HandshakeFailed(n.port)
		n.door.log.LogAttrs(ctx, slog.LevelWarn, "connection refused", obs.Event("port.refused"), slog.String("port", string(n.port)),
			slog.String("address", c.RemoteAddr().String()), slog.String("error", err.Error()))
		return
	}
	c.pace.belongsTo(callerOf(conn))
	if !n.count(ctx, c) {
		return
	}
	if n.port == JSON { // of gRPC the first reading waits
		c.pace.wait(n.done)
	}
	select {
	case n.ready <- conn:
	case <-n.broken:
		_ = c.Close()
	case <-n.done:
		_ = c.Close()
	}
}

// count counts the connection as its caller's, or closes it when that one has too many.
func (n *listener) count(ctx context.Context, c *place) bool {
	if n.callers.Enter(c.pace.caller) {
		c.counted.Store(true)
		return true
	}
	_ = c.Close()
	if skipped, ok := n.door.sampler.Pass("port.crowded"); ok {
		n.door.log.LogAttrs(ctx, slog.LevelWarn, "the caller has too many connections", obs.Event("port.crowded"), slog.String("port", string(n.port)),
			slog.String("caller", c.pace.caller.Name), slog.String("address", c.RemoteAddr().String()), skippedLines(skipped))
	}
	return false
}

func (n *listener) shake(ctx context.Context, c *place) (net.Conn, error) {
	if n.tls == nil {
		if !loopback(c.RemoteAddr().String()) {
			return nil, ErrNotLoopback
		}
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.door.limits.HandshakeTimeout)
	defer cancel()
	conn := tls.Server(c, n.tls)
	return conn, conn.HandshakeContext(ctx)
}

// callerOf is whose connection it is; all without TLS are one caller's.
func callerOf(c net.Conn) admission.Caller {
	t, ok := c.(*tls.Conn)
	if !ok {
		return admission.Caller{}
	}
	p, _ := nameOf(t.ConnectionState().VerifiedChains[0][0], "")
	return admission.CallerOf(p)
}

// gone says whether an error is that of a peer who closed the connection.
func gone(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }

// readAhead is how much of a gRPC connection is read at once. TLS by itself reads twice for each record, and callers send small
// messages in a record each.
const readAhead = 16 << 10

// place is a connection that gives its place back when it is closed.
type place struct {
	net.Conn
	leave  func(*place)
	once   sync.Once
	closed chan struct{}
	// spoken says that the peer has sent something.
	spoken atomic.Bool
	// counted says that it is one of its caller's.
	counted atomic.Bool
	// ahead reads from the connection, if it is one for many requests; pace is how it is read.
	ahead *bufio.Reader
	pace  pace
}

func (p *place) Read(b []byte) (int, error) {
	n, err := p.read(b)
	if n > 0 && !p.spoken.Load() {
		p.spoken.Store(true)
	}
	return n, err
}

func (p *place) read(b []byte) (int, error) {
	if p.ahead == nil {
		return p.Conn.Read(b)
	}
	if p.ahead.Buffered() == 0 {
		p.pace.wait(p.closed)
	}
	return p.ahead.Read(b)
}

func (p *place) Close() error {
	err := p.Conn.Close()
	p.once.Do(func() {
		close(p.closed)
		p.leave(p)
	})
	return err
}

// CloseWrite lets a server end its answer before it closes, so that the answer is not lost to a reset.
func (p *place) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
