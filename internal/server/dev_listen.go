package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// serveDevHTTP answers TLS and plain HTTP on the one port of `cpm dev`: a TLS connection begins with the byte 22.
func (s *server) serveDevHTTP(ctx context.Context) error {
	split := newSplitter(s.ports.http)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.door.ServeJSON(ctx, split.plain, nil) })
	group.Go(func() error { return s.door.ServeJSON(ctx, split.secure, s.tlsConfig()) })
	return group.Wait()
}

func (s *server) tlsConfig() *tls.Config {
	if s.identity == nil {
		return nil
	}
	return s.identity.serverConfig()
}

// tlsHandshake is the record type a TLS connection begins with (RFC 8446, section 5.1).
const tlsHandshake = 22

// firstByte is how long a connection may take to show what it speaks.
const firstByte = 5 * time.Second

// splitter hands each connection of a listener to one of two.
type splitter struct {
	from          net.Listener
	plain, secure *half
	closed        sync.Once
	closeError    error
}

// half is one of the two listeners.
type half struct {
	connections chan net.Conn
	done        chan struct{}
	once        sync.Once
	splitter    *splitter
}

func newSplitter(l net.Listener) *splitter {
	s := &splitter{from: l}
	s.plain, s.secure = newHalf(s), newHalf(s)
	go s.run()
	return s
}

func newHalf(s *splitter) *half {
	return &half{connections: make(chan net.Conn), done: make(chan struct{}), splitter: s}
}

// close closes the port, once for both halves.
func (s *splitter) close() error {
	s.closed.Do(func() { s.closeError = s.from.Close() })
	return s.closeError
}

func (s *splitter) run() {
	for {
		c, err := s.from.Accept()
		if err != nil {
			_ = s.plain.Close()
			_ = s.secure.Close()
			return
		}
		go s.sort(c)
	}
}

func (s *splitter) sort(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(firstByte))
	first := make([]byte, 1)
	if _, err := c.Read(first); err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	to := s.plain
	if first[0] == tlsHandshake {
		to = s.secure
	}
	select {
	case to.connections <- &begun{Conn: c, first: first}:
	case <-to.done:
		_ = c.Close()
	}
}

// Accept waits for the next connection of this kind.
func (h *half) Accept() (net.Conn, error) {
	select {
	case c := <-h.connections:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends this half; the port itself closes with the first of the two.
func (h *half) Close() error {
	h.once.Do(func() { close(h.done) })
	return h.splitter.close()
}

// Addr is the port's address.
func (h *half) Addr() net.Addr { return h.splitter.from.Addr() }

// begun is a connection whose first byte has been read already.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
