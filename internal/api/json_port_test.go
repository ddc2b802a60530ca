package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

const sign = `{"method":"POST","uri":"/quotes","headers":{"fspiop-source":"payerfsp","date":"now"},"body":"{\"a\":1}","form":"raw","key":{"name":"k","version":2}}`

func TestSignAndVerifyOverJSON(t *testing.T) {
	t.Parallel()
	var seen cpm.Request
	arrival := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		seen = *r
		if _, limited := ctx.Deadline(); limited {
			t.Error("the door set a deadline")
		}
		return echo(ctx, r)
	}, func(c *Config) {
		c.Now = func() time.Time { return arrival }
		c.NewID = func() string { return "id-1" }
	})
	a := post(t, h.http(), h.url("/v1/fsps/payerfsp/jws/sign"), strings.NewReader(sign))
	const want = `{"headers":{"fspiop-http-method":"POST","fspiop-signature":"{\"signature\":\"c2lnbmF0dXJl\",\"protectedHeader\":\"cHJvdGVjdGVk\"}","fspiop-uri":"/quotes"},"body":"{\"a\":1}","algorithm":"ES256","keyVersion":1,"key":{"id":"00112233445566778899aabbccddeeff","name":"k","version":1}}`
	if a.status != 200 || a.body != want || a.header.Get("X-Request-Id") != "id-1" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v\n got %s\nwant %s", a.status, a.header, a.body, want)
	}
	message := seen.Payload.Message
	equal(t, message, &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Headers: map[string]string{"fspiop-source": "payerfsp", "date": "now"},
		Content: &cpmv1.JwsSignRequest_Body{Body: `{"a":1}`}, Form: "raw", Key: &cpmv1.KeySelector{Name: "k", Version: 2},
	})
	seen.Payload.Message = nil
	if !strings.HasPrefix(seen.Caller.Address, "127.0.0.1:") {
		t.Errorf("address %q", seen.Caller.Address)
	}
	seen.Caller.Address = ""
	if diff := cmp.Diff(cpm.Request{
		ID: "id-1", FSP: "payerfsp", Operation: cpm.JWSSign, Arrival: arrival, Size: 64 + 7 + 28 + 15,
		Caller: cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "switch.example"},
	}, seen); diff != "" {
		t.Error(diff)
	}
	a = post(t, h.http(), h.url("/v1/fsps/payerfsp/jws/verify"), strings.NewReader(`{"method":"POST","uri":"/quotes","bodyBase64":"AA=="}`))
	const verdict = `{"valid":false,"reason":"key-unknown","errorInformation":{"errorCode":"3105","errorDescription":"Invalid signature - key-unknown","extensionList":{"extension":[{"key":"reason","value":"key-unknown"}]}}}`
	if a.status != 200 || a.body != verdict {
		t.Errorf("%d %s", a.status, a.body)
	}
	if diff := cmp.Diff([]Answer{{Port: JSON, Operation: cpm.JWSSign}, {Port: JSON, Operation: cpm.JWSVerify}}, h.counts.answers); diff != "" {
		t.Error(diff)
	}
}

func TestEncodedResultsAreDecoded(t *testing.T) {
	t.Parallel()
	want := signed(signRequest())
	encoded, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) {
		return &cpm.Result{Payload: cpm.Payload{Encoded: encoded}}, nil
	})
	a := post(t, h.http(), h.url("/v1/fsps/f/jws/sign"), strings.NewReader(`{}`))
	var got cpmv1.JwsSignResponse
	if err := protojson.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(a.body, err)
	}
	equal(t, &got, want)
}

