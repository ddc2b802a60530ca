package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/pki"
)

// ilpCPM has the secret of the known answers for two FSPs: nearfsp is served in process, farfsp across a link.
func ilpCPM(t *testing.T, secret string) *cpmtest.CPM {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now(), "test")
	if err != nil {
		t.Fatal(err)
	}
	remote := newRemote(t, authority)
	remote.start()
	d := document(remote.address)
	d.Adapters[0].Operations = []cpm.Operation{cpm.ILPFulfil, cpm.ILPVerify, cpm.ILPDecode}
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "ssm1", Kind: "ssm", Operations: d.Adapters[0].Operations})
	d.Routes = []core.RouteEntry{{FSP: "nearfsp", Operation: "*", Adapter: "ssm1"}, {FSP: "farfsp", Operation: "*", Adapter: "ssm2"}}
	d.FSPs = []core.FSPEntry{{Name: "nearfsp"}, {Name: "farfsp"}}
	d.Grants = cpmtest.Grants(cpmtest.Client, nil)
	for _, f := range d.FSPs {
		d.Grants = append(d.Grants, core.GrantEntry{
			Principal: d.Grants[0].Principal, FSP: f.Name, Operations: []string{string(cpm.ILPFulfil)},
		})
	}
	m := cpmtest.Start(t, cpmtest.Config{Document: d, Authority: authority})
	for _, f := range d.FSPs {
		m.AddKey(keys.Addition{FSP: cpm.FSP(f.Name), Name: "ilp", Use: cpm.UseILP, Symmetric: true}, []byte(secret))
	}
	return m
}

// ports are both Mojaloop ports.
type ports struct {
	at   string
	http *http.Client
	grpc cpmv1.CryptographicServiceClient
}

func portsOf(t *testing.T, m *cpmtest.CPM) ports {
	t.Helper()
	connection, err := grpc.NewClient(m.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(m.TLS(cpmtest.Client))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return ports{m.URL("/v1/fsps/"), m.HTTP(cpmtest.Client), cpmv1.NewCryptographicServiceClient(connection)}
}

// ask asks for an operation over JSON.
func (p ports) ask(t *testing.T, fsp string, o cpm.Operation, question any) (status int, answer []byte) {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.at+fsp+"/"+o.Path(), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.Bytes()
}

// operate asks for an operation over JSON, and over gRPC wants the same answer.
func (p ports) operate(t *testing.T, fsp string, o cpm.Operation, question, answer any) {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	status, body := p.ask(t, fsp, o, question)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", o, status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		t.Fatal(err)
	}
	var process cpmv1.ProcessRequest
	if err := protojson.Unmarshal([]byte(`{"fsp":"`+fsp+`","`+o.Member()+`":`+string(text)+`}`), &process); err != nil {
		t.Fatal(err)
	}
	got, err := p.grpc.Process(t.Context(), &process)
	if err != nil {
		t.Fatal(err)
	}
	var want cpmv1.ProcessResponse
	if err := protojson.Unmarshal([]byte(`{"`+o.Member()+`":`+string(body)+`}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s: (-JSON +gRPC)\n%s", o, diff)
	}
}

// The answers of three releases of Mojaloop's library, through both ports, in process and across a link.
func TestILPThroughThePortsAndAcrossALink(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../fspiop/testdata/ilp.json")
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		Secret  string
		Answers []struct {
			Release, IlpPacket, Condition, Fulfilment string
			Version                                   int
			Quote, FxQuote                            json.RawMessage
			Transaction                               string
		}
	}
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	m := ilpCPM(t, known.Secret)
	p := portsOf(t, m)
	for _, a := range known.Answers {
		for _, fsp := range []string{"nearfsp", "farfsp"} {
			question := map[string]any{"version": a.Version}
			if a.Release != "19.19.1" {
				question["form"] = "legacy"
			}
			switch {
			case a.Quote != nil:
				question["quote"] = a.Quote
			case a.FxQuote != nil:
				question["fxQuote"] = a.FxQuote
			default:
				question["transaction"] = a.Transaction
			}
			var made, again struct {
				IlpPacket, Condition, Fulfilment string
				KeyVersion                       int
			}
			p.operate(t, fsp, cpm.ILPFulfil, question, &made)
			if made.IlpPacket != a.IlpPacket || made.Condition != a.Condition || made.Fulfilment != a.Fulfilment || made.KeyVersion != 1 {
				t.Errorf("%s, version %d at %s: %+v", a.Release, a.Version, fsp, made)
			}
			p.operate(t, fsp, cpm.ILPFulfil, map[string]any{"ilpPacket": a.IlpPacket, "condition": a.Condition}, &again)
			if again != made {
				t.Errorf("%s, version %d at %s, of the packet: %+v", a.Release, a.Version, fsp, again)
			}
			for fulfilment, want := range map[string]bool{a.Fulfilment: true, a.Condition: false} {
				var verdict struct {
					Valid  *bool
					Reason string
				}
				p.operate(t, fsp, cpm.ILPVerify, map[string]any{"fulfilment": fulfilment, "condition": a.Condition}, &verdict)
				if verdict.Valid == nil || *verdict.Valid != want || (verdict.Reason == "") != want {
					t.Errorf("%s at %s: %+v, want %v", a.Release, fsp, verdict, want)
				}
			}
			var read struct {
				Version             int
				Agrees              *bool
				Reason, Transaction string
			}
			p.operate(t, fsp, cpm.ILPDecode, map[string]any{
				"ilpPacket": a.IlpPacket, "transfer": `{"ilpPacket":"` + a.IlpPacket + `","payerFsp":"nobody","initiatingFsp":"nobody"}`,
			}, &read)
			if read.Version != a.Version || read.Agrees == nil || *read.Agrees || !strings.HasPrefix(read.Transaction, "{") {
				t.Errorf("%s, version %d at %s: %+v", a.Release, a.Version, fsp, read)
			}
		}
	}
	for _, a := range known.Answers {
		if log := m.Log(); strings.Contains(log, a.Fulfilment) || strings.Contains(log, known.Secret) {
			t.Fatal("a secret is in the log")
		}
	}
}
