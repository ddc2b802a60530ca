package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/route"
)

// buildPrevious builds the program with the link version before this one.
func buildPrevious(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cpm-previous")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "cpm_link_previous", "-o", name, "github.com/mojaloop/cpm/cmd/cpm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return name
}

// TestLinksRollFromVersionToVersion replaces the processes of an adapter, one endpoint after the other, by those of the
// next build and back, under load: nothing is declined, whichever build the core is.
func TestLinksRollFromVersionToVersion(t *testing.T) {
	previous := buildPrevious(t)
	for name, c := range map[string]struct {
		core    string
		version string // of a link to an adapter of the present build
	}{
		"the core is this build":         {binary, "2"},
		"the core is the previous build": {previous, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			addresses := []string{cpmtest.Reserve(t), cpmtest.Reserve(t)}
			m := install(t, cpmtest.Config{Document: core.Document{
				Adapters: []core.AdapterEntry{{
					Name: "ssm2", Kind: route.KindSSM, Launch: route.LaunchExternal, Identity: "localhost", Endpoints: addresses,
					Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify},
				}},
				Routes: []core.RouteEntry{{FSP: route.Any, Operation: route.Any, Adapter: "ssm2", Timeout: core.Duration(30 * time.Second)}},
			}})
			endpoints := []*adapterProcess{startAdapter(t, m, previous, addresses[0]), startAdapter(t, m, previous, addresses[1])}
			p := launchBuild(t, m, c.core)
			p.AddKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"}, nil)
			p.linked(t, addresses, "1", 2)
			stop, answered, declined := p.sign(t, 8)
			for _, build := range []string{binary, previous} {
				for i := range endpoints {
					before := answered.Load()
					endpoints[i].end(t)
					endpoints[i] = startAdapter(t, m, build, addresses[i])
					p.linked(t, addresses, c.version, 0)
					eventually(t, "requests go on", func() error {
						if n := answered.Load(); n < before+100 {
							return fmt.Errorf("%d", n-before)
						}
						return nil
					})
				}
			}
			stop()
			t.Logf("%d answered", answered.Load())
			if len(declined()) > 0 {
				t.Errorf("declined: %v", declined())
			}
			if n := strings.Count(p.log.text(), `"version":`+c.version+`}`); n < 2 {
				t.Errorf("%d links of version %s\n%s", n, c.version, p.log.tail())
			}
			p.terminate()
			p.end()
		})
	}
}

// linked waits until every endpoint is up, and for n links of a version.
func (p *process) linked(t *testing.T, addresses []string, version string, n int) {
	t.Helper()
	eventually(t, "the endpoints are up", func() error {
		all, err := p.Admin.Adapters(t.Context())
		if err != nil {
			return err
		}
		up := 0
		for _, e := range all.Adapters[0].Endpoints {
			if e.Up {
				up++
			}
		}
		if got := strings.Count(p.log.text(), `"version":`+version+`}`); up != len(addresses) || got < n {
			return fmt.Errorf("%d are, with %d links of version %s", up, got, version)
		}
		return nil
	})
}

// sign has callers sign until stop is called. declined are what was not answered with a signature.
func (p *process) sign(t *testing.T, callers int) (stop func(), answered *atomic.Int64, declined func() []string) {
	t.Helper()
	client, body := p.HTTP(cpmtest.Client), quoteBody(t)
	var (
		over  atomic.Bool
		group sync.WaitGroup
		mu    sync.Mutex
		all   []string
	)
	answered = &atomic.Int64{}
	for range callers {
		group.Go(func() {
			for !over.Load() {
				text, err := p.signOnce(client, body)
				if err == nil {
					answered.Add(1)
					continue
				}
				mu.Lock()
				all = append(all, fmt.Sprint(err, text))
				mu.Unlock()
			}
		})
	}
	stop = func() {
		over.Store(true)
		group.Wait()
	}
	t.Cleanup(stop)
	return stop, answered, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func quoteBody(t *testing.T) []byte {
	t.Helper()
	body, err := json.Marshal(quote("payerfsp", "", 1))
	must(t, err)
	return body
}

func (p *process) signOnce(client *http.Client, body []byte) (string, error) {
	response, err := client.Post(p.URL("/v1/fsps/payerfsp/jws/sign"), "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return string(text), err
}

// adapterProcess is `cpm adapter ssm` as a process of its own.
type adapterProcess struct {
	cmd *exec.Cmd
	log bytes.Buffer // to be read after the end
}

func startAdapter(t *testing.T, m *cpmtest.CPM, binary, address string) *adapterProcess {
	t.Helper()
	a := &adapterProcess{cmd: exec.Command(binary, "adapter", "ssm", "--name", "ssm2", "--listen", address, "--core", "localhost",
		"--cert", m.Config.TLS.Cert, "--key", m.Config.TLS.Key, "--ca", m.Config.TLS.ClientCA)}
	a.cmd.Stdout, a.cmd.Stderr = &a.log, &a.log
	must(t, a.cmd.Start())
	t.Cleanup(func() {
		if a.cmd.ProcessState == nil {
			_ = a.cmd.Process.Kill()
			_ = a.cmd.Wait()
		}
	})
	return a
}

// end lets the process complete what it has.
func (a *adapterProcess) end(t *testing.T) {
	t.Helper()
	must(t, a.cmd.Process.Signal(syscall.SIGTERM))
	if err := a.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &a.log)
	}
}
