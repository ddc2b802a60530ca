package cluster

import (
	"encoding/json"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/store/storetest"
)

// proxy is a line to a database server that a test can cut.
type proxy struct {
	t        *testing.T
	server   *storetest.Server
	listener net.Listener

	mu     sync.Mutex
	lines  map[net.Conn]bool
	away   bool // new connections are closed
	cut    *cutting
	pulled bool
	// commit finds a commit in what is said, and not "read committed".
	commit *regexp.Regexp
}

// cutting says how a line is cut when a commit goes over it.
type cutting struct {
	// stored lets the commit through, and keeps the answer back.
	stored bool
	// away keeps new connections from coming about afterwards.
	away bool
}

func newProxy(t *testing.T, s *storetest.Server) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{t: t, server: s, listener: l, lines: map[net.Conn]bool{}, commit: regexp.MustCompile(`(?i)\bcommit\b`)}
	go p.accept()
	t.Cleanup(func() { _ = l.Close(); p.down() })
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// cutAtCommit cuts the line that the next commit goes over.
func (p *proxy) cutAtCommit(c cutting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.pulled = &c, false
}

func (p *proxy) hasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pulled
}

// down cuts every line and lets no new one come about.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for c := range p.lines {
		_ = c.Close()
	}
}

func (p *proxy) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.join(c)
	}
}

// join passes on what is said in both directions.
func (p *proxy) join(client net.Conn) {
	defer func() { _ = client.Close() }()
	p.mu.Lock()
	away := p.away
	p.mu.Unlock()
	if away {
		return
	}
	server, err := p.server.Dial(p.t.Context())
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	p.keep(client, true)
	defer p.keep(client, false)
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		_, _ = io.Copy(client, server) // ends at the first answer that nobody takes
		_ = client.Close()
	}()
	p.forward(client, server, answers)
}

func (p *proxy) keep(c net.Conn, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if is {
		p.lines[c] = true
	} else {
		delete(p.lines, c)
	}
}

// forward passes on what the client says, up to the commit that is to be cut.
func (p *proxy) forward(client, server net.Conn, answers <-chan struct{}) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := client.Read(chunk)
		if err != nil {
			return
		}
		if c := p.pull(chunk[:n]); c != nil {
			if c.away {
				p.down() // before anything can be asked
			}
			_ = client.Close()
			if c.stored {
				_, _ = server.Write(chunk[:n])
				<-answers // it is stored
			}
			return
		}
		if _, err := server.Write(chunk[:n]); err != nil {
			return
		}
	}
}

// pull says whether the line is cut here.
func (p *proxy) pull(said []byte) *cutting {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cut
	if c == nil || !p.commit.Match(said) {
		return nil
	}
	p.cut, p.pulled = nil, true
	return c
}

// settings are those of a document.
func settings(text string) (all map[string]json.RawMessage) {
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		panic(err) // a mistake in the test
	}
	return all
}
