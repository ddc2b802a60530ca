package keyupdate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/pki"
)

// fakeCore answers what a test wants.
type fakeCore struct {
	mu     sync.Mutex
	down   bool
	answer func(ctx context.Context, op cpm.Operation, payload []byte) ([]byte, error)
	asked  []*cpmv1.KeyUpdateAsk
}

func (c *fakeCore) Up() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.down
}

func (c *fakeCore) Ask(ctx context.Context, op cpm.Operation, _ string, payload []byte) ([]byte, error) {
	c.mu.Lock()
	if op == cpm.AskKeyUpdate {
		var ask cpmv1.KeyUpdateAsk
		if err := proto.Unmarshal(payload, &ask); err != nil {
			c.mu.Unlock()
			return nil, err
		}
		c.asked = append(c.asked, &ask)
	}
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		return answer(ctx, op, payload)
	}
	return proto.Marshal(&cpmv1.KeyUpdateReply{Result: "success", Fsp: "payerfsp", Name: "sig", Version: 2})
}

func (c *fakeCore) asks() []*cpmv1.KeyUpdateAsk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// answers makes a fakeCore that gives one error.
func answers(err error) *fakeCore {
	return &fakeCore{answer: func(context.Context, cpm.Operation, []byte) ([]byte, error) { return nil, err }}
}

// bench is an Adapter behind a real HTTPS listener.
type bench struct {
	*Adapter
	client *http.Client
	base   string
	log    *journal
	stop   func()
}

func newBench(t *testing.T, cores ...Asker) *bench {
	t.Helper()
	ca, err := pki.NewAuthority(time.Now(), "test authority")
	if err != nil {
		t.Fatal(err)
	}
	server, client := issue(t, ca, "keyupdate.example"), issue(t, ca, "payerfsp.example")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	b := &bench{
		Adapter: New(Config{Logger: slog.New(slog.NewJSONHandler(log, nil)), Now: time.Now}),
		base:    "https://" + l.Addr().String(), log: log,
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: ca.Pool(), ServerName: "keyupdate.example", Certificates: []tls.Certificate{client.TLS()}, MinVersion: tls.VersionTLS13,
		}}, Timeout: time.Minute},
	}
	for _, c := range cores {
		b.Link().Bind(c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Serve(ctx, l, &tls.Config{
			Certificates: []tls.Certificate{server.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS13,
		})
	}()
	b.stop = sync.OnceFunc(func() {
		b.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	b.Activate(t.Context())
	return b
}

func issue(t *testing.T, ca *pki.Authority, name string) *pki.Leaf {
	t.Helper()
	leaf, err := ca.Issue(time.Now(), name, name)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// journal keeps the log lines.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) has(event string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), `"event":"`+event+`"`)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// reply is an answer as a caller reads it.
type reply struct {
	Status  int
	Kind    string
	Body    map[string]any
	Headers http.Header
}

func (b *bench) send(t *testing.T, method, path, contentType, body string) reply {
	t.Helper()
	out, err := b.fetch(t.Context(), method, path, contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fetch is send from whatever goroutine.
func (b *bench) fetch(ctx context.Context, method, path, contentType, body string) (out reply, err error) {
	r, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		return out, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := b.client.Do(r)
	if err != nil {
		return out, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return out, err
	}
	out = reply{Status: response.StatusCode, Headers: response.Header}
	if err := json.Unmarshal(text, &out.Body); err != nil {
		return out, fmt.Errorf("%w in %q", err, text)
	}
	out.Kind = kindIn(out.Body)
	return out, nil
}

func (b *bench) update(t *testing.T, jws string) reply {
	t.Helper()
	return b.send(t, http.MethodPost, PathUpdates, "application/jose", jws)
}

// kindIn finds the kind of a decline.
func kindIn(body map[string]any) string {
	info, _ := body["errorInformation"].(map[string]any)
	list, _ := info["extensionList"].(map[string]any)
	all, _ := list["extension"].([]any)
	for _, x := range all {
		if m := x.(map[string]any); m["key"] == "kind" {
			return m["value"].(string)
		}
	}
	return ""
}

// jws makes a compact JWS that nobody signed.
func jws(payload string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"ES256"}`)) + "." + e([]byte(payload)) + "." + e([]byte("signature"))
}
