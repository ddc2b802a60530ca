package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/config"
)

// recheck is how often the files of the certificates are looked at.
const recheck = time.Second

// identity is what the TLS files hold, read again when one of them changes. A pair that cannot be read, such as one half
// written, leaves the one before it in place.
type identity struct {
	files config.TLS
	now   func() time.Time
	heard listener

	mu      sync.Mutex
	checked time.Time
	stamp   string
	current *tls.Config
	leaf    *x509.Certificate
}

// listener hears of every reading of the files.
type listener struct {
	loaded func(notAfter time.Time)
	broken func(error)
}

// newIdentity reads the files and goes on looking at them.
func newIdentity(files config.TLS, now func() time.Time, l listener) (*identity, error) {
	i := &identity{files: files, now: now, heard: l}
	if err := i.read(); err != nil {
		return nil, err
	}
	return i, nil
}

// serverConfig asks for the files' state at each handshake. TLS 1.3 only, a client certificate of our authority is
// mandatory, and there are no session tickets, so that each connection is judged by the present authorities.
func (i *identity) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		NextProtos:             []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return i.get(), nil
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &i.get().Certificates[0], nil
		},
	}
}

func (i *identity) get() *tls.Config {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := i.now(); now.Sub(i.checked) >= recheck {
		i.checked = now
		if i.changed() {
			if err := i.load(); err != nil {
				i.heard.broken(err)
			}
		}
	}
	return i.current
}

// notAfter is when the present certificate expires.
func (i *identity) notAfter() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.leaf.NotAfter
}

func (i *identity) read() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.checked = i.now()
	i.changed()
	return i.load()
}

// changed says whether a file is another one than at the last look.
func (i *identity) changed() bool {
	stamp := ""
	for _, name := range []string{i.files.Cert, i.files.Key, i.files.ClientCA} {
		if info, err := os.Stat(name); err == nil {
			stamp += fmt.Sprintf("%s %d %d\n", name, info.ModTime().UnixNano(), info.Size())
		}
	}
	changed := stamp != i.stamp
	i.stamp = stamp
	return changed
}

func (i *identity) load() error {
	pair, err := tls.LoadX509KeyPair(i.files.Cert, i.files.Key)
	if err != nil {
		return fmt.Errorf("tls.cert and tls.key: %w", err)
	}
	authorities, err := pool(i.files.ClientCA)
	if err != nil {
		return fmt.Errorf("tls.clientCA: %w", err)
	}
	i.leaf = pair.Leaf
	i.current = &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}, ClientCAs: authorities,
	}
	i.heard.loaded(pair.Leaf.NotAfter)
	return nil
}

func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, errors.New("the file has no certificate")
	}
	return p, nil
}
