// Package cpmtest starts a whole CPM in a test: the real server on loopback ports, an authority of its own, a database in
// a temporary directory. Tests reach it through its doors, as everybody else does.
package cpmtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/server"
	"github.com/mojaloop/cpm/internal/store"
)

// Client is the certificate name that may do everything for every FSP of the Config.
const Client = "switch.example"

// Config says what the CPM has. The zero value has the FSPs payerfsp and payeefsp, without keys.
type Config struct {
	// Document is applied before the start; an empty one is completed with an adapter, a route and grants for Client.
	Document core.Document
	// Keys are added after the start.
	Keys []keys.Addition
	// Tune changes the bootstrap configuration.
	Tune func(*config.Config)
	// Authority issues the certificates; nil makes one.
	Authority *pki.Authority
	// Now is the CPM's clock; nil is time.Now.
	Now func() time.Time
	// Database is where the CPM keeps everything; the zero value is a SQLite file of its own.
	Database store.Config
	// Beside is a CPM whose root key, authority and database this one shares. It needs no Document; what is stored counts.
	Beside *CPM
}

// CPM is a running one.
type CPM struct {
	// At is where it listens.
	At        server.Addresses
	Dir       string
	Config    *config.Config
	Authority *pki.Authority
	Admin     *command.Client

	t      testing.TB
	log    *log
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// Start starts a CPM and stops it when the test ends.
func Start(t testing.TB, c Config) *CPM {
	t.Helper()
	m := &CPM{t: t, Dir: t.TempDir(), log: &log{}}
	m.prepare(c)
	m.Configure(c)
	m.Run(c.Now)
	m.Admin = command.Dial(m.At.Socket)
	t.Cleanup(m.Admin.Close)
	for _, k := range c.Keys {
		m.AddKey(k, nil)
	}
	return m
}

// Configure stores the document of c, while the CPM does not run; beside another one it does nothing.
func (m *CPM) Configure(c Config) {
	m.t.Helper()
	if c.Beside != nil {
		return
	}
	document, err := json.Marshal(complete(c.Document))
	m.must(err)
	_, err = server.Apply(m.t.Context(), m.Config, document, "test")
	m.must(err)
}

func (m *CPM) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// prepare makes root key, certificates and configuration.
func (m *CPM) prepare(c Config) {
	m.t.Helper()
	cfg := config.Default()
	cfg.DataDir = m.Dir
	cfg.Listen.MojaloopHTTP, cfg.Listen.MojaloopGRPC, cfg.Listen.Probes = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Listen.Command, cfg.Listen.KeyUpdate = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Listen.Socket = filepath.Join(socketDir(m.t), "cpm.sock")
	cfg.TLS = config.TLS{
		Cert: filepath.Join(m.Dir, "server.pem"), Key: filepath.Join(m.Dir, "server.key"), ClientCA: filepath.Join(m.Dir, "ca.pem"),
	}
	cfg.DrainTimeout = 10 * time.Second
	cfg.RiskAcceptance = config.RiskAcceptance{By: "the test", Date: "2026-01-01", Text: "keys of this test protect nothing"}
	if c.Beside != nil {
		cfg.RootKey, cfg.Database, c.Authority = c.Beside.Config.RootKey, c.Beside.Config.Database, c.Beside.Authority
	}
	if c.Database != (store.Config{}) {
		cfg.Database = config.Database{Driver: c.Database.Driver, DSN: config.Secret(c.Database.DSN)}
	}
	cfg.Complete()
	if c.Tune != nil {
		c.Tune(&cfg)
	}
	m.must(cfg.Validate())
	m.Config = &cfg
	if c.Beside == nil {
		m.must(seal.CreateRootKeyFile(cfg.RootKey.File))
	}
	if m.Authority = c.Authority; m.Authority == nil {
		var err error
		m.Authority, err = pki.NewAuthority(time.Now(), "test authority")
		m.must(err)
	}
	leaf, err := m.Authority.Issue(time.Now(), "cpm", "localhost")
	m.must(err)
	m.must(m.Authority.Write(m.Dir, "ca"))
	m.must(leaf.Write(m.Dir, "server"))
}

// socketDir is a short path: a socket's may have about 100 bytes.
func socketDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "cpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// complete gives an empty document an adapter, a route, FSPs and grants.
func complete(d core.Document) core.Document {
	if d.FSPs == nil {
		d.FSPs = []core.FSPEntry{{Name: "payerfsp"}, {Name: "payeefsp"}}
	}
	if d.Adapters == nil {
		d.Adapters = []core.AdapterEntry{{Name: "ssm1", Kind: route.KindSSM, Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}}}
	}
	if d.Routes == nil {
		d.Routes = []core.RouteEntry{{FSP: route.Any, Operation: route.Any, Adapter: "ssm1", Timeout: core.Duration(30 * time.Second)}}
	}
	if d.Grants == nil {
		d.Grants = Grants(Client, d.FSPs)
	}
	return d
}

