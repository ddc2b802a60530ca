package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// request is one operation for one FSP, for whichever door.
type request struct {
	caller, fsp, operation string
	message                message
}

// member is the operation's name in envelopes.
func (r request) member() string {
	return map[string]string{"sign": "jwsSign", "verify": "jwsVerify"}[r.operation]
}

func (r request) path() string { return "/v1/fsps/" + r.fsp + "/jws/" + r.operation }

// envelope is the request as /v1/process takes it.
func (r request) envelope() map[string]any {
	return map[string]any{"fsp": r.fsp, r.member(): r.message}
}

// doors are the ways an operation can be asked for. A batch has a good item behind the one in question, which must not
// suffer.
func doors() map[string]func(*world, testing.TB, request) answer {
	return map[string]func(*world, testing.TB, request) answer{
		"json":       (*world).askJSON,
		"process":    (*world).askProcess,
		"batch":      (*world).askBatch,
		"grpc":       (*world).askGRPC,
		"grpc-batch": (*world).askGRPCBatch,
		"stream":     (*world).askStream,
	}
}

func (w *world) askJSON(t testing.TB, r request) answer {
	t.Helper()
	return w.post(t, r, r.path(), marshal(t, r.message), func(text []byte) (answer, error) { return readResult(r.operation, text) })
}

func (w *world) askProcess(t testing.TB, r request) answer {
	t.Helper()
	return w.post(t, r, "/v1/process", marshal(t, r.envelope()), func(text []byte) (answer, error) {
		return readItem(r, text)
	})
}

func (w *world) askBatch(t testing.TB, r request) answer {
	t.Helper()
	items := []any{r.envelope()}
	other := w.good(r.caller)
	if other != nil {
		items = append(items, other.envelope())
	}
	body := marshal(t, map[string]any{"items": items})
	return w.post(t, r, "/v1/batch", body, func(text []byte) (answer, error) {
		var b struct{ Results []json.RawMessage }
		if err := strict(text, &b); err != nil || len(b.Results) != len(items) {
			return answer{}, fmt.Errorf("%d results of %d items: %w", len(b.Results), len(items), err)
		}
		if other != nil {
			w.unharmed(t, "json", func() (answer, error) { return readItem(*other, b.Results[1]) })
		}
		return readItem(r, b.Results[0])
	})
}

// unharmed judges and counts the good item of a batch.
func (w *world) unharmed(t testing.TB, port string, read func() (answer, error)) {
	t.Helper()
	a, err := read()
	if err != nil || !a.good() {
		t.Errorf("the other item suffers: %s %v", a, err)
	}
	w.tally.add(port, a)
}

// readItem reads a ProcessResponse: the member of the operation, or an error.
func readItem(r request, text []byte) (answer, error) {
	var members map[string]json.RawMessage
	if err := strict(text, &members); err != nil || len(members) != 1 {
		return answer{}, fmt.Errorf("%d members instead of one: %w", len(members), err)
	}
	if e, ok := members["error"]; ok {
		return readDecline(e)
	}
	return readResult(r.operation, members[r.member()])
}

// post sends a good HTTP request and counts its answer.
func (w *world) post(t testing.TB, r request, path string, body []byte, read func([]byte) (answer, error)) answer {
	t.Helper()
	p := plea{method: "POST", path: path, body: body, header: map[string]string{"Content-Type": "application/json"}}
	return w.plead(t, r.caller, p, read)
}

// plead sends an HTTP request as the caller, reads its answer, good ones with read, and counts it.
func (w *world) plead(t testing.TB, caller string, p plea, read func([]byte) (answer, error)) answer {
	t.Helper()
	p.header["X-Request-Id"] = w.marker
	got, err := p.ask(w.At.HTTP, w.tls(caller))
	if err != nil {
		t.Errorf("JSON port: %v", err)
		return answer{}
	}
	if got.next != nil {
		w.kept(t, *got.next, got.status)
	}
	if got.status != 200 {
		read = readDecline
	}
	a, err := read(got.body)
	if err != nil {
		t.Errorf("JSON port: %v\n%s", err, got.body)
	}
	id := got.header.Get("X-Request-Id")
	if id == "" || got.status != 200 && id != a.requestID {
		t.Errorf("X-Request-Id is %q, the body has %q", id, a.requestID)
	}
	a.status = got.status
	w.tally.add("json", a)
	w.noEcho(t, a, fmt.Append(nil, got.header))
	return a
}

