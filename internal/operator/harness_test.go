package operator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
)

// fakeCore answers like a core.
type fakeCore struct {
	down  atomic.Bool
	reply func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error)

	mu   sync.Mutex
	asks []*cpmv1.CommandAsk
	ids  []string
}

func (f *fakeCore) Up() bool { return !f.down.Load() }

func (f *fakeCore) Ask(_ context.Context, op cpm.Operation, id string, payload []byte) ([]byte, error) {
	ask := new(cpmv1.CommandAsk)
	if err := proto.Unmarshal(payload, ask); err != nil || op != cpm.AskCommand {
		return nil, err
	}
	f.mu.Lock()
	f.asks, f.ids = append(f.asks, ask), append(f.ids, id)
	f.mu.Unlock()
	r, err := f.reply(ask)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(r)
}

func (f *fakeCore) asked() []*cpmv1.CommandAsk {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks
}

func obeys(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
	return &cpmv1.CommandReply{
		Result: "success", Replica: "cpm-a", Adapters: []*cpmv1.AdapterState{{Name: "ssm1", Status: "Active", State: "Active"}},
	}, nil
}

// journal is the log of a door, to be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// events lists the codes that were logged.
func (j *journal) events(t *testing.T) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(j.String()) {
		var l struct{ Event string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err, line)
		}
		all = append(all, l.Event)
	}
	return all
}

func (j *journal) logger() *slog.Logger { return obs.NewLogger(j, "json", obs.LevelSilly) }

// served is a door on a real port.
type served struct {
	*Door
	t         *testing.T
	core      *fakeCore
	log       *journal
	address   string
	authority *pki.Authority
	end       context.CancelFunc
	ended     chan error
}

func newDoor(t *testing.T, change func(*Config)) (*Door, *journal) {
	t.Helper()
	log := &journal{}
	c := Config{Name: "cmd1", Version: "test", Logger: log.logger(), Now: time.Now, NewID: obs.NewRequestID, Limits: DefaultLimits()}
	if change != nil {
		change(&c)
	}
	return New(c), log
}

// serve opens an Active door that is attached to one core.
func serve(t *testing.T, change func(*Config)) *served {
	t.Helper()
	d, log := newDoor(t, change)
	s := &served{Door: d, t: t, core: &fakeCore{reply: obeys}, log: log, ended: make(chan error, 1)}
	d.Core("core.example:7802").Bind(s.core)
	var err error
	if s.authority, err = pki.NewAuthority(time.Now(), "operators"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	s.end = end
	d.Activate(ctx, s.address)
	c := &tls.Config{Certificates: []tls.Certificate{s.issue("cmd1.example")}, ClientCAs: s.authority.Pool()}
	go func() { s.ended <- d.Serve(ctx, l, c) }()
	t.Cleanup(func() {
		end()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		s.ended <- nil
	})
	return s
}

func (s *served) issue(names ...string) tls.Certificate {
	s.t.Helper()
	leaf, err := s.authority.Issue(time.Now(), "x", names...)
	if err != nil {
		s.t.Fatal(err)
	}
	return leaf.TLS()
}

// client makes an HTTPS client, with a certificate of the names if there are any.
func (s *served) client(names ...string) *http.Client {
	c := &tls.Config{RootCAs: s.authority.Pool(), ServerName: "cmd1.example", MinVersion: tls.VersionTLS13}
	if len(names) > 0 {
		c.Certificates = []tls.Certificate{s.issue(names...)}
	}
	transport := &http.Transport{TLSClientConfig: c}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

// kind is the kind of a decline.
func (r reply) kind(t *testing.T) string {
	t.Helper()
	var b struct {
		ErrorInformation struct {
			ErrorCode, ErrorDescription string
			ExtensionList               struct{ Extension []struct{ Key, Value string } }
		}
		RequestID string
		Message   string
	}
	if err := json.Unmarshal([]byte(r.body), &b); err != nil {
		t.Fatal(err, r.body)
	}
	if b.ErrorInformation.ErrorCode == "" || b.RequestID == "" || b.RequestID != r.header.Get("X-Request-Id") || b.Message == "" {
		t.Errorf("an incomplete decline: %s", r.body)
	}
	return b.ErrorInformation.ExtensionList.Extension[0].Value
}

func (r reply) answer(t *testing.T) Answer {
	t.Helper()
	var a Answer
	if err := json.Unmarshal([]byte(r.body), &a); err != nil || r.status != 200 {
		t.Fatal(r.status, err, r.body)
	}
	return a
}

func (s *served) request(method, path, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (s *served) send(c *http.Client, r *http.Request) reply {
	s.t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(body)}
}

func (s *served) command(c *http.Client, body string) reply {
	s.t.Helper()
	return s.send(c, s.request(http.MethodPost, Path, body))
}

// fromAddress is a request as the server of a door hands it over, with a verified certificate or a token.
func fromAddress(t *testing.T, address, name, token, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = address
	r.Header.Set("Content-Type", "application/json")
	if name != "" {
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{DNSNames: []string{name}}}}}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}
