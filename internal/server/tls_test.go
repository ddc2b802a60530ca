package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
)

// fleet is an authority with files of a server and of clients.
type fleet struct {
	t     *testing.T
	dir   string
	clock time.Time
	log   buffer
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: filepath.Join(t.TempDir(), "ca"), clock: time.Now()}
	if _, err := pki.Init(f.dir, "test authority", f.clock, pki.DefaultAuthorityLifetime); err != nil {
		t.Fatal(err)
	}
	f.do(func(d *pki.Directory) error {
		for _, service := range []string{"server", "good", "bad"} {
			o := pki.Order{Service: service, DNS: []string{service + ".example"}, Usage: pki.UsageBoth, Lifetime: pki.DefaultLifetime}
			if _, err := d.Issue(f.clock, o); err != nil {
				return err
			}
		}
		return nil
	})
	return f
}

func (f *fleet) do(work func(*pki.Directory) error) {
	f.t.Helper()
	d, err := pki.Open(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	defer d.Close()
	if err := work(d); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) file(name string) string { return filepath.Join(f.dir, name) }

func (f *fleet) files(service string) config.TLS {
	return config.TLS{Cert: f.file(service + ".pem"), Key: f.file(service + ".key"), ClientCA: f.file("ca.pem"), CRL: f.file("crl.pem")}
}

func (f *fleet) identity(service string) *identity {
	f.t.Helper()
	i, err := newIdentity(f.t.Context(), f.files(service), func() time.Time { return f.clock }, f.logger(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return i
}

func (f *fleet) logger() *slog.Logger { return obs.NewLogger(&f.log, "json", slog.LevelInfo) }

// pass lets so much time go by that the files are looked at again.
func (f *fleet) pass() { f.clock = f.clock.Add(2 * recheck) }

// client is the configuration of a caller that does not look at lists itself.
func (f *fleet) client(service string) *tls.Config {
	f.t.Helper()
	pair, err := tls.LoadX509KeyPair(f.file(service+".pem"), f.file(service+".key"))
	if err != nil {
		f.t.Fatal(err)
	}
	bundle, err := pki.ReadBundle(f.file("ca.pem"))
	if err != nil {
		f.t.Fatal(err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "server.example", Certificates: []tls.Certificate{pair}, RootCAs: newPool(bundle)}
	c.Time = func() time.Time { return f.clock }
	return c
}

// conversation is a connection that is open; say asks for an echo over it.
type conversation struct {
	client, server *tls.Conn
	t              *testing.T
}

// converse connects both ends; an error is that of the end that refused.
func converse(t *testing.T, server, client *tls.Config) (*conversation, error) {
	t.Helper()
	near, far := net.Pipe()
	c := &conversation{client: tls.Client(near, client), server: tls.Server(far, server), t: t}
	shaken := make(chan error, 1)
	go func() {
		err := c.server.HandshakeContext(t.Context())
		if err == nil {
			_, err = c.server.Write([]byte{'\n'})
		}
		if err != nil {
			_ = far.Close()
		}
		shaken <- err
	}()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	err := c.client.HandshakeContext(t.Context())
	if err == nil {
		_, err = io.ReadFull(c.client, make([]byte, 1)) // with TLS 1.3 a client hears of its refusal with the first byte only
	}
	if err != nil {
		_ = near.Close()
	}
	return c, errors.Join(<-shaken, err)
}

func (c *conversation) lives() bool {
	c.t.Helper()
	go func() { _, _ = c.server.Write([]byte("still here\n")) }()
	line, err := bufio.NewReader(c.client).ReadString('\n')
	return err == nil && line == "still here\n"
}

func TestARevokedClientIsRefusedAtTheNextHandshakeAndOpenConnectionsStay(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	i := f.identity("server")
	before, err := converse(t, i.serverConfig(), f.client("bad"))
	if err != nil {
		t.Fatal(err)
	}
	f.do(func(d *pki.Directory) error {
		_, err := d.Revoke(f.clock, "bad", "", "keyCompromise")
		if err == nil {
			_, err = d.Publish(f.clock, pki.DefaultListLifetime)
		}
		return err
	})
	f.pass()
	if _, err := converse(t, i.serverConfig(), f.client("bad")); !errors.Is(err, pki.ErrRevoked) {
		t.Errorf("the revoked client: %v", err)
	}
	if _, err := converse(t, i.serverConfig(), f.client("good")); err != nil {
		t.Errorf("the good client: %v", err)
	}
	if !before.lives() {
		t.Error("a connection that was open is gone")
	}
	if log := f.log.String(); strings.Count(log, `"event":"tls.certificate-refused","subject":"bad"`) != 1 {
		t.Error(log)
	}
}

func TestALinkRefusesAnAdapterWhoseCertificateIsRevoked(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	core, adapter := f.identity("good"), f.identity("server")
	if _, err := converse(t, adapter.serverConfig(), dialling(t, core)); err != nil {
		t.Fatal(err)
	}
	f.do(func(d *pki.Directory) error {
		_, err := d.Revoke(f.clock, "server", "", "superseded")
		if err == nil {
			_, err = d.Publish(f.clock, pki.DefaultListLifetime)
		}
		return err
	})
	f.pass()
	if _, err := converse(t, adapter.serverConfig(), dialling(t, core)); !errors.Is(err, pki.ErrRevoked) {
		t.Error(err)
	}
}

// dialling is what the core dials an adapter with.
func dialling(t *testing.T, i *identity) *tls.Config {
	t.Helper()
	c, err := i.clientConfig("server.example")()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnExpiredListClosesThePortUntilThereIsANewOne(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	i := f.identity("server")
	f.clock = f.clock.Add(pki.DefaultListLifetime + time.Hour)
	if _, err := converse(t, i.serverConfig(), f.client("good")); !errors.Is(err, pki.ErrListExpired) {
		t.Error(err)
	}
	f.do(func(d *pki.Directory) error {
		_, err := d.Publish(f.clock, pki.DefaultListLifetime)
		return err
	})
	f.pass()
	if _, err := converse(t, i.serverConfig(), f.client("good")); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeUsedLeavesTheFilesBeforeInForceAndIsReportedOnce(t *testing.T) {
	t.Parallel()
	stranger := newFleet(t)
	for name, damage := range map[string]func(*fleet) error{
		"another's key":           func(f *fleet) error { return copyFile(stranger.file("server.key"), f.file("server.key")) },
		"no key":                  func(f *fleet) error { return os.Remove(f.file("server.key")) },
		"an empty bundle":         func(f *fleet) error { return os.WriteFile(f.file("ca.pem"), nil, 0o600) },
		"a list of others":        func(f *fleet) error { return copyFile(stranger.file("crl.pem"), f.file("crl.pem")) },
		"no list":                 func(f *fleet) error { return os.Remove(f.file("crl.pem")) },
		"something else":          func(f *fleet) error { return os.WriteFile(f.file("crl.pem"), []byte("none revoked"), 0o600) },
		"a bundle of others":      func(f *fleet) error { return copyFile(stranger.file("ca.pem"), f.file("ca.pem")) },
		"a certificate of others": func(f *fleet) error { return copyFile(stranger.file("server.pem"), f.file("server.pem")) },
	} {
		f := newFleet(t)
		good := f.client("good")
		i := f.identity("server")
		if err := damage(f); err != nil {
			t.Fatal(err)
		}
		for look := range 4 {
			f.pass()
			if _, err := converse(t, i.serverConfig(), good); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// The first look may have met one half of a change.
			if n := strings.Count(f.log.String(), `"event":"tls.reload-failed"`); n != min(look, 1) {
				t.Errorf("%s: reported %d times at look %d", name, n, look)
			}
		}
		_, err := newIdentity(t.Context(), f.files("server"), time.Now, f.logger(), nil)
		if err == nil {
			t.Errorf("%s: a process starts with it", name)
		}
	}
}

func TestRenewedFilesAreUsedForTheNextConnection(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	i := f.identity("server")
	before, err := converse(t, i.serverConfig(), f.client("good"))
	if err != nil {
		t.Fatal(err)
	}
	f.do(func(d *pki.Directory) error {
		_, err := d.Renew(f.clock, "server", pki.DefaultLifetime, "")
		return err
	})
	f.pass()
	after, err := converse(t, i.serverConfig(), f.client("good"))
	if err != nil {
		t.Fatal(err)
	}
	old, renewed := before.client.ConnectionState().PeerCertificates[0], after.client.ConnectionState().PeerCertificates[0]
	if old.SerialNumber.Cmp(renewed.SerialNumber) == 0 {
		t.Error("the old certificate is shown")
	}
	if !before.lives() {
		t.Error("a connection that was open is gone")
	}
	if f.log.String() != "" {
		t.Error(f.log.String())
	}
}

func TestExpiryIsSaidAtOnceAndDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.do(func(d *pki.Directory) error { // so that only certificates are spoken of
			_, err := d.Publish(time.Now(), 366*24*time.Hour)
			return err
		})
		i, err := newIdentity(t.Context(), f.files("server"), time.Now, f.logger(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go i.watch(ctx, f.logger())
		for _, want := range []struct {
			day, soon, critical, expired int
		}{{59, 0, 0, 0}, {60, 1, 0, 0}, {61, 2, 0, 0}, {82, 23, 0, 0}, {83, 23, 1, 0}, {89, 23, 7, 0}, {90, 23, 7, 1}, {92, 23, 7, 3}} {
			time.Sleep(time.Until(f.clock.Add(time.Duration(want.day)*24*time.Hour + time.Hour)))
			synctest.Wait()
			log := f.log.String()
			soon := strings.Count(log, `"level":"warn","msg":"a certificate or list expires soon","role":"own","subject":"server"`)
			critical := strings.Count(log, `"level":"error","msg":"a certificate or list expires within days"`)
			expired := strings.Count(log, `"event":"tls.expired"`)
			if soon != want.soon || critical != want.critical || expired != want.expired {
				t.Errorf("day %d: %d warnings, %d errors, %d expired; want %+v", want.day, soon, critical, expired, want)
			}
		}
		// A certificate for a short time is spoken of when it is read, without waiting for the day to end.
		f.do(func(d *pki.Directory) error {
			_, err := d.Renew(time.Now(), "server", 24*time.Hour, "")
			return err
		})
		time.Sleep(17 * time.Hour)
		synctest.Wait()
		said := f.log.String()
		cancel()
		synctest.Wait()
		if !strings.HasSuffix(strings.TrimSpace(said), `"daysLeft":0,"event":"tls.expires-soon"}`) {
			t.Error(said)
		}
	})
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}