func TestProcessOverJSON(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	a := post(t, h.http(), h.url("/v1/process"), strings.NewReader(`{"fsp":"payerfsp","jwsVerify":{"body":""}}`))
	if a.status != 200 || !strings.HasPrefix(a.body, `{"jwsVerify":{"valid":false,`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if diff := cmp.Diff(map[string]int{"ok": 1}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

func TestBatchAnswersInOrderWithBoundedConcurrency(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Millisecond)
		if m, ok := r.Payload.Message.(interface{ GetUri() string }); ok && m.GetUri() == "/3" {
			return nil, fault.New(fault.NotRouted, "no route")
		}
		return echo(ctx, r)
	}, func(c *Config) {
		c.NewID = func() string { return "b" }
		c.Limits.BatchParallel = 3
	})
	var items []string
	for i := range 20 {
		items = append(items, fmt.Sprintf(`{"fsp":"f","jwsSign":{"uri":"/%d"}}`, i))
	}
	items[5] = `{"fsp":"f"}`
	items[6] = `{"fsp":"a/b","jwsSign":{}}`
	items[7] = `{"fsp":"f","jwsSign":{"headers":{"Date":"a","date":"b"}}}`
	a := post(t, h.http(), h.url("/v1/batch"), strings.NewReader(`{"items":[`+strings.Join(items, ",")+`]}`))
	var got cpmv1.BatchResponse
	if err := protojson.Unmarshal([]byte(a.body), &got); err != nil || len(got.GetResults()) != 20 {
		t.Fatal(a.status, a.body, err)
	}
	codes := map[int]string{3: "2002", 5: "3101", 6: "3101", 7: "3101"}
	for i, r := range got.GetResults() {
		if code, declined := codes[i]; declined {
			e := r.GetError()
			if e.GetErrorInformation().GetErrorCode() != code || e.GetRequestId() != fmt.Sprintf("b-%d", i) {
				t.Errorf("item %d: %v", i, r)
			}
		} else if uri := r.GetJwsSign().GetHeaders()["fspiop-uri"]; uri != fmt.Sprintf("/%d", i) {
			t.Errorf("item %d: %v", i, r)
		}
	}
	if n := most.Load(); n > 3 {
		t.Errorf("%d at once", n)
	}
	if diff := cmp.Diff(map[string]int{"ok": 16, "not-routed": 1, "invalid": 3}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

// canary is in every bad request; no decline may show it.
const canary = "CANARYcanary0123456789"

// badRequest is a request that is declined at the door.
type badRequest struct {
	method, path, contentType, body string
	status                          int
	kind                            string
}

func badRequests() map[string]badRequest {
	const at = "/v1/fsps/payerfsp/jws/sign"
	return map[string]badRequest{
		"unknown path":         {"POST", "/v1/" + canary, "", sign, 404, "not-found"},
		"root":                 {"GET", "/", "", "", 404, "not-found"},
		"unknown operation":    {"POST", "/v1/fsps/f/jws/" + canary, "", sign, 404, "not-found"},
		"no operation":         {"POST", "/v1/fsps/payerfsp", "", sign, 404, "not-found"},
		"trailing slash":       {"POST", at + "/", "", sign, 404, "not-found"},
		"encoded slash":        {"POST", "/v1/fsps/payerfsp/jws%2Fsign", "", sign, 404, "not-found"},
		"double slash":         {"POST", "/v1/fsps//payerfsp/jws/sign", "", sign, 404, "not-found"},
		"other prefix":         {"POST", "/v2/fsps/payerfsp/jws/sign", "", sign, 404, "not-found"},
		"wrong method":         {"GET", at, "", "", 405, "invalid"},
		"wrong method, body":   {"PUT", at, "", sign, 405, "invalid"},
		"GET of process":       {"GET", "/v1/process", "", "", 405, "invalid"},
		"POST of the document": {"POST", "/openapi.json", "", "{}", 405, "invalid"},
		"no FSP":               {"POST", "/v1/fsps//jws/sign", "", sign, 400, "invalid"},
		"FSP with a slash":     {"POST", "/v1/fsps/a%2F" + canary + "/jws/sign", "", sign, 400, "invalid"},
		"FSP with a space":     {"POST", "/v1/fsps/a%20b/jws/sign", "", sign, 400, "invalid"},
		"FSP is the wildcard":  {"POST", "/v1/fsps/*/jws/sign", "", sign, 400, "invalid"},
		"FSP too long":         {"POST", "/v1/fsps/" + strings.Repeat("f", 129) + "/jws/sign", "", sign, 400, "invalid"},
		"FSP in the body":      {"POST", "/v1/process", "", `{"fsp":"a b","jwsSign":{}}`, 400, "invalid"},
		"no FSP in the body":   {"POST", "/v1/process", "", `{"jwsSign":{}}`, 400, "invalid"},
		"no member":            {"POST", "/v1/process", "", `{"fsp":"f"}`, 400, "invalid"},
		"two members":          {"POST", "/v1/process", "", `{"fsp":"f","jwsSign":{},"jwsVerify":{}}`, 400, "invalid"},
		"form":                 {"POST", at, "application/x-www-form-urlencoded", sign, 400, "invalid"},
		"text":                 {"POST", at, "text/plain;charset=" + canary, sign, 400, "invalid"},
		"malformed type":       {"POST", at, "application/json;;" + canary, sign, 400, "invalid"},
		"other charset":        {"POST", at, "application/json; charset=utf-16", sign, 400, "invalid"},
		"no type":              {"POST", at, " ", sign, 400, "invalid"},
		"no body":              {"POST", at, "", "", 400, "invalid"},
		"truncated":            {"POST", at, "", sign[:40], 400, "invalid"},
		"not JSON":             {"POST", at, "", canary, 400, "invalid"},
		"unknown member":       {"POST", at, "", `{"` + canary + `":1}`, 400, "invalid"},
		"repeated member":      {"POST", at, "", `{"uri":"` + canary + `","uri":"` + canary + `"}`, 400, "invalid"},
		"repeated header":      {"POST", at, "", `{"headers":{"` + canary + `":"a","` + canary + `":"a"}}`, 400, "invalid"},
		"same but for case":    {"POST", at, "", `{"headers":{"` + canary + `":"a","` + strings.ToUpper(canary) + `":"a"}}`, 400, "invalid"},
		"header without name":  {"POST", at, "", `{"headers":{"":"` + canary + `"}}`, 400, "invalid"},
		"five headers":         {"POST", at, "", `{"headers":{"` + canary + `":"","b":"","c":"","d":"","e":""}}`, 413, "too-large"},
		"long header name":     {"POST", at, "", `{"headers":{"` + strings.Repeat(canary, 12) + `":""}}`, 413, "too-large"},
		"long header value":    {"POST", at, "", `{"headers":{"a":"` + strings.Repeat(canary, 1500) + `"}}`, 413, "too-large"},
		"long URI":             {"POST", at, "", `{"uri":"` + strings.Repeat(canary, 1500) + `"}`, 413, "too-large"},
		"long body":            {"POST", at, "", `{"body":"` + strings.Repeat(canary, 1000) + `"}`, 413, "too-large"},
		"long message":         {"POST", at, "", strings.Repeat(" ", 65<<10) + canary, 413, "too-large"},
		"depth bomb":           {"POST", at, "", strings.Repeat(`{"key":`, 9000), 400, "invalid"},
		"depth bomb of lists":  {"POST", at, "", strings.Repeat(`[`, 60000), 400, "invalid"},
		"empty batch":          {"POST", "/v1/batch", "", `{"items":[]}`, 400, "missing"},
		"batch of 1,001":       {"POST", "/v1/batch", "", `{"items":[` + strings.Repeat("{},", 1000) + `{}]}`, 413, "too-large"},
	}
}

func TestDeclinesOverJSON(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Headers = 4; c.Limits.Message = 64 << 10; c.Limits.Body = 20 << 10 })
	client := h.http()
	want := map[string]int{}
	for name, c := range badRequests() {
		want[c.kind]++
		r, err := http.NewRequestWithContext(t.Context(), c.method, h.url(c.path), strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json; charset=UTF-8")
		if c.contentType != "" {
			r.Header.Set("Content-Type", strings.TrimSpace(c.contentType))
		}
		a := do(t, client, r)
		if a.status != c.status || a.kind(t) != c.kind {
			t.Errorf("%s: %d %s, want %d %s", name, a.status, a.body, c.status, c.kind)
		}
		if strings.Contains(strings.ToLower(a.body+fmt.Sprint(a.header)), strings.ToLower(canary)) {
			t.Errorf("%s: echoes input: %v %s", name, a.header, a.body)
		}
		if c.status == 405 && (a.header.Get("Allow") == "" || !strings.Contains(a.body, `"errorCode":"3000"`)) {
			t.Errorf("%s: %v %s", name, a.header, a.body)
		}
	}
	if strings.Contains(strings.ToLower(h.log.String()), strings.ToLower(canary)) {
		t.Error("the log holds input")
	}
	if diff := cmp.Diff(want, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsOfTheProcessorAreShownByTheTable(t *testing.T) {
	t.Parallel()
	var next error
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) { return nil, next })
	client := h.http()
	for _, k := range fault.Kinds() {
		next = fault.New(k, "public").Because(errors.New(canary)).After(1500 * time.Millisecond)
		a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(`{}`))
		if a.status != k.Code().HTTP || a.kind(t) != k.String() || !strings.Contains(a.body, " - public") || a.header.Get("Retry-After") != "2" {
			t.Errorf("%v: %d %v %s", k, a.status, a.header, a.body)
		}
		if strings.Contains(a.body, canary) {
			t.Errorf("%v: %s", k, a.body)
		}
	}
	if h.log.String() != "" {
		t.Error("declines of the Processor are the Processor's to log:", h.log)
	}
	next = errors.New(canary)
	a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(`{}`))
	if a.status != 500 || a.kind(t) != "internal" || strings.Contains(a.body, canary) || !strings.Contains(h.log.String(), canary) {
		t.Errorf("%d %s, log %s", a.status, a.body, h.log)
	}
}

