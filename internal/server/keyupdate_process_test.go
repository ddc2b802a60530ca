package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keyupdate"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/server"
	"github.com/mojaloop/cpm/internal/spec"
)

// updateCore is a core's key update port over real TLS, which does what the test says.
type updateCore struct {
	address  string
	attached chan cpm.Service
	answer   func() ([]byte, error)
	detached chan struct{}
	close    func()
}

func startUpdateCore(t *testing.T, ca *pki.Authority, address string) *updateCore {
	t.Helper()
	leaf, err := ca.Issue(time.Now(), "core", "core.example")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := &updateCore{address: l.Addr().String(), attached: make(chan cpm.Service, 9), detached: make(chan struct{}, 9)}
	c.answer = func() ([]byte, error) {
		return proto.Marshal(&cpmv1.KeyUpdateReply{Result: "success", Fsp: "payerfsp", Name: "sig", Version: 1})
	}
	port := adapter.NewPort(adapter.PortConfig{
		Type: "keyupdate", Logger: slog.New(slog.DiscardHandler),
		Attach: func(_ context.Context, name string, identities []string, s cpm.Service) (*adapter.Attachment, error) {
			if name != "ku1" || len(identities) != 1 || identities[0] != "ku1.example" {
				t.Errorf("attached as %s with %v", name, identities)
			}
			c.attached <- s
			return &adapter.Attachment{Settings: []byte(`{"burst":50}`), Revision: 7, Detach: func() { c.detached <- struct{}{} }}, nil
		},
		Handle: func(context.Context, string, cpm.Operation, string, []byte) ([]byte, error) { return c.answer() },
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = port.Serve(ctx, l, &tls.Config{
			Certificates: []tls.Certificate{leaf.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS13,
		})
	}()
	c.close = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(c.close)
	return c
}

// running is a Key Update adapter that runs in this process, as its command would.
type running struct {
	url    string
	log    *lines
	end    context.CancelFunc
	ended  chan error
	client *http.Client
}

// lines keeps the log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(event string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), `"event":"`+event+`"`)
}

func startKeyUpdate(t *testing.T, ca *pki.Authority, serverOnly bool, cores ...string) *running {
	t.Helper()
	dir := t.TempDir()
	leaf, err := ca.Issue(time.Now(), "ku1", "ku1.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{leaf.Write(dir, "ku1"), ca.Write(dir, "ca")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	files := config.TLS{Cert: filepath.Join(dir, "ku1.pem"), Key: filepath.Join(dir, "ku1.key"), ClientCA: filepath.Join(dir, "ca.pem")}
	r := &running{log: &lines{}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.end = cancel
	ready := make(chan string, 1)
	go func() {
		r.ended <- server.KeyUpdate(ctx, server.KeyUpdateOptions{
			Name: "ku1", Listen: "127.0.0.1:0", Cores: cores, CoreName: "core.example", TLS: files, Door: files, ServerOnly: serverOnly,
			Log: config.Default().Log, Version: "test", Out: r.log, Ready: func(address string) { ready <- address },
		})
	}()
	t.Cleanup(cancel)
	select {
	case address := <-ready:
		r.url = "https://" + address + keyupdate.PathUpdates
	case err := <-r.ended:
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: ca.Pool(), ServerName: "ku1.example", MinVersion: tls.VersionTLS13}
	if !serverOnly {
		client, err := ca.Issue(time.Now(), "payerfsp", "payerfsp.example")
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{client.TLS()}
	}
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	return r
}

// send sends an update and gives the status of its answer.
func (r *running) send(t *testing.T) (status int, body string) {
	t.Helper()
	e := base64.RawURLEncoding.EncodeToString
	update := e([]byte(`{"alg":"ES256"}`)) + "." + e([]byte(`{"action":"Add"}`)) + "." + e([]byte("x"))
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(update))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/jose")
	answer, err := r.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func authority(t *testing.T) *pki.Authority {
	t.Helper()
	ca, err := pki.NewAuthority(time.Now(), "test authority")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestAKeyUpdateAdapterLivesAsItsCoreSays(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	core := startUpdateCore(t, ca, "127.0.0.1:0")
	r := startKeyUpdate(t, ca, false, core.address)
	service := <-core.attached
	eventually(t, "it is Active", func() bool { return r.log.has("adapter.active") })
	spec.Covers(t, "KUA-start-1", "KUA-start-2", "KUA-up-1", "KUA-up-2", "KUA-up-active", "KUA-up-log")

	if status, body := r.send(t); status != http.StatusOK || !strings.Contains(body, `"name":"sig","version":1`) {
		t.Errorf("%d %s", status, body)
	}
	status, err := service.Status(t.Context())
	if err != nil || status.State != cpm.Active || status.Counts["Add"] != (cpm.Outcomes{Success: 1}) {
		t.Errorf("%+v %v", status, err)
	}
	if err := service.Configure(t.Context(), []byte(`{"burst":60}`), 8); err != nil || !r.log.has("adapter.configured") {
		t.Error(err)
	}
	if err := service.Configure(t.Context(), []byte(`{"nonsense":60}`), 9); err == nil || !r.log.has("adapter.config-refused") {
		t.Error("nonsense is taken for a configuration")
	}

	held, let := make(chan struct{}), make(chan struct{})
	answer := core.answer
	core.answer = func() ([]byte, error) {
		close(held)
		<-let
		return answer()
	}
	accepted := make(chan int, 1)
	go func() {
		status, _ := r.send(t)
		accepted <- status
	}()
	<-held
	drained := make(chan error, 1)
	go func() { drained <- service.Shutdown(t.Context()) }()
	eventually(t, "it shuts down", func() bool { return r.log.has("adapter.shutting-down") })
	if status, body := r.send(t); status != http.StatusServiceUnavailable || !strings.Contains(body, "shutting down") || !r.log.has("keyupdate.declined") {
		t.Errorf("while shutting down: %d %s", status, body)
	}
	close(let)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if status := <-accepted; status != http.StatusOK {
		t.Errorf("the accepted update is answered with %d", status)
	}
	if err := <-r.ended; err != nil || !r.log.has("adapter.inactive") || !r.log.has("adapter.stopped") {
		t.Errorf("ended with %v", err)
	}
	<-core.detached
	spec.Covers(t, "KUA-1", "KUA-2", "KUA-3", "KUA-6", "KUA-7", "KUA-8", "KUA-down-1", "KUA-down-2a", "KUA-down-3", "KUA-down-decline",
		"KUA-down-then-1", "KUA-down-then-2", "KUA-down-then-3", "KUA-down-then-4", "KUA-down-then-5")
}

func TestAKeyUpdateAdapterWithoutItsCoreSaysSo(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	core := startUpdateCore(t, ca, cpmtest.Reserve(t))
	address := core.address
	core.close()
	r := startKeyUpdate(t, ca, true, address)
	if status, body := r.send(t); status != http.StatusServiceUnavailable || !strings.Contains(body, "starting") {
		t.Errorf("before the first link: %d %s", status, body)
	}
	core = startUpdateCore(t, ca, address)
	eventually(t, "it is Active", func() bool { return r.log.has("adapter.active") })
	if status, body := r.send(t); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	core.close()
	eventually(t, "no link", func() bool {
		status, body := r.send(t)
		return status == http.StatusServiceUnavailable && strings.Contains(body, "no link to a CPM")
	})
	_ = startUpdateCore(t, ca, address)
	eventually(t, "it is back", func() bool {
		status, _ := r.send(t)
		return status == http.StatusOK
	})
	r.end()
	if err := <-r.ended; err != nil || !r.log.has("adapter.inactive") {
		t.Error(err)
	}
}

func TestWithTwoCoresOneMayGo(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	one, two := startUpdateCore(t, ca, "127.0.0.1:0"), startUpdateCore(t, ca, "127.0.0.1:0")
	r := startKeyUpdate(t, ca, false, one.address, two.address)
	first, second := <-one.attached, <-two.attached
	eventually(t, "both links are up", func() bool {
		status, _ := r.send(t)
		return status == http.StatusOK
	})
	if err := first.Shutdown(t.Context()); err != nil || !r.log.has("adapter.core-left") {
		t.Fatal(err)
	}
	if status, body := r.send(t); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	one.close()
	if status, body := r.send(t); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestAKeyUpdateAdapterThatCannotRun(t *testing.T) {
	t.Parallel()
	var log lines
	err := server.KeyUpdate(t.Context(), server.KeyUpdateOptions{Name: "ku1", Log: config.Default().Log, Out: &log})
	if err == nil || !log.has("adapter.failed") {
		t.Error(err)
	}
}
