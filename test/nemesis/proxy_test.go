package nemesis

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between the core and one adapter and passes bytes on, until it is told to do harm.
type proxy struct {
	listener net.Listener

	mu       sync.Mutex
	upstream string
	harm     harm
	changed  chan struct{} // closed when harm is replaced
	pairs    map[*pair]bool
}

// harm is what the proxy does to what passes.
type harm struct {
	// holdUp and holdDown keep back what goes to the adapter, and what comes from it, until the harm is over.
	holdUp, holdDown bool
	// swallow takes everything and passes nothing on; connections that lost bytes are reset when it is over.
	swallow bool
	// delay is the most by which each piece is delayed.
	delay time.Duration
	// slices passes everything on in little pieces.
	slices bool
	// refuse resets new connections at once.
	refuse bool
}

// pair is one connection through the proxy.
type pair struct {
	near, far net.Conn
	maimed    bool // bytes are missing
}

func newProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{listener: l, upstream: upstream, changed: make(chan struct{}), pairs: map[*pair]bool{}}
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.do(harm{})
		p.reset()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// do replaces the harm.
func (p *proxy) do(h harm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.harm = h
	close(p.changed)
	p.changed = make(chan struct{})
	for c := range p.pairs {
		if c.maimed && !h.swallow {
			c.reset()
		}
	}
}

// lead has new connections go elsewhere.
func (p *proxy) lead(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = upstream
}

// reset breaks every connection.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.reset()
	}
}

// reset ends both sides with RST, as a machine that forgot the connection does.
func (c *pair) reset() {
	for _, conn := range []net.Conn{c.near, c.far} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.connect(near)
	}
}

func (p *proxy) connect(near net.Conn) {
	h, upstream, _ := p.now()
	c := &pair{near: near, far: near}
	if h.refuse {
		c.reset()
		return
	}
	far, err := net.DialTimeout("tcp", upstream, time.Second)
	if err != nil {
		c.reset()
		return
	}
	c.far = far
	p.mu.Lock()
	p.pairs[c] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(c, far, near, true) })
	both.Go(func() { p.pump(c, near, far, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

func (p *proxy) now() (h harm, upstream string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.harm, p.upstream, p.changed
}

// pump passes on in one direction until the connection ends.
func (p *proxy) pump(c *pair, to io.Writer, from io.Reader, up bool) {
	defer func() { _, _ = c.near.Close(), c.far.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if p.pass(c, to, buffer[:n], up) != nil {
			return
		}
	}
}

// pass does the harm of the moment to one piece.
func (p *proxy) pass(c *pair, to io.Writer, piece []byte, up bool) error {
	for {
		h, _, changed := p.now()
		switch {
		case h.swallow:
			p.mu.Lock()
			c.maimed = true
			p.mu.Unlock()
			return nil
		case up && h.holdUp || !up && h.holdDown:
			<-changed
			continue
		case h.delay > 0:
			time.Sleep(rand.N(h.delay))
		}
		if h.slices {
			return slice(to, piece)
		}
		_, err := to.Write(piece)
		return err
	}
}

func slice(to io.Writer, piece []byte) error {
	for len(piece) > 0 {
		n := min(len(piece), 1+rand.IntN(200))
		if _, err := to.Write(piece[:n]); err != nil {
			return err
		}
		piece = piece[n:]
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}
