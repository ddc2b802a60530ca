package client_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/sdk/go/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a whole CPM that a test may stop and start again, and how a client finds it.
type house struct {
	*cpmtest.CPM

	t  testing.TB
	at atomic.Pointer[string]
}

func open(t testing.TB, additions ...keys.Addition) *house {
	t.Helper()
	h := &house{t: t, CPM: cpmtest.Start(t, cpmtest.Config{Document: everything(), Keys: additions})}
	h.found()
	return h
}

// everything mandates and grants every operation.
func everything() core.Document {
	d := core.Document{FSPs: []core.FSPEntry{{Name: "payerfsp"}, {Name: "payeefsp"}}}
	var performed []cpm.Operation
	var byName []string
	for _, row := range cpm.Operations() {
		if !row.Planned && !row.HardwareOnly {
			performed = append(performed, row.Operation)
		}
		if row.ByName() {
			byName = append(byName, string(row.Operation))
		}
	}
	who := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: cpmtest.Client}.String()
	d.Adapters = []core.AdapterEntry{{Name: "ssm1", Kind: "ssm", Operations: performed}}
	d.Grants = []core.GrantEntry{{Principal: who, FSP: "*", Operations: []string{"*"}}}
	for _, f := range d.FSPs {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: who, FSP: f.Name, Operations: byName})
	}
	return d
}

// found makes clients reach the CPM where it listens now.
func (h *house) found() {
	address := h.At.GRPC
	h.at.Store(&address)
}

func (h *house) dial(ctx context.Context, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", *h.at.Load())
}

// identify writes a client certificate for the name.
func (h *house) identify(dir, name string) client.Files {
	h.t.Helper()
	leaf, err := h.Authority.Issue(time.Now(), "client", name)
	h.must(err)
	h.must(leaf.Write(dir, "client"))
	return client.Files{
		Cert: filepath.Join(dir, "client.pem"), Key: filepath.Join(dir, "client.key"), CA: filepath.Join(h.Dir, "ca.pem"),
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// client is one with a certificate that may do everything. It is closed at the end.
func (h *house) client(change ...func(*client.Config)) *client.Client {
	h.t.Helper()
	c := client.Config{
		Addresses: []string{"cpm.test:7801"}, Files: h.identify(h.t.TempDir(), cpmtest.Client), ServerName: "localhost", Dial: h.dial,
	}
	for _, f := range change {
		f(&c)
	}
	k, err := client.New(c)
	h.must(err)
	h.t.Cleanup(func() { _ = k.Close(context.WithoutCancel(h.t.Context())) })
	return k
}

var headers = map[string]string{
	"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT",
}

func signRequest() *cpmv1.JwsSignRequest {
	return &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Headers: headers, Content: &cpmv1.JwsSignRequest_Body{Body: `{"amount":"1"}`},
	}
}

func signing() *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: signRequest()}}
}

var signingKey = keys.Addition{FSP: "payerfsp", Name: "jws", Use: "sig", Generate: "ES256"}

// kinds counts the kinds of the results, "ok" for responses.
func kinds(results []client.Result) map[string]int {
	all := map[string]int{}
	for _, r := range results {
		if r.Err == nil {
			all["ok"]++
		} else {
			all[string(client.KindOf(r.Err))]++
		}
	}
	return all
}

func repeat(r *cpmv1.ProcessRequest, n int) []*cpmv1.ProcessRequest {
	return slices.Repeat([]*cpmv1.ProcessRequest{r}, n)
}
