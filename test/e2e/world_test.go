package e2e

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/route"
)

// world is a CPM with a participant for each thing that can be wrong with one, and callers of every sort.
type world struct {
	*process
	// marker is planted in everything that is sent and must not come back.
	marker string
	serial atomic.Int64
	keys   map[string]keyPair // by FSP/name
	tally  *tally

	certificates map[string]*tls.Config
	mu           sync.Mutex
	clients      map[string]cpmv1.CryptographicServiceClient
}

// newWorld starts it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		marker: "marker-" + rand.Text(), keys: map[string]keyPair{}, tally: newTally(),
		clients: map[string]cpmv1.CryptographicServiceClient{},
	}
	m := install(t, cpmtest.Config{Document: worldDocument()})
	w.certificates = callers(t, m)
	// Else 64 MiB may be thrown away before they are collected, and what requests take cannot be seen.
	w.process = launch(t, m, "GOGC=50", "GOMEMLIMIT=128MiB")
	w.populate(t)
	return w
}

// participants are the FSPs, each named by what is wrong with it, with their policies.
func participants() map[string]core.Policy {
	return map[string]core.Policy{
		"payerfsp": {}, "payeefsp": {}, "keyless": {}, "public-only": {}, "key-deleted": {}, "key-early": {}, "key-expired": {},
		"suspended": {}, "no-route": {}, "route-disabled": {}, "adapter-disabled": {}, "verify-only": {},
		"dated":   {DateWindow: core.Duration(time.Minute)},
		"replays": {ReplayWindow: core.Duration(time.Hour)},
		"raw":     {Forms: []string{"raw"}},
	}
}

// worldDocument is the configuration of the world.
func worldDocument() core.Document {
	both := []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}
	d := core.Document{Adapters: []core.AdapterEntry{
		{Name: "ssm1", Kind: route.KindSSM, Operations: both},
		{Name: "ssm-off", Kind: route.KindSSM, Operations: both, Disabled: true},
		{Name: "ssm-verify", Kind: route.KindSSM, Operations: both[1:]},
	}}
	adapters := map[string]string{"adapter-disabled": "ssm-off", "verify-only": "ssm-verify"}
	for name, policy := range participants() {
		d.FSPs = append(d.FSPs, core.FSPEntry{Name: name, Policy: policy})
		r := core.RouteEntry{FSP: name, Operation: route.Any, Adapter: "ssm1", Timeout: core.Duration(30 * time.Second)}
		if a, special := adapters[name]; special {
			r.Adapter = a
		}
		r.Disabled = name == "route-disabled"
		if name != "no-route" {
			d.Routes = append(d.Routes, r)
		}
	}
	d.Grants = cpmtest.Grants(cpmtest.Client, d.FSPs)
	reader := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "reader.example"}.String()
	other := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "other.example"}.String()
	d.Grants = append(d.Grants,
		core.GrantEntry{Principal: reader, FSP: route.Any, Operations: []string{route.Any}},
		core.GrantEntry{Principal: other, FSP: "payeefsp", Operations: []string{string(cpm.JWSSign), string(cpm.JWSVerify)}},
		core.GrantEntry{Principal: other, FSP: "replays", Operations: []string{string(cpm.JWSVerify)}},
	)
	return d
}

