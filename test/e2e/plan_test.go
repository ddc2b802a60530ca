package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

const planBody = `{"note":"%d","payee":{"partyIdInfo":{"partyIdentifier":"1"}},"payer":{"name":"Mats"}}`

func planHeaders(more map[string]string) map[string]string {
	all := map[string]string{"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp"}
	maps.Copy(all, more)
	return all
}

func toOpen(p *cpmv1.MessageProtectResponse) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: "payeefsp", Operation: &cpmv1.ProcessRequest_MessageOpen{MessageOpen: &cpmv1.MessageOpenRequest{
		Method: "POST", Uri: "/quotes", Headers: planHeaders(p.GetHeaders()), Content: &cpmv1.MessageOpenRequest_Body{Body: p.GetBody()},
	}}}
}

// planner is a CPM whose payer has fields encrypted for its payee.
func planner(t *testing.T) *cpmtest.CPM {
	t.Helper()
	who := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: cpmtest.Client}.String()
	d := core.Document{
		FSPs: []core.FSPEntry{
			{Name: "payerfsp", Policy: core.Policy{Encryption: core.Encryption{Send: []core.EncryptionRule{
				{Resource: "quotes", Fields: []string{"payer", "payee.partyIdInfo.partyIdentifier"}},
			}}}},
			{Name: "payeefsp", Policy: core.Policy{Encryption: core.Encryption{Receive: []core.EncryptionRule{
				{Resource: "quotes", Fields: []string{"payer.name"}, Required: true},
			}}}},
		},
		Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify, cpm.JWEEncrypt, cpm.JWEDecrypt}}},
		Grants: []core.GrantEntry{
			{Principal: who, FSP: "*", Operations: []string{"jws.verify", "jwe.encrypt"}},
			{Principal: who, FSP: "payerfsp", Operations: []string{"message.protect", "jws.sign"}},
			{Principal: who, FSP: "payeefsp", Operations: []string{"message.open", "jwe.decrypt"}},
		},
	}
	return cpmtest.Start(t, cpmtest.Config{Document: d, Keys: []keys.Addition{
		{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"},
		{FSP: "payeefsp", Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256},
	}})
}

// TestPlansInBatchesAndStreams protects messages in a batch and opens them on a stream, one with another body among them: each has
// its own answer, and the others do not notice.
func TestPlansInBatchesAndStreams(t *testing.T) {
	t.Parallel()
	m := planner(t)
	const n = 20
	sent := protectBatch(t, m, n)
	connection, err := grpc.NewClient(m.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(m.TLS(cpmtest.Client))))
	must(t, err)
	defer func() { _ = connection.Close() }()
	stream, err := cpmv1.NewCryptographicServiceClient(connection).Stream(t.Context())
	must(t, err)
	for i, p := range sent {
		q := toOpen(p)
		if i == 0 {
			q.GetMessageOpen().Content = &cpmv1.MessageOpenRequest_Body{Body: strings.Replace(p.GetBody(), `"note":"0"`, `"note":"9"`, 1)}
		}
		must(t, stream.Send(&cpmv1.StreamRequest{Id: uint64(i + 1), Request: q}))
	}
	must(t, stream.CloseSend())
	for range sent {
		out, err := stream.Recv()
		must(t, err)
		o, i := out.GetResponse().GetMessageOpen(), int(out.GetId())-1
		switch {
		case i == 0 && (o.GetReason() != "signature-mismatch" || o.GetContent() != nil):
			t.Errorf("the changed one: %v", out)
		case i > 0 && (!o.GetValid() || o.GetBody() != fmt.Sprintf(planBody, i)):
			t.Errorf("%d: %v", i, out)
		}
	}
	planCounts(t, m, n)
}

// protectBatch protects n messages over HTTPS. Between them is one that is declined.
func protectBatch(t *testing.T, m *cpmtest.CPM, n int) (sent []*cpmv1.MessageProtectResponse) {
	t.Helper()
	type item map[string]any
	items := []item{{"fsp": "payerfsp", "messageProtect": item{"method": "POST", "uri": "/quotes", "headers": item{"fspiop-source": "payerfsp"}, "body": "{}"}}}
	for i := range n {
		items = append(items, item{"fsp": "payerfsp", "messageProtect": item{
			"method": "POST", "uri": "/quotes", "headers": planHeaders(nil), "body": fmt.Sprintf(planBody, i),
		}})
	}
	text, err := json.Marshal(item{"items": items})
	must(t, err)
	answer, err := m.HTTP(cpmtest.Client).Post(m.URL("/v1/batch"), "application/json", bytes.NewReader(text))
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err = io.ReadAll(answer.Body)
	must(t, err)
	var out struct {
		Results []struct {
			MessageProtect *struct {
				Headers map[string]string
				Body    string
			}
			Error *struct {
				ErrorInformation struct{ ErrorCode string }
			}
		}
	}
	must(t, json.Unmarshal(text, &out))
	if answer.StatusCode != http.StatusOK || len(out.Results) != n+1 || out.Results[0].Error == nil || out.Results[0].Error.ErrorInformation.ErrorCode != "3102" {
		t.Fatalf("%d %s", answer.StatusCode, text)
	}
	for _, r := range out.Results[1:] {
		if r.MessageProtect == nil || strings.Contains(r.MessageProtect.Body, "Mats") {
			t.Fatalf("%s", text)
		}
		sent = append(sent, &cpmv1.MessageProtectResponse{
			Headers: r.MessageProtect.Headers, Content: &cpmv1.MessageProtectResponse_Body{Body: r.MessageProtect.Body},
		})
	}
	return sent
}

// planCounts checks that every plan and every step was counted once.
func planCounts(t *testing.T, m *cpmtest.CPM, n uint64) {
	t.Helper()
	status, err := m.Admin.Status(t.Context())
	must(t, err)
	counted := map[string]string{}
	for _, c := range status.Counts {
		counted[c.Operation] = fmt.Sprint(c.Adapter, " ", c.Success, " ", c.Failed)
	}
	want := map[string]string{
		"message.protect": fmt.Sprint(" ", n, " ", 1), "jwe.encrypt": fmt.Sprint("ssm1 ", n, " ", 0), "jws.sign": fmt.Sprint("ssm1 ", n, " ", 0),
		"message.open": fmt.Sprint(" ", n, " ", 0), "jws.verify": fmt.Sprint("ssm1 ", n, " ", 0), "jwe.decrypt": fmt.Sprint("ssm1 ", n-1, " ", 0),
	}
	if fmt.Sprint(counted) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}
