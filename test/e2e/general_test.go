package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/route"
)

// generalCPM does the general operations for payerfsp.
func generalCPM(t *testing.T) *cpmtest.CPM {
	t.Helper()
	fsps := []core.FSPEntry{{Name: "payerfsp"}}
	grants := cpmtest.Grants(cpmtest.Client, fsps)
	var operations []cpm.Operation
	for _, row := range cpm.Operations() {
		if row.General {
			operations = append(operations, row.Operation)
			grants[1].Operations = append(grants[1].Operations, string(row.Operation))
		}
	}
	return cpmtest.Start(t, cpmtest.Config{
		Document: core.Document{
			FSPs: fsps, Grants: grants,
			Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: route.KindSSM, Operations: operations}},
		},
		Keys: []keys.Addition{
			{FSP: "payerfsp", Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"},
			{FSP: "payerfsp", Name: "data-sig", Use: cpm.UseDataSignature, Generate: "ES512"},
			{FSP: "payerfsp", Name: "mac", Use: cpm.UseMAC, Generate: "A256CMAC"},
			{FSP: "payerfsp", Name: "wrap", Use: cpm.UseWrap, Generate: "A256KW"},
		},
	})
}

// post asks the JSON port.
func post(t *testing.T, m *cpmtest.CPM, path, body string) map[string]any {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	r, err := m.HTTP(cpmtest.Client).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// requests are one of each general operation that needs no answer of another, and two that are declined.
func requests(secretly []byte) []*cpmv1.ProcessRequest {
	all := []*cpmv1.ProcessRequest{
		{Operation: &cpmv1.ProcessRequest_Sign{Sign: &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: secretly}, Encoding: "der"}}},
		{Operation: &cpmv1.ProcessRequest_Encrypt{Encrypt: &cpmv1.EncryptRequest{Plaintext: secretly}}},
		{Operation: &cpmv1.ProcessRequest_Mac{Mac: &cpmv1.MacRequest{Data: secretly}}},
		{Operation: &cpmv1.ProcessRequest_Wrap{Wrap: &cpmv1.WrapRequest{Material: secretly}}},
		{Operation: &cpmv1.ProcessRequest_Datakey{Datakey: &cpmv1.DatakeyRequest{}}},
		{Operation: &cpmv1.ProcessRequest_Digest{Digest: &cpmv1.DigestRequest{Data: secretly}}},
		{Operation: &cpmv1.ProcessRequest_Random{Random: &cpmv1.RandomRequest{Length: 8}}},
		{Operation: &cpmv1.ProcessRequest_Decrypt{Decrypt: &cpmv1.DecryptRequest{Ciphertext: secretly}}},
		{Operation: &cpmv1.ProcessRequest_Unwrap{Unwrap: &cpmv1.UnwrapRequest{Wrapped: secretly}}},
	}
	for _, r := range all {
		r.Fsp = "payerfsp"
	}
	return all
}

// declined is how many of requests, at the end, are.
const declined = 2

// inverse is the request that undoes or judges an answer; nil if there is none.
func inverse(secretly []byte, r *cpmv1.ProcessResponse) *cpmv1.ProcessRequest {
	switch {
	case r.GetSign() != nil:
		return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_Verify{Verify: &cpmv1.VerifyRequest{
			Input: &cpmv1.VerifyRequest_Data{Data: secretly}, Signature: r.GetSign().GetSignature(), Encoding: "der",
		}}}
	case r.GetEncrypt() != nil:
		return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_Decrypt{Decrypt: &cpmv1.DecryptRequest{
			Ciphertext: r.GetEncrypt().GetCiphertext(),
		}}}
	case r.GetMac() != nil:
		return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_MacVerify{MacVerify: &cpmv1.MacVerifyRequest{
			Data: secretly, Mac: r.GetMac().GetMac(),
		}}}
	case r.GetWrap() != nil:
		return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_Unwrap{Unwrap: &cpmv1.UnwrapRequest{
			Wrapped: r.GetWrap().GetWrapped(),
		}}}
	}
	return nil
}

