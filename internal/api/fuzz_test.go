package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// declined checks that an answer is one of the declines that can be told before an operation is asked, word for word: an
// answer made of fixed texts alone cannot show anything of the input.
func declined(t *testing.T, answer string) {
	t.Helper()
	var got struct {
		ErrorInformation struct {
			ErrorCode        string
			ErrorDescription string
			ExtensionList    struct{ Extension []struct{ Key, Value string } }
		}
		RequestID string
	}
	in := json.NewDecoder(strings.NewReader(answer))
	in.DisallowUnknownFields()
	if err := in.Decode(&got); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	info := got.ErrorInformation
	if !kindFirst(info.ExtensionList.Extension) || got.RequestID != "id-000000" {
		t.Fatalf("unexpected members in %s", answer)
	}
	said := info.ErrorCode + " " + info.ErrorDescription + " " + info.ExtensionList.Extension[0].Key + " " + info.ExtensionList.Extension[0].Value
	if !slices.Contains(declines(), said) {
		t.Fatalf("not a fixed decline: %q", said)
	}
}

// declines are the answers that arbitrary bytes may get, whatever they are.
func declines() []string {
	var all []string
	for _, detail := range []string{
		"the request body is not the JSON of this operation",
		"the request names no operation",
		"the name of the FSP cannot be one",
		"a header has no name",
		"two headers have the same name: give one, values joined by a comma",
		"the message is not one of cpm.v1",
		"the id is 0 or that of another request under way",
	} {
		all = append(all, "3101 Malformed syntax - "+detail+" kind invalid")
	}
	for _, detail := range []string{
		"a text has more than 256 bytes",
		"a text has more than 32768 bytes",
		"a list has more than 1000 items",
		"more than 256 headers",
		"a header's name or value is too long",
		"the decoded body has more than 5242880 bytes",
	} {
		all = append(all, "3104 Too large payload - "+detail+" kind too-large")
	}
	return all
}

func shown(t *testing.T, d *Door, e *fault.Error) string {
	t.Helper()
	out, err := appendJSON(nil, d.shapes.failure, e.Message("id-000000"))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// FuzzProcessJSON posts arbitrary bytes: each gets one answer, never our own fault, and declines show nothing of it.
func FuzzProcessJSON(f *testing.F) {
	f.Add([]byte(`{"fsp":"payerfsp","jwsSign":` + sign + `}`))
	f.Add([]byte(`{"fsp":"` + canary + `","jwsVerify":{"bodyBase64":"AAE="}}`))
	f.Add([]byte(`{"fsp":"f","jwsSign":{"headers":{"Date":"` + canary + `","date":"b"}}}`))
	f.Add([]byte(`{"fsp":"f"}`))
	f.Add([]byte(canary))
	for _, row := range cpm.Operations() {
		f.Add([]byte(`{"fsp":"f","` + row.Operation.Member() + `":{}}`))
	}
	c := newCounts()
	d := New(Config{Processor: processor(echo), Metrics: c, NewID: func() string { return "id-000000" }})
	h := d.Handler(func(*http.Request) (cpm.Principal, error) {
		return cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "fuzz"}, nil
	})
	f.Fuzz(func(t *testing.T, in []byte) {
		before := len(c.answers)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/process", bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w := &plainWriter{header: http.Header{}}
		h.ServeHTTP(w, r)
		if len(c.answers) != before+1 {
			t.Fatalf("%d answers counted", len(c.answers)-before)
		}
		switch w.status {
		case 200:
		case 400, 413:
			declined(t, w.body.String())
		default:
			t.Fatalf("%d %s", w.status, w.body.String())
		}
		if d.reading.Taken() != 0 {
			t.Fatal("bytes are still reserved")
		}
	})
}

// FuzzStreamRequest gives arbitrary bytes to the decoder of a stream: what it takes is what Protocol Buffers reads, and
// what it refuses is refused without showing any of it.
func FuzzStreamRequest(f *testing.F) {
	d := New(Config{Processor: processor(echo)})
	seeds := []*cpmv1.StreamRequest{
		{},
		{Id: 1, Request: signProcess()},
		{Id: 1 << 63, Request: &cpmv1.ProcessRequest{Fsp: canary}},
		{Id: 2, Request: &cpmv1.ProcessRequest{Fsp: "f", Operation: &cpmv1.ProcessRequest_JwsVerify{
			JwsVerify: &cpmv1.JwsVerifyRequest{Content: &cpmv1.JwsVerifyRequest_BodyBase64{BodyBase64: []byte{0}}, Key: &cpmv1.KeySelector{Version: 1}},
		}}},
	}
	for _, op := range d.operations.rows {
		r := &cpmv1.ProcessRequest{Fsp: "f"}
		r.ProtoReflect().Set(op.request, protoreflect.ValueOfMessage(op.NewRequest().ProtoReflect()))
		seeds = append(seeds, &cpmv1.StreamRequest{Id: 3, Request: r})
	}
	for _, m := range seeds {
		in, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var ours, theirs cpmv1.StreamRequest
		err := proto.Unmarshal(in, &theirs)
		e := d.decode(&frame{data: mem.SliceBuffer(in)}, d.limits.Message, d.shapes.streamRequest, &ours)
		if e != nil {
			declined(t, shown(t, d, e))
			return
		}
		if err != nil || !proto.Equal(&ours, &theirs) || len(theirs.ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("ours %v, theirs %v %v", &ours, &theirs, err)
		}
		if id := streamID(in); id != ours.GetId() {
			t.Fatalf("id %d, want %d", id, ours.GetId())
		}
		q := d.begin(GRPC, "id-000000", cpm.Principal{}, &pace{})
		if out, e := d.processEnvelope(context.WithoutCancel(t.Context()), &q, ours.GetRequest()); e != nil {
			declined(t, shown(t, d, e))
		} else if out.GetResult() == nil {
			t.Fatal("neither result nor decline")
		}
	})
}