// Grants lets a certificate name do everything for the FSPs.
func Grants(name string, fsps []core.FSPEntry) []core.GrantEntry {
	who := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: name}.String()
	grants := []core.GrantEntry{{Principal: who, FSP: route.Any, Operations: []string{route.Any}}}
	for _, f := range fsps {
		grants = append(grants, core.GrantEntry{Principal: who, FSP: f.Name, Operations: []string{string(cpm.JWSSign)}})
	}
	return grants
}

// Run starts the server again on the same data, after Stop.
func (m *CPM) Run(now func() time.Time) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.t.Context()))
	m.cancel, m.ended = cancel, make(chan struct{})
	ready := make(chan server.Addresses, 1)
	go func() {
		defer close(m.ended)
		m.err = server.Run(ctx, m.Config, server.Options{Version: "test", Out: m.log, Ready: func(a server.Addresses) { ready <- a }, Now: now})
	}()
	m.t.Cleanup(func() { _ = m.Stop() })
	select {
	case m.At = <-ready:
	case <-m.ended:
		m.t.Fatalf("the CPM did not start: %v\n%s", m.err, m.log.text())
	}
}

// Stop ends the CPM as SIGTERM would and gives the error of its run.
func (m *CPM) Stop() error {
	m.cancel()
	<-m.ended
	return m.err
}

// Log is everything logged so far.
func (m *CPM) Log() string { return m.log.text() }

// AddKey adds a key through the administration socket; private is PEM text or nil.
func (m *CPM) AddKey(k keys.Addition, private []byte) {
	m.t.Helper()
	document, err := json.Marshal(k)
	m.must(err)
	change := core.Change{Action: "key.add", Target: string(k.FSP) + "/" + k.Name, Document: document}
	if private != nil {
		change.Secret = secret.Take(bytes.Clone(private))
	}
	m.Change(change)
}

// Change makes an administrative change.
func (m *CPM) Change(change core.Change) {
	m.t.Helper()
	if change.RequestID == "" {
		change.RequestID = obs.NewRequestID()
	}
	_, err := m.Admin.Apply(m.t.Context(), change)
	m.must(err)
}

// TLS is a client's configuration with a certificate for the name; without a name it has none.
func (m *CPM) TLS(name string) *tls.Config {
	m.t.Helper()
	c := &tls.Config{RootCAs: m.Authority.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS13}
	if name != "" {
		leaf, err := m.Authority.Issue(time.Now(), "client", name)
		m.must(err)
		c.Certificates = []tls.Certificate{leaf.TLS()}
	}
	return c
}

// HTTP is a client with a certificate for the name.
func (m *CPM) HTTP(name string) *http.Client {
	m.t.Helper()
	transport := &http.Transport{TLSClientConfig: m.TLS(name), MaxIdleConnsPerHost: 64}
	m.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// URL is an address of the JSON port.
func (m *CPM) URL(path string) string { return "https://" + m.At.HTTP + path }

// log keeps what is written, for the test to read.
type log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write keeps p.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
