package server_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/server"
)

// remote is an adapter process run in this one.
type remote struct {
	t       *testing.T
	dir     string
	address string
	cancel  context.CancelFunc
	ended   chan error
}

// newRemote makes certificates under an authority that the CPM takes for its own.
func newRemote(t *testing.T, authority *pki.Authority) *remote {
	t.Helper()
	r := &remote{t: t, dir: t.TempDir(), address: cpmtest.Reserve(t)}
	leaf, err := authority.Issue(time.Now(), "ssm", "ssm.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.Write(r.dir, "ssm"); err != nil {
		t.Fatal(err)
	}
	if err := authority.Write(r.dir, "ca"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	return r
}

// start runs it, at the address it had before.
func (r *remote) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	r.cancel, r.ended = cancel, make(chan error, 1)
	ready := make(chan string, 1)
	ended := r.ended
	go func() {
		ended <- server.SSM(ctx, server.AdapterOptions{
			Name: "ssm2", Listen: r.address, Cores: []string{"localhost"}, Log: config.Default().Log, Out: io.Discard,
			TLS: config.TLS{
				Cert: filepath.Join(r.dir, "ssm.pem"), Key: filepath.Join(r.dir, "ssm.key"), ClientCA: filepath.Join(r.dir, "ca.pem"),
			},
			Ready: func(address string) { ready <- address },
		})
	}()
	select {
	case r.address = <-ready:
	case err := <-ended:
		r.t.Fatal(err)
	}
}

func (r *remote) stop() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	r.cancel = nil
}

// document routes everything to an adapter at the addresses.
func document(addresses ...string) core.Document {
	return core.Document{
		Adapters: []core.AdapterEntry{{
			Name: "ssm2", Kind: "ssm", Launch: "external", Identity: "ssm.example", Endpoints: addresses,
			Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify},
		}},
		Routes: []core.RouteEntry{{FSP: "*", Operation: "*", Adapter: "ssm2"}},
	}
}

func TestARemoteAdapterServesFailsOverAndComesBack(t *testing.T) {
	t.Parallel()
	authority, err := pki.NewAuthority(time.Now(), "test")
	if err != nil {
		t.Fatal(err)
	}
	one, two := newRemote(t, authority), newRemote(t, authority)
	one.start()
	two.start()
	c := withKey()
	c.Document, c.Authority = document(one.address, two.address), authority
	m := cpmtest.Start(t, c)
	client := m.HTTP(cpmtest.Client)
	wants := func(when string, want int) {
		t.Helper()
		if status, err := ask(t, m, client); err != nil || status != want {
			t.Errorf("%s: %d %v, want %d", when, status, err, want)
		}
	}
	wants("with both", http.StatusOK)
	one.stop()
	for range 20 {
		wants("with one gone", http.StatusOK)
	}
	two.stop()
	wants("with none", http.StatusServiceUnavailable)
	two.start()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, err := ask(t, m, client)
		if err == nil && status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the adapter that came back is not used: %d %v", status, err)
		}
	}
}
