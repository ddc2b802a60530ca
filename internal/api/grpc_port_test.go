package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/testing/protocmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// kindOfStatus is the kind in the Error among the details.
func kindOfStatus(t testing.TB, err error) string {
	t.Helper()
	kind := kindIn(err)
	if kind == "" {
		t.Fatalf("no Error among the details of %v", err)
	}
	return kind
}

// kindIn is kindOfStatus from whatever goroutine, and nothing when there is none.
func kindIn(err error) string {
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*cpmv1.Error); ok && e.GetRequestId() != "" {
			return e.GetErrorInformation().GetExtensionList().GetExtension()[0].GetValue()
		}
	}
	return ""
}

func TestServiceHasAllMethodsOfTheDefinition(t *testing.T) {
	t.Parallel()
	want, got := cpmv1.CryptographicService_ServiceDesc, New(Config{}).service()
	names := func(d *grpc.ServiceDesc) (all []string) {
		for _, m := range d.Methods {
			all = append(all, d.ServiceName+"/"+m.MethodName)
		}
		for _, s := range d.Streams {
			all = append(all, fmt.Sprint(d.ServiceName, "/", s.StreamName, s.ClientStreams, s.ServerStreams))
		}
		return all
	}
	if diff := cmp.Diff(names(&want), names(got)); diff != "" {
		t.Error(diff)
	}
}

func TestProcessOverGRPC(t *testing.T) {
	t.Parallel()
	var seen cpm.Request
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if _, limited := ctx.Deadline(); limited {
			t.Error("the door set a deadline")
		}
		seen = *r
		return echo(ctx, r)
	}, func(c *Config) { c.NewID = func() string { return "id-1" } })
	var header metadata.MD
	got, err := h.dial().Process(t.Context(), signProcess(), grpc.Header(&header))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: signed(signRequest())}})
	if diff := cmp.Diff([]string{"id-1"}, header["x-request-id"]); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(seen.Caller.Address, "127.0.0.1:") || seen.Arrival.IsZero() {
		t.Errorf("%+v", seen)
	}
	seen.Caller.Address, seen.Arrival = "", time.Time{}
	size, _ := h.limits.inspect(signRequest())
	if diff := cmp.Diff(cpm.Request{
		ID: "id-1", FSP: "payerfsp", Operation: cpm.JWSSign, Size: size,
		Caller:  cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "switch.example"},
		Payload: cpm.Payload{Message: signRequest()},
	}, seen, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestTheCallersDeadlineIsPassedOn(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, _ *cpm.Request) (*cpm.Result, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("no deadline")
		}
		<-ctx.Done()
		return nil, fault.New(fault.Timeout, "too late")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.dial().Process(ctx, signProcess()); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
}

func TestBatchOverGRPC(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	got, err := h.dial().Batch(t.Context(), &cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{signProcess(), {Fsp: "f"}, signProcess()}})
	if err != nil || len(got.GetResults()) != 3 {
		t.Fatal(got, err)
	}
	if got.GetResults()[0].GetJwsSign() == nil || got.GetResults()[1].GetError() == nil || got.GetResults()[2].GetJwsSign() == nil {
		t.Error(got)
	}
	if diff := cmp.Diff(map[string]int{"ok": 2, "invalid": 1}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
	if _, err = h.dial().Batch(t.Context(), &cpmv1.BatchRequest{}); kindOfStatus(t, err) != "missing" {
		t.Error(err)
	}
	many := &cpmv1.BatchRequest{Items: make([]*cpmv1.ProcessRequest, 1001)}
	for i := range many.Items {
		many.Items[i] = new(cpmv1.ProcessRequest)
	}
	if _, err = h.dial().Batch(t.Context(), many); kindOfStatus(t, err) != "too-large" {
		t.Error(err)
	}
}

func TestFaultsOfTheProcessorAsStatus(t *testing.T) {
	t.Parallel()
	var next error
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) { return nil, next })
	client := h.dial()
	for _, k := range fault.Kinds() {
		next = fault.New(k, "public").Because(errors.New(canary))
		_, err := client.Process(t.Context(), signProcess())
		if s := status.Convert(err); s.Code() != k.Code().GRPC || s.Message() != "public" || kindOfStatus(t, err) != k.String() {
			t.Errorf("%v: %v", k, err)
		}
	}
}

// messageCodec sends bytes as they are.
type messageCodec struct{}

func (messageCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (messageCodec) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = b
	return nil
}
func (messageCodec) Name() string { return "proto" }

// rawCall calls a unary method with bytes.
func rawCall(t *testing.T, c *grpc.ClientConn, method string, in []byte) error {
	t.Helper()
	var out []byte
	return c.Invoke(t.Context(), method, &in, &out, grpc.ForceCodec(messageCodec{}))
}