// right says whether the answer to an inverse is.
func right(secretly []byte, r *cpmv1.ProcessResponse) bool {
	return r.GetVerify().GetValid() || r.GetMacVerify().GetValid() || bytes.Equal(r.GetDecrypt().GetPlaintext(), secretly) ||
		bytes.Equal(r.GetUnwrap().GetMaterial(), secretly)
}

// One by one, in a batch and in a stream the general operations do the same; nothing of what they are about is logged.
func TestGeneralOperationsThroughEveryDoor(t *testing.T) {
	t.Parallel()
	m := generalCPM(t)
	secretly := []byte("nobody may read this in the logs") // 32 bytes, which KW wraps
	for name, ask := range map[string]func([]*cpmv1.ProcessRequest) []*cpmv1.ProcessResponse{
		"batch":  func(all []*cpmv1.ProcessRequest) []*cpmv1.ProcessResponse { return inBatch(t, m, all) },
		"stream": func(all []*cpmv1.ProcessRequest) []*cpmv1.ProcessResponse { return inStream(t, m, all) },
	} {
		all := requests(secretly)
		answers := ask(all)
		var undo []*cpmv1.ProcessRequest
		for i, a := range answers {
			if wrong := a.GetError() != nil; wrong != (i >= len(all)-declined) {
				t.Errorf("%s: %v is answered %v", name, all[i], a)
			}
			if q := inverse(secretly, a); q != nil {
				undo = append(undo, q)
			}
		}
		for i, a := range ask(undo) {
			if !right(secretly, a) {
				t.Errorf("%s: %v is answered %v", name, undo[i], a)
			}
		}
	}
	for _, text := range []string{string(secretly), base64.StdEncoding.EncodeToString(secretly)} {
		if strings.Contains(m.Log(), text) {
			t.Errorf("the log has %q", text)
		}
	}
}

// What may be empty is there all the same.
func TestEmptyDataComesBackEmpty(t *testing.T) {
	t.Parallel()
	m := generalCPM(t)
	sealed := post(t, m, "/v1/fsps/payerfsp/encrypt", `{"plaintext":""}`)
	opened := post(t, m, "/v1/fsps/payerfsp/decrypt", `{"ciphertext":"`+sealed["ciphertext"].(string)+`"}`)
	if text, there := opened["plaintext"]; !there || text != "" {
		t.Errorf("nothing comes back as %v", opened)
	}
	if missing := post(t, m, "/v1/fsps/payerfsp/encrypt", `{}`); missing["errorInformation"] == nil {
		t.Errorf("no plaintext is encrypted as %v", missing)
	}
}

func inBatch(t *testing.T, m *cpmtest.CPM, all []*cpmv1.ProcessRequest) []*cpmv1.ProcessResponse {
	t.Helper()
	in, err := protojson.Marshal(&cpmv1.BatchRequest{Items: all})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(post(t, m, "/v1/batch", string(in)))
	if err != nil {
		t.Fatal(err)
	}
	out := &cpmv1.BatchResponse{}
	if err := protojson.Unmarshal(text, out); err != nil || len(out.GetResults()) != len(all) {
		t.Fatalf("%v: %s", err, text)
	}
	return out.GetResults()
}

func inStream(t *testing.T, m *cpmtest.CPM, all []*cpmv1.ProcessRequest) []*cpmv1.ProcessResponse {
	t.Helper()
	conn, err := grpc.NewClient(m.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(m.TLS(cpmtest.Client))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := cpmv1.NewCryptographicServiceClient(conn).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range all {
		if err := stream.Send(&cpmv1.StreamRequest{Id: uint64(i + 1), Request: q}); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	out := make([]*cpmv1.ProcessResponse, len(all))
	for range all {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		out[r.GetId()-1] = proto.CloneOf(r.GetResponse())
	}
	return out
}
