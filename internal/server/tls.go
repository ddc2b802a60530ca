package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
)

// recheck is how often the TLS files are looked at.
const recheck = time.Second

// secondTry is how long a start waits before it reads files again that do not fit together: they may be about to change.
const secondTry = 100 * time.Millisecond

// identity is what the TLS files hold, read again when one of them changes. Files that cannot be used, such as a
// certificate without its key yet, leave what was before in place: new connections are judged by the files as they were
// last when they fitted together, and connections that are open are never touched.
type identity struct {
	files config.TLS
	now   func() time.Time
	heard hearing

	mu      sync.Mutex
	checked time.Time
	seen    []os.FileInfo
	// doubted says that the last look failed and was not reported: the next one may find the other half of a change.
	doubted bool
	current *tls.Config
	lists   *pki.Revocations
	lives   []pki.Life
}

// hearing is told what the files are found to be. Its functions must not use the identity.
type hearing struct {
	loaded  func([]pki.Life)
	broken  func(error)
	refused func(*x509.Certificate, error)
}

// newIdentity reads the files of a process and goes on looking at them; ctx is for the log. Loaded is told the dates each
// time the files are read; it may be nil.
func newIdentity(ctx context.Context, files config.TLS, now func() time.Time, log *slog.Logger, loaded func([]pki.Life)) (*identity, error) {
	i := &identity{files: files, now: now, heard: hearingIn(context.WithoutCancel(ctx), log)}
	if loaded != nil {
		i.heard.loaded = loaded
	}
	err := i.read()
	if err != nil {
		time.Sleep(secondTry)
		err = i.read()
	}
	if err != nil {
		return nil, fault.New(fault.State, "the TLS files cannot be used").Because(err)
	}
	return i, nil
}

// hearingIn writes what is heard into a log.
func hearingIn(ctx context.Context, log *slog.Logger) hearing {
	return hearing{
		loaded: func([]pki.Life) {},
		broken: func(err error) {
			log.LogAttrs(ctx, slog.LevelError, "changed TLS files cannot be used; the old ones stay", obs.Event("tls.reload-failed"), obs.Err(err))
		},
		refused: func(c *x509.Certificate, err error) {
			l := pki.LifeOf("", c)
			log.LogAttrs(ctx, slog.LevelWarn, "a certificate is refused", obs.Event("tls.certificate-refused"),
				obs.Subject(l.Subject), slog.String("serial", l.Serial), obs.Err(err))
		},
	}
}

// serverConfig asks for the files' state at each handshake. TLS 1.3 only, a client certificate of our authority is
// mandatory, and there are no session tickets, so that each connection is judged by the present authorities and lists.
func (i *identity) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		NextProtos:             []string{"h2", "http/1.1"},
		VerifyConnection:       i.verify,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return i.get(), nil
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &i.get().Certificates[0], nil
		},
	}
}

// verify refuses a peer, client or server, whose certificate is on a list of revoked ones, or of which no list that counts
// could say it is not (fail closed).
func (i *identity) verify(s tls.ConnectionState) error {
	i.get()
	i.mu.Lock()
	lists := i.lists
	i.mu.Unlock()
	if lists == nil {
		return nil
	}
	err := lists.Check(s.VerifiedChains, i.now())
	if err != nil && len(s.PeerCertificates) > 0 {
		i.heard.refused(s.PeerCertificates[0], err)
	}
	return err
}

// get looks at the files, if that is due, and gives what they hold.
func (i *identity) get() *tls.Config {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := i.now(); now.Sub(i.checked) >= recheck {
		i.checked = now
		i.follow()
	}
	return i.current
}

// follow reads changed files. What cannot be used is reported when it is found so twice: whoever replaces a pair cannot
// replace both files at one moment.
func (i *identity) follow() {
	changed := i.changed()
	if !changed && !i.doubted {
		return
	}
	err := i.load()
	if err != nil && !changed {
		i.heard.broken(err)
	}
	i.doubted = err != nil && changed
}

func (i *identity) read() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.checked = i.now()
	i.changed()
	return i.load()
}

// expiring gives the dates of everything in force.
func (i *identity) expiring() []pki.Life {
	i.get()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.lives
}

// notAfter is when the present certificate expires.
func (i *identity) notAfter() time.Time { return i.get().Certificates[0].Leaf.NotAfter }

// changed says whether a file is another one than at the last look, or has another content. Links are followed, as
// Kubernetes mounts have them.
func (i *identity) changed() bool {
	var present []os.FileInfo
	for _, name := range []string{i.files.Cert, i.files.Key, i.files.ClientCA, i.files.CRL} {
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		present = append(present, info)
	}
	changed := len(i.seen) != len(present)
	for n := range i.seen {
		changed = changed || !sameFile(i.seen[n], present[n])
	}
	i.seen = present
	return changed
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// load reads all files and takes them into force together, or none of them.
func (i *identity) load() error {
	m, lives, err := readTLS(i.files)
	if err != nil {
		return err
	}
	i.lists, i.lives = m.lists, lives
	i.current = &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{m.pair}, ClientCAs: newPool(m.bundle), VerifyConnection: i.verify,
	}
	i.heard.loaded(lives)
	return nil
}

// material is what the TLS files hold.
type material struct {
	pair   tls.Certificate
	bundle []*x509.Certificate
	lists  *pki.Revocations // nil without tls.crl
}

// readTLS reads all files; an error names the key of the configuration.
func readTLS(files config.TLS) (m material, lives []pki.Life, err error) {
	if m.pair, err = tls.LoadX509KeyPair(files.Cert, files.Key); err != nil {
		return m, nil, fmt.Errorf("tls.cert and tls.key: %w", err)
	}
	if m.bundle, err = pki.ReadBundle(files.ClientCA); err != nil {
		return m, nil, fmt.Errorf("tls.clientCA: %w", err)
	}
	if files.CRL != "" {
		if m.lists, err = pki.ReadRevocationsFile(files.CRL, m.bundle); err != nil {
			return m, nil, fmt.Errorf("tls.crl: %w", err)
		}
	}
	if lives, err = livesOf(m.pair, m.bundle, m.lists); err != nil {
		return m, nil, fmt.Errorf("tls.cert: %w", err)
	}
	return m, lives, nil
}

func newPool(bundle []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range bundle {
		p.AddCert(c)
	}
	return p
}

// livesOf lists the dates of everything the files hold.
func livesOf(pair tls.Certificate, bundle []*x509.Certificate, lists *pki.Revocations) ([]pki.Life, error) {
	var all []pki.Life
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		all = append(all, pki.LifeOf(pki.RoleOwn, c))
	}
	for _, c := range bundle {
		all = append(all, pki.LifeOf(pki.RoleAuthority, c))
	}
	return pki.ByEnd(append(all, lists.Lives()...)), nil
}