func wire(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// badMessage is a message that is declined at the door.
type badMessage struct {
	in   []byte
	kind string
}

// canaries is a long text that no decline may show.
func canaries(n int) []byte { return []byte(strings.Repeat(canary, n)) }

func badMessages() map[string]badMessage {
	operation := func(parts ...[]byte) []byte {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return append(wire(1, []byte("payerfsp")), wire(2, all)...)
	}
	header := func(name, value string) []byte {
		return wire(3, append(wire(1, []byte(name)), wire(2, []byte(value))...))
	}
	return map[string]badMessage{
		"nothing":              {nil, "invalid"},
		"not protobuf":         {canaries(1), "invalid"},
		"unknown field":        {wire(99, canaries(1)), "invalid"},
		"unknown inner field":  {operation(wire(77, canaries(1))), "invalid"},
		"wrong wire type":      {protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1), "invalid"},
		"truncated":            {operation(wire(1, canaries(1)))[:20], "invalid"},
		"truncated varint":     {operation(wire(7, []byte{0x10, 0x80})), "invalid"},
		"group":                {protowire.AppendTag(nil, 1, protowire.StartGroupType), "invalid"},
		"no operation":         {wire(1, []byte("f")), "invalid"},
		"no FSP":               {wire(2, nil), "invalid"},
		"impossible FSP":       {append(wire(1, canaries(20)), wire(2, nil)...), "invalid"},
		"two operations":       {append(operation(), wire(3, nil)...), "invalid"},
		"repeated field":       {operation(wire(1, canaries(1)), wire(1, canaries(1))), "invalid"},
		"two of a oneof":       {operation(wire(4, nil), wire(5, nil)), "invalid"},
		"not UTF-8":            {operation(wire(1, []byte{0xff})), "invalid"},
		"repeated header":      {operation(header(canary, ""), header(canary, "")), "invalid"},
		"same but for case":    {operation(header(canary, ""), header(strings.ToLower(canary), "")), "invalid"},
		"no name":              {operation(header("", canary)), "invalid"},
		"malformed header":     {operation(wire(3, canaries(1))), "invalid"},
		"truncated header":     {operation(wire(3, []byte{0x0a, 0x09, 'a'})), "invalid"},
		"two names in a entry": {operation(wire(3, append(wire(1, []byte("a")), wire(1, []byte("b"))...))), "invalid"},
		"five headers":         {operation(header("a", ""), header("b", ""), header("c", ""), header("d", ""), header("e", "")), "too-large"},
		"long header name":     {operation(header(string(canaries(12)), "")), "too-large"},
		"long header value":    {operation(header("a", string(canaries(1500)))), "too-large"},
		"long URI":             {operation(wire(2, canaries(1500))), "too-large"},
		"long body":            {operation(wire(4, canaries(1000))), "too-large"},
		"long base64 body":     {operation(wire(5, canaries(1000))), "too-large"},
		"long message":         {wire(1, canaries(3000)), "too-large"},
	}
}

func TestDeclinesOverGRPC(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) {
		c.Limits.Headers, c.Limits.Message, c.Limits.Body = 4, 64<<10, 20<<10
		c.Limits.Batch = 128 << 10
	})
	conn := h.conn(h.with(h.ca.client(t, "switch.example")))
	process := cpmv1.CryptographicService_Process_FullMethodName
	want := map[string]int{}
	for name, c := range badMessages() {
		want[c.kind]++
		err := rawCall(t, conn, process, c.in)
		if status.Code(err) == codes.OK {
			t.Errorf("%s: taken", name)
			continue
		}
		if got := kindOfStatus(t, err); got != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
		if strings.Contains(fmt.Sprint(err, status.Convert(err).Details()), canary) {
			t.Errorf("%s: echoes input: %v", name, err)
		}
	}
	err := rawCall(t, conn, process, canaries(10000))
	want["too-large"]++
	if status.Code(err) != codes.ResourceExhausted || strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
	for _, method := range []string{"/cpm.v1.CryptographicService/" + canary, "/" + canary + "/Process"} {
		want["unsupported"]++
		if err := rawCall(t, conn, method, nil); kindOfStatus(t, err) != "unsupported" || strings.Contains(err.Error(), canary) {
			t.Error(err)
		}
	}
	// What gRPC refuses it has answered before it is counted.
	waitFor(t, func() bool { return h.counts.outcomes()["too-large"] >= want["too-large"] })
	if diff := cmp.Diff(want, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(strings.ToLower(h.log.String()), strings.ToLower(canary)) {
		t.Error("the log holds input")
	}
}

func TestACallThatSendsNothingIsEnded(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.ReadTimeout = 50 * time.Millisecond })
	conn := h.conn(h.with(h.ca.client(t, "switch.example")))
	s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, cpmv1.CryptographicService_Process_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(cpmv1.ProcessResponse)); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	waitFor(t, func() bool { return h.counts.outcomes()["timeout"] == 1 })
}

func TestTheNumberOfOpenCallsIsLimited(t *testing.T) {
	t.Parallel()
	p := &held{free: make(chan struct{})}
	h := open(t, p.process, func(c *Config) { c.Limits.Calls = 3 })
	client := h.dial()
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := client.Process(t.Context(), signProcess())
			results <- err
		}()
	}
	waitFor(t, func() bool { return h.calls.Taken() == 2 })
	if _, err := client.Process(t.Context(), signProcess()); kindOfStatus(t, err) != "busy" {
		t.Error(err)
	}
	s, err := client.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); kindOfStatus(t, err) != "busy" {
		t.Error(err)
	}
	close(p.free)
	for range 2 {
		if err := await(t, "the answer to a call", results); err != nil {
			t.Error(err)
		}
	}
}

func TestTheReadingBudgetHoldsForGRPC(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 100 })
	if _, err := h.dial().Process(t.Context(), signProcess()); kindOfStatus(t, err) != "busy" {
		t.Error(err)
	}
}

func TestAPanicOverGRPC(t *testing.T) {
	t.Parallel()
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) { panic(canary) })
	if _, err := h.dial().Process(t.Context(), signProcess()); kindOfStatus(t, err) != "internal" || strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
}