// kept judges and counts the second answer of a connection, which is the OpenAPI document for everybody with a name.
func (w *world) kept(t testing.TB, r reply, before int) {
	t.Helper()
	if r.status == 200 && bytes.HasPrefix(r.body, []byte(`{"components":`)) {
		w.tally.addOther("json")
		return
	}
	a, err := readDecline(r.body)
	if err != nil || a.kind != "unauthenticated" || r.status != before {
		t.Errorf("another answer than the one asked for: status %d, %s %v", r.status, a, err)
	}
	w.tally.add("json", a)
}

// encoded is the request as gRPC takes it.
func (r request) encoded(t testing.TB) *cpmv1.ProcessRequest {
	t.Helper()
	out := new(cpmv1.ProcessRequest)
	if err := protojson.Unmarshal(marshal(t, r.envelope()), out); err != nil {
		t.Fatalf("this request has no form in gRPC, choose its doors: %v", err)
	}
	return out
}

// context is that of a call, with a request id of the caller's own.
func (w *world) context(t testing.TB) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "x-request-id", w.marker)
}

func (w *world) askGRPC(t testing.TB, r request) answer {
	t.Helper()
	var header metadata.MD
	out, err := w.client(r.caller).Process(w.context(t), r.encoded(t), grpc.Header(&header))
	var a answer
	if err == nil {
		a, err = readMessage(out)
	} else {
		a, err = readStatus(err)
	}
	if err != nil {
		t.Errorf("gRPC: %v", err)
	}
	if id := header.Get("x-request-id"); len(id) != 1 || a.requestID != "" && id[0] != a.requestID {
		t.Errorf("x-request-id is %q, the error has %q", id, a.requestID)
	}
	w.tally.add("grpc", a)
	w.noEcho(t, a, fmt.Append(nil, header))
	return a
}

func (w *world) askGRPCBatch(t testing.TB, r request) answer {
	t.Helper()
	in := &cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{r.encoded(t)}}
	other := w.good(r.caller)
	if other != nil {
		in.Items = append(in.Items, other.encoded(t))
	}
	out, err := w.client(r.caller).Batch(w.context(t), in)
	var a answer
	switch {
	case err != nil:
		a, err = readStatus(err)
	case len(out.GetResults()) != len(in.GetItems()):
		err = fmt.Errorf("%d results of %d items", len(out.GetResults()), len(in.GetItems()))
	default:
		if other != nil {
			w.unharmed(t, "grpc", func() (answer, error) { return readMessage(out.GetResults()[1]) })
		}
		a, err = readMessage(out.GetResults()[0])
	}
	if err != nil {
		t.Errorf("gRPC batch: %v", err)
	}
	w.tally.add("grpc", a)
	w.noEcho(t, a)
	return a
}

func (w *world) askStream(t testing.TB, r request) answer {
	t.Helper()
	const id = 7
	stream, err := w.client(r.caller).Stream(w.context(t))
	must(t, err)
	// A stream that is declined as a whole may end before this is sent; Recv then tells why.
	if err := stream.Send(&cpmv1.StreamRequest{Id: id, Request: r.encoded(t)}); !errors.Is(err, io.EOF) {
		must(t, err)
	}
	must(t, stream.CloseSend())
	out, err := stream.Recv()
	var a answer
	switch {
	case err != nil: // the stream as a whole was declined
		a, err = readStatus(err)
	case out.GetId() != id:
		err = fmt.Errorf("the answer has the id %d", out.GetId())
	default:
		a, err = readMessage(out.GetResponse())
		if _, end := stream.Recv(); !errors.Is(end, io.EOF) {
			t.Errorf("stream: something follows the answer: %v", end)
		}
	}
	if err != nil {
		t.Errorf("stream: %v", err)
	}
	w.tally.add("grpc", a)
	w.noEcho(t, a)
	return a
}

// readStatus reads a decline that is the status of a call.
func readStatus(err error) (answer, error) {
	s := status.Convert(err)
	raw, marshalError := proto.Marshal(s.Proto())
	if marshalError != nil || len(s.Details()) != 1 {
		return answer{raw: raw}, fmt.Errorf("a status without its error: %w", err)
	}
	detail, ok := s.Details()[0].(*cpmv1.Error)
	if !ok {
		return answer{raw: raw}, fmt.Errorf("a status with another detail: %w", err)
	}
	a, err := readError(detail, raw)
	if kind, _ := fault.KindNamed(a.kind); err == nil && kind.Code().GRPC != s.Code() {
		err = fmt.Errorf("kind %s has the status %s", kind.String(), s.Code())
	}
	return a, err
}