// callers are the certificates requests come with.
func callers(t *testing.T, m *cpmtest.CPM) map[string]*tls.Config {
	t.Helper()
	all := map[string]*tls.Config{
		"switch": m.TLS(cpmtest.Client), "other": m.TLS("other.example"), "reader": m.TLS("reader.example"),
		"nobody": m.TLS("nobody.example"), "none": m.TLS(""),
	}
	foreign, err := pki.NewAuthority(time.Now(), "another authority")
	must(t, err)
	for name, authority := range map[string]*pki.Authority{"foreign": foreign, "nameless": m.Authority} {
		var names []string
		if name == "foreign" {
			names = []string{cpmtest.Client}
		}
		leaf, err := authority.Issue(time.Now(), cpmtest.Client, names...)
		must(t, err)
		all[name] = all["none"].Clone()
		own := leaf.TLS()
		// Presented whatever authorities the server names: crypto/tls would otherwise hold back a foreign certificate.
		all[name].GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return all
}

func (w *world) tls(caller string) *tls.Config { return w.certificates[caller] }

// populate adds keys and makes the participants what their names say.
func (w *world) populate(t *testing.T) {
	t.Helper()
	pool := []keyPair{newRSA(t), newRSA(t)}
	for name := range participants() {
		if name == "keyless" {
			continue
		}
		k := pool[0]
		if name == "payeefsp" {
			k = pool[1]
		}
		a := keys.Addition{FSP: cpm.FSP(name), Name: "jws", Use: cpm.UseSignature}
		switch name {
		case "key-early":
			a.NotBefore = time.Now().Add(24 * time.Hour)
		case "key-expired":
			a.NotAfter = time.Now().Add(-time.Hour)
		}
		w.addPair(t, a, k, name == "public-only")
	}
	w.addPair(t, keys.Addition{FSP: "payerfsp", Name: "jws-ec", Use: cpm.UseSignature}, newP256(t), false)
	w.addPair(t, keys.Addition{FSP: "payerfsp", Name: "enc", Use: cpm.UseEncryption}, newRSA(t), false)
	w.keys["payeefsp/stray"] = newP256(t) // never added
	w.Change(core.Change{Action: "key.delete", Target: "key-deleted/jws", Document: []byte(`{"fsp":"key-deleted","name":"jws"}`)})
	w.Change(core.Change{Action: "fsp.suspend", Target: "suspended"})
}

func (w *world) addPair(t *testing.T, a keys.Addition, k keyPair, publicOnly bool) {
	t.Helper()
	w.keys[string(a.FSP)+"/"+a.Name] = k
	if publicOnly {
		a.Public = k.public(t)
		w.AddKey(a, nil)
		return
	}
	w.AddKey(a, k.private(t))
}

// client is the gRPC client of a caller.
func (w *world) client(caller string) cpmv1.CryptographicServiceClient {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.clients[caller]; ok {
		return c
	}
	conn, err := grpc.NewClient(w.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(w.tls(caller))),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	w.clients[caller] = cpmv1.NewCryptographicServiceClient(conn)
	return w.clients[caller]
}

// draft makes the message of an operation, signed if that is what the operation needs.
func (w *world) draft(t testing.TB, operation, fsp string, edits []edit, s signature) message {
	t.Helper()
	m := quote(fsp, w.marker, int(w.serial.Add(1)))
	apply(t, m, edits)
	if operation == "verify" {
		k, there := w.keys[fsp+"/"+cmp.Or(s.Key, "jws")]
		if !there {
			k = w.keys["payerfsp/jws"]
		}
		s.sign(t, m, k)
	}
	return m
}

// good is a request of the caller that nothing is wrong with; nil when the caller may do nothing.
func (w *world) good(caller string) *request {
	if caller == "nobody" || caller == "nameless" {
		return nil
	}
	return &request{caller, "payeefsp", "verify", w.draft(w.t, "verify", "payeefsp", nil, signature{})}
}

func apply(t testing.TB, m message, edits []edit) {
	t.Helper()
	for _, e := range edits {
		must(t, e.apply(m))
	}
}

// noEcho fails when an answer, or what came with it, has the marker. What was signed is given back on purpose.
func (w *world) noEcho(t testing.TB, a answer, others ...[]byte) {
	t.Helper()
	if a.good() && a.valid == nil {
		return
	}
	for _, text := range slices.Concat([][]byte{a.raw}, others) {
		if bytes.Contains(text, []byte(w.marker)) {
			t.Errorf("the answer has what was sent: %.300q", text)
		}
	}
}
