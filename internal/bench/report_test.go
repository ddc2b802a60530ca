package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

const messageDate = "Tue, 01 Jan 2030 00:00:00 GMT"

// sample is a report with every kind of row.
func sample() *report {
	w := &workload{key: Key{Name: "jws", Algorithm: algorithmRS256}, operation: opSign, primitive: primitive{label: "RSA-2048 PKCS1v15 SHA-256"}}
	raws := []result{
		{succeeded: 4000, rate: 2000, client: 1000, server: 0, other: 0, p50: time.Millisecond, p99: 1200 * time.Microsecond, max: 2 * time.Millisecond},
		{succeeded: 3000, rate: 1500, client: 1300, server: 0, other: 0.25, p50: time.Millisecond, p99: 1500 * time.Microsecond, max: 9 * time.Millisecond},
	}
	ours := func(r result, raw int) result {
		r.raw = &raws[raw]
		return r
	}
	closed := &series{workload: w, door: &door{name: transportJSON, size: 1, callers: 64}, results: []result{
		ours(result{succeeded: 3000, rate: 1500, client: 50, server: 1050, other: 0, p50: 42 * time.Millisecond, p99: 80 * time.Millisecond, max: 95 * time.Millisecond}, 0),
		ours(result{succeeded: 2700, failed: 3, rate: 1350, client: 60, server: 1240, other: 0.2, p50: 44 * time.Millisecond, p99: 90 * time.Millisecond, max: 1200 * time.Millisecond}, 1),
	}}
	batch := &series{workload: w, door: &door{name: transportGRPCBatch, size: 100, callers: 4}, results: []result{
		ours(result{succeeded: 3800, rate: 1900, client: -1, server: -1, other: -1, p50: 200 * time.Millisecond, p99: 210 * time.Millisecond, max: 211 * time.Millisecond}, 0),
		ours(notOpened(), 1),
	}}
	open := &series{workload: w, rate: 12500, door: closed.door, results: []result{
		ours(result{succeeded: 24990, unsent: 10, rate: 12345.6, client: 5, server: 9.876, other: -1, p50: 800 * time.Microsecond, late: 70 * time.Microsecond}, 0),
	}}
	return &report{
		Machine: machine{Cores: 2, Procs: 2, CPU: "Fast 9000", Go: "go1.26", OS: "linux/amd64", Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
		Load:    load{Seconds: 2, Rounds: 2, Concurrency: 64, Batch: 100, BodyBytes: 968, JSON: "https", GRPC: "TLS"},
		Closed:  []row{(&series{workload: w, results: raws}).row(), closed.row(), batch.row()},
		Open:    []row{open.row()},
		Sampled: 16, SampledGood: 15,
		Failures: []failure{{Case: "RS256 sign json", Reason: `HTTP 429, declined: 2005 "Server busy"`, Operations: 3}, {Case: "RS256 sign grpc-batch", Reason: "the stream ended", Operations: 1}},
	}
}

func TestReportsLookAsDocumented(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatTable, formatMarkdown, formatJSON} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			r := sample()
			for i := range r.Closed {
				if r.Closed[i].Transport == "" {
					r.Closed[i].InFlight = 2 // the machine's cores otherwise
				}
			}
			var got bytes.Buffer
			if err := r.write(&got, format); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "report."+format)
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumbersAreWrittenForReaders(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 999: "999", 999.5: "1,000", 1234567: "1,234,567", 100000: "100,000"} {
		if got := grouped(v); got != want {
			t.Errorf("grouped(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0.00", 0.126: "0.13", 9.99: "9.99", 12.34: "12.3", 99.94: "99.9", 1234.5: "1,235"} {
		if got := significant(v); got != want {
			t.Errorf("significant(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestRequestsHaveTheDocumentedShape(t *testing.T) {
	t.Parallel()
	w, err := newWorkload(Key{Name: "jws"}, opSign, []*cpmv1.ProcessRequest{signRequest("payerfsp", "jws", messageDate, 0), signRequest("payerfsp", "jws", messageDate, 1)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	var one map[string]any
	if err := json.Unmarshal(w.single[0].json, &one); err != nil {
		t.Fatal(err)
	}
	body, _ := one["body"].(string)
	if !json.Valid([]byte(body)) || strings.Contains(body, "%!") || len(body) < 900 || len(body) > 1100 {
		t.Errorf("the body is not JSON of about 1 KB: %s", body)
	}
	delete(one, "body")
	want := map[string]any{
		"method": "POST", "uri": "/quotes", "key": map[string]any{"name": "jws"},
		"headers": map[string]any{
			"content-type": "application/vnd.interoperability.quotes+json;version=1.1", "date": messageDate,
			"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp",
		},
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var batch struct {
		Items []struct {
			FSP     string          `json:"fsp"`
			JWSSign json.RawMessage `json:"jwsSign"`
		} `json:"items"`
	}
	if err := json.Unmarshal(w.batches[0].json, &batch); err != nil {
		t.Fatal(err)
	}
	if len(batch.Items) != 2 || batch.Items[1].FSP != "payerfsp" || bytes.Equal(batch.Items[0].JWSSign, batch.Items[1].JWSSign) {
		t.Errorf("the batch is %s", w.batches[0].json)
	}
}

func TestStreamRequestsAreEncodedByHandAsByTheCodec(t *testing.T) {
	t.Parallel()
	request := signRequest("payerfsp", "jws", messageDate, 7)
	encoded, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{1, 1<<callerBits + 3, none - 1} {
		got := new(cpmv1.StreamRequest)
		if err := proto.Unmarshal(bytes.Join(streamed(id, encoded), nil), got); err != nil {
			t.Fatal(err)
		}
		if want := (&cpmv1.StreamRequest{Id: id, Request: request}); !proto.Equal(want, got) {
			t.Errorf("id %d: %v, want %v", id, got, want)
		}
	}
}

func TestCallersTakeDifferentMessagesInTurn(t *testing.T) {
	t.Parallel()
	calls := make([]call, 10)
	for i := range calls {
		calls[i].json = []byte{byte(i)}
	}
	var got []byte
	for i := range 2 {
		turn := newTurn(calls, i, 2)
		for range 7 {
			got = append(got, turn.next().json...)
		}
		if turn.last().json[0] != got[len(got)-1] {
			t.Error("last is not what next gave last")
		}
	}
	if want := []byte{1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9, 0, 1, 2}; !bytes.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTamperedMessagesDiffer(t *testing.T) {
	t.Parallel()
	request := signRequest("payerfsp", "jws", messageDate, 0)
	for _, signed := range []*cpmv1.JwsSignResponse{
		{Content: &cpmv1.JwsSignResponse_Body{Body: request.GetJwsSign().GetBody()}},
		{Content: &cpmv1.JwsSignResponse_BodyBase64{BodyBase64: []byte("{}")}},
	} {
		verify := verifyRequest(request, signed)
		if proto.Equal(verify, tampered(verify)) {
			t.Errorf("nothing was changed in %v", verify)
		}
	}
}
