package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/server"
	"github.com/mojaloop/cpm/internal/spec"
)

// again runs a stopped CPM with a changed configuration, which must fail, and gives log and error.
func again(t *testing.T, m *cpmtest.CPM, change func(*config.Config)) (text string, failed error) {
	t.Helper()
	c := *m.Config
	change(&c)
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := server.Run(ctx, &c, server.Options{Version: "test", Out: &log, Ready: func(server.Addresses) {
		t.Error("became Active")
		cancel()
	}})
	return log.String(), err
}

func TestWhatKeepsItFromStarting(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	other := filepath.Join(t.TempDir(), "other.key")
	if err := seal.CreateRootKeyFile(other); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
		event  string
	}{
		"nobody accepted the risk": {func(c *config.Config) { c.RiskAcceptance = config.RiskAcceptance{} }, "riskAcceptance", "selfcheck.security-adapter"},
		"the port is taken":        {func(c *config.Config) { c.Listen.MojaloopHTTP = taken.Addr().String() }, "listen.mojaloopHTTP", "selfcheck.mojaloop-port"},
		"no port at all":           {func(c *config.Config) { c.Listen.MojaloopHTTP, c.Listen.MojaloopGRPC = "", "" }, "no Mojaloop port", "selfcheck.mojaloop-port"},
		"another root key":         {func(c *config.Config) { c.RootKey.File = other }, "root key", "selfcheck.database"},
		"no certificate":           {func(c *config.Config) { c.TLS.Cert = filepath.Join(empty, "none.pem") }, "TLS files", "selfcheck.certificates"},
		"no adapter": {func(c *config.Config) {
			c.DataDir, c.Database.DSN = empty, config.Secret(filepath.Join(empty, "cpm.db"))
		}, "cpm apply", "selfcheck.security-adapter"},
		"no directory": {func(c *config.Config) { c.DataDir = filepath.Join(empty, "none") }, "data directory", "selfcheck.database"},
	} {
		log, err := again(t, m, c.change)
		if err == nil || !strings.Contains(fault.From(err).Public, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(log, c.event) || !strings.Contains(log, "cpm.start-failed") {
			t.Errorf("%s: the log does not say so: %s", name, log)
		}
	}
	spec.Covers(t, "OV-2", "CFG-checks", "CFG-log", "SEC-min", "PORT-mojaloop-required")
}

func TestOneProcessWorksOnADirectory(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	_, err := again(t, m, func(*config.Config) {})
	if !errors.Is(err, fault.State) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := server.Apply(t.Context(), m.Config, []byte(`{}`), "test"); !errors.Is(err, fault.State) {
		t.Errorf("an offline change beside a running one: %v", err)
	}
}

func TestOfflineApplyRefusesAWrongDocument(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(core.Document{Routes: []core.RouteEntry{{FSP: "nobody", Operation: "*", Adapter: "ssm1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Apply(t.Context(), m.Config, document, "test"); !errors.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

// ask signs a small message and gives the HTTP status.
func ask(t *testing.T, m *cpmtest.CPM, client *http.Client) (int, error) {
	t.Helper()
	body := `{"method":"POST","uri":"/quotes","headers":{"fspiop-source":"payerfsp"},"body":"{}"}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL("/v1/fsps/payerfsp/jws/sign"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func withKey() cpmtest.Config {
	return cpmtest.Config{Keys: []keys.Addition{{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"}}}
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, withKey())
	old := m.HTTP(cpmtest.Client)
	if status, err := ask(t, m, old); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	// Half-written files leave the old ones in place.
	if err := os.WriteFile(m.Config.TLS.Cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the files are looked at once a second, and what is broken twice is reported
		time.Sleep(1100 * time.Millisecond)
		if status, err := ask(t, m, m.HTTP(cpmtest.Client)); err != nil || status != http.StatusOK {
			t.Errorf("with a broken file: %d %v", status, err)
		}
	}
	if !strings.Contains(m.Log(), "tls.reload-failed") {
		t.Error("the broken file is not logged")
	}
	authority, err := pki.NewAuthority(time.Now(), "a new authority")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Issue(time.Now(), "cpm", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(authority.Write(m.Dir, "ca"), leaf.Write(m.Dir, "server")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if status, err := ask(t, m, old); err != nil || status != http.StatusOK {
		t.Errorf("an open connection was dropped: %d %v", status, err)
	}
	if _, err := ask(t, m, m.HTTP(cpmtest.Client)); err == nil {
		t.Error("a certificate of the old authority is still accepted")
	}
	m.Authority = authority
	if status, err := ask(t, m, m.HTTP(cpmtest.Client)); err != nil || status != http.StatusOK {
		t.Errorf("under the new authority: %d %v", status, err)
	}
}

func TestProbesAndMetrics(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, withKey())
	if status, err := ask(t, m, m.HTTP(cpmtest.Client)); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/startupz": "ok", "/health": `"status":"OK"`,
		"/metrics": `cpm_operations_total{adapter="ssm1",operation="jws.sign",result="success"} 1`,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.At.Probes+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %v %s", path, response.StatusCode, err, text)
		}
	}
	for _, event := range []string{
		"selfcheck.known-answers", "selfcheck.certificates", "selfcheck.database", "selfcheck.keys", "selfcheck.security-adapter",
		"selfcheck.mojaloop-port", "cpm.risk-accepted", "cpm.active",
	} {
		if strings.Count(m.Log(), `"event":"`+event+`"`) != 1 {
			t.Errorf("%s is not logged once", event)
		}
	}
	spec.Covers(t, "OV-2", "CFG-3", "CFG-checks", "CFG-log", "PORT-mojaloop", "READY-1", "READY-2")
}

// A port that nobody answers must not keep the CPM from starting, serving and ending.
func TestEventsThatCannotBeForwardedHoldNothingUp(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := taken.Addr().String()
	_ = taken.Close()
	c := *m.Config
	c.Events.Kafka = nobody
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	active := false
	if err := server.Run(ctx, &c, server.Options{Version: "test", Out: &log, Ready: func(server.Addresses) { active = true; cancel() }}); err != nil {
		t.Error(err)
	}
	if text := log.String(); !active || !strings.Contains(text, "cpm.stopped") || !strings.Contains(text, "events.dropped") {
		t.Errorf("active %v: %s", active, text)
	}
}