func TestResultsOfTheWrongKindAreInternal(t *testing.T) {
	t.Parallel()
	var next *cpm.Result
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) { return next, nil })
	for name, r := range map[string]*cpm.Result{
		"none":          nil,
		"other message": {Payload: cpm.Payload{Message: new(cpmv1.JwsVerifyResponse)}},
		"not decodable": {Payload: cpm.Payload{Encoded: []byte{0xff}}},
		"not UTF-8":     {Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Algorithm: "\xff"}}},
	} {
		next = r
		if a := post(t, h.http(), h.url("/v1/process"), strings.NewReader(`{"fsp":"f","jwsSign":{}}`)); a.status != 500 || a.kind(t) != "internal" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAPanicIsOneInternalAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		switch r.FSP {
		case "text":
			panic(canary)
		case "index":
			return nil, []error{}[len(r.FSP)]
		}
		return echo(ctx, r)
	})
	client := h.http()
	for _, fsp := range []string{"text", "index"} {
		a := post(t, client, h.url("/v1/fsps/"+fsp+"/jws/sign"), strings.NewReader(`{}`))
		if a.status != 500 || a.kind(t) != "internal" || strings.Contains(a.body, canary) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a := post(t, client, h.url("/v1/batch"), strings.NewReader(`{"items":[{"fsp":"text","jwsSign":{}},{"fsp":"f","jwsSign":{}}]}`))
	if a.status != 200 || !strings.Contains(a.body, `{"results":[{"error":{`) || !strings.Contains(a.body, `},{"jwsSign":`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := h.log.String(); strings.Contains(log, canary) || !strings.Contains(log, "index out of range") || !strings.Contains(log, "json_port_test.go") {
		t.Error(log)
	}
	if diff := cmp.Diff(map[string]int{"ok": 1, "internal": 3}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

func TestAPanicOfTheDoorIsOneInternalAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Metrics = nil })
	panicking := h.Handler(func(*http.Request) (cpm.Principal, error) { panic("x") })
	w := &plainWriter{header: http.Header{}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/process", nil)
	if err != nil {
		t.Fatal(err)
	}
	panicking.ServeHTTP(w, r)
	if w.status != 500 || !strings.Contains(w.body.String(), `"2001"`) {
		t.Errorf("%d %s", w.status, w.body.String())
	}
}

// plainWriter is a ResponseWriter without deadlines, flushing and duplex.
type plainWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) WriteHeader(status int)      { w.status = status }
func (w *plainWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
