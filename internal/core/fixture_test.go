package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/ssm"
	"github.com/mojaloop/cpm/internal/store"
)

var (
	caller   = cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "switch"}
	operator = cpm.Principal{Kind: cpm.PrincipalSocket, Name: "uid:0"}
)

// rig is a core over a real store, with software modules or what a test puts in their place.
type rig struct {
	*core.Core

	t     testing.TB
	store *store.Store
	path  string
	// open replaces the software module for the adapters it names, or for the endpoints: adapter@address.
	open map[string]func() (cpm.Module, error)

	log events

	mu       sync.Mutex
	offset   time.Duration
	observed []core.Observation
	ends     int
}

// events are the log lines of an event.
func (r *rig) events(code string) []string {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	var found []string
	for text := range strings.Lines(r.log.all.String()) {
		if strings.Contains(text, `"event":"`+code+`"`) {
			found = append(found, text)
		}
	}
	return found
}

// end counts how often the CPM was told to end its run.
func (r *rig) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends++
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, path: filepath.Join(dir, "cpm.db"), open: map[string]func() (cpm.Module, error){}}
	r.must(seal.CreateRootKeyFile(filepath.Join(dir, "root.key")))
	r.start(dir)
	return r
}

// start opens the store and makes a core over it.
func (r *rig) start(dir string) {
	r.t.Helper()
	provider, err := seal.OpenRootKeyFile(filepath.Join(dir, "root.key"))
	r.must(err)
	r.store, err = store.Open(r.t.Context(), store.Config{Driver: "sqlite", DSN: r.path})
	r.must(err)
	ring, err := seal.Open(r.t.Context(), r.store, provider)
	r.must(err)
	r.Core = core.New(core.Config{
		Store: r.store, Ring: ring, Open: r.opener, Logger: obs.NewLogger(&r.log, "json", obs.LevelSilly), Now: r.now,
		BytesInFlight: 1 << 20, RequestTimeout: time.Minute, Observe: r.observe, End: r.end,
	})
	r.t.Cleanup(r.stop)
}

func (r *rig) stop() {
	_ = r.Shutdown(context.WithoutCancel(r.t.Context()))
	_ = r.store.Close()
}

func (r *rig) opener(_ context.Context, a *route.Adapter, address string) (cpm.Module, error) {
	for _, name := range []string{a.Name + "@" + address, a.Name} {
		if open, ok := r.open[name]; ok {
			return open()
		}
	}
	return ssm.New(ssm.Config{Mandated: a.Operations, HeavyWorkers: 1, Now: r.now}), nil
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

// pass moves the clock that judges dates.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset += d
}

func (r *rig) observe(o core.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observed = append(r.observed, o)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// document is a small configuration: payerfsp and payeefsp, one software adapter, everything routed and granted.
func document() core.Document {
	return core.Document{
		FSPs:     []core.FSPEntry{{Name: "payerfsp"}, {Name: "payeefsp"}},
		Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}}},
		Routes:   []core.RouteEntry{{FSP: "*", Operation: "*", Adapter: "ssm1"}},
		Grants: []core.GrantEntry{
			{Principal: caller.String(), FSP: "payerfsp", Operations: []string{"jws.sign", "jws.verify"}},
			{Principal: caller.String(), FSP: "*", Operations: []string{"*"}},
		},
	}
}

// running is a rig that is Active with the document and an ES256 key of payerfsp.
func running(t testing.TB, change ...func(*core.Document)) *rig {
	t.Helper()
	r := newRig(t)
	r.ready(change...)
	return r
}

// ready makes a rig Active with the document and an ES256 key of payerfsp.
func (r *rig) ready(change ...func(*core.Document)) {
	r.t.Helper()
	r.must(r.Load(r.t.Context()))
	d := document()
	for _, c := range change {
		c(&d)
	}
	r.apply(d)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(r.t.Context()))
}

// shortTimers make adapters that do not answer expire at once.
func shortTimers(d *core.Document) {
	d.Settings = map[string]json.RawMessage{
		"shutdownTimeout": json.RawMessage(`"50ms"`), "statusTimeout": json.RawMessage(`"50ms"`), "startupTimeout": json.RawMessage(`"50ms"`),
	}
}

func (r *rig) change(action, target string, document any) (core.Receipt, error) {
	r.t.Helper()
	text, err := json.Marshal(document)
	r.must(err)
	return r.Apply(r.t.Context(), operator, core.Change{Action: action, Target: target, Document: text, RequestID: obs.NewRequestID()})
}

func (r *rig) mustChange(action, target string, document any) core.Receipt {
	r.t.Helper()
	receipt, err := r.change(action, target, document)
	r.must(err)
	return receipt
}

func (r *rig) apply(d core.Document) { r.t.Helper(); r.mustChange("config.apply", "", d) }

func (r *rig) addKey(a keys.Addition) {
	r.t.Helper()
	r.mustChange("key.add", string(a.FSP)+"/"+a.Name, a)
}

func (r *rig) addSecretKey(a keys.Addition, pem string) error {
	r.t.Helper()
	text, err := json.Marshal(a)
	r.must(err)
	_, err = r.Apply(r.t.Context(), operator, core.Change{Action: "key.add", Document: text, Secret: secret.Take([]byte(pem))})
	return err
}

const body = `{"amount":"1"}`

func headers(f cpm.FSP) map[string]string {
	return map[string]string{"fspiop-source": string(f), "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT"}
}

func (r *rig) request(f cpm.FSP, o cpm.Operation, m proto.Message) *cpm.Request {
	return &cpm.Request{
		ID: "r", FSP: f, Operation: o, Caller: caller, Arrival: time.Now(), Size: len(body), Payload: cpm.Payload{Message: m},
	}
}

func (r *rig) signRequest() *cpm.Request {
	return r.request("payerfsp", cpm.JWSSign, &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Headers: headers("payerfsp"), Content: &cpmv1.JwsSignRequest_Body{Body: body},
	})
}

func (r *rig) sign() (*cpmv1.JwsSignResponse, error) {
	res, err := r.Process(r.t.Context(), r.signRequest())
	if err != nil {
		return nil, err
	}
	return res.Payload.Message.(*cpmv1.JwsSignResponse), nil
}

func (r *rig) verifyRequest(f cpm.FSP, s *cpmv1.JwsSignResponse) *cpm.Request {
	h := headers(f)
	for name, value := range s.GetHeaders() {
		h[name] = value
	}
	return r.request(f, cpm.JWSVerify, &cpmv1.JwsVerifyRequest{
		Method: "POST", Uri: "/quotes", Headers: h, Content: &cpmv1.JwsVerifyRequest_Body{Body: s.GetBody()},
	})
}

// verify gives "" for a valid signature and else the reason.
func (r *rig) verify(f cpm.FSP, s *cpmv1.JwsSignResponse) string {
	r.t.Helper()
	res, err := r.Process(r.t.Context(), r.verifyRequest(f, s))
	r.must(err)
	v := res.Payload.Message.(*cpmv1.JwsVerifyResponse)
	if !v.GetValid() && v.GetReason() == "" {
		r.t.Error("not valid, and no reason")
	}
	return v.GetReason()
}

func kind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
