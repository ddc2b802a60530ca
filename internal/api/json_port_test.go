package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
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
		ID: "id-1", FSP: "payerfsp", Operation: cpm.JWSSign, Arrival: arrival, Size: 64 + 7 + 28,
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
		if r.Payload.Message.(interface{ GetUri() string }).GetUri() == "/3" {
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

func TestDeclinesOverJSON(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Headers = 4; c.Limits.Message = 64 << 10; c.Limits.Body = 20 << 10 })
	client := h.http()
	want := map[string]int{}
	const at = "/v1/fsps/payerfsp/jws/sign"
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
		kind                            string
	}{
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
	} {
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

func TestOversizeIsDeclinedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) {
		c.Limits.Message, c.Limits.Batch, c.Limits.ReadTimeout = 1<<20, 2<<20, time.Minute
	})
	client := h.http()
	for _, c := range []struct {
		path string
		size int64
	}{
		{"/v1/fsps/f/jws/sign", 1<<20 + 1}, {"/v1/process", 40 << 20}, {"/v1/batch", 2<<20 + 1}, {"/v1/batch", 40 << 20},
	} {
		for _, length := range []int64{c.size, -1} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url(c.path), io.NewSectionReader(spaces{}, 0, c.size))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = length
			if a := do(t, client, r); a.status != 413 || a.kind(t) != "too-large" || !a.closed {
				t.Errorf("%s %d of length %d: %d %s", c.path, c.size, length, a.status, a.body)
			}
		}
	}
}

// spaces is a long text that takes no memory.
type spaces struct{}

func (spaces) ReadAt(p []byte, _ int64) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// raw sends bytes over TLS and reads the answers one by one.
func raw(t *testing.T, h *house) (*tls.Conn, func() answer) {
	t.Helper()
	d := tls.Dialer{Config: h.with(h.ca.client(t, "switch.example"))}
	c, err := d.DialContext(t.Context(), "tcp", h.json)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	in := bufio.NewReader(c)
	return c.(*tls.Conn), func() answer {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		out, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{res.StatusCode, res.Header, string(out), res.Close}
	}
}

func TestASlowWriterIsDeclinedAndLetGo(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.ReadTimeout = 50 * time.Millisecond })
	c, next := raw(t, h)
	fmt.Fprintf(c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	a := next()
	if a.status != 504 || a.kind(t) != "timeout" || !a.closed {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestASmallBodyOfADeclineDoesNotCostTheConnection(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	for range 3 {
		fmt.Fprintf(c, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(sign), sign)
		if a := next(); a.status != 404 || a.closed {
			t.Errorf("%d, closed %v", a.status, a.closed)
		}
	}
}

func TestASlowOperationIsNotTakenForASlowWriter(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		select {
		case <-ctx.Done():
			return nil, fault.New(fault.Timeout, "cancelled")
		case <-time.After(150 * time.Millisecond):
			return echo(ctx, r)
		}
	}, func(c *Config) { c.Limits.ReadTimeout = 50 * time.Millisecond })
	client := h.http()
	for range 2 {
		if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(`{}`)); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func TestABodyThatEndsEarlyIsInvalid(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	fmt.Fprintf(c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := next(); a.status != 400 || a.kind(t) != "invalid" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	fmt.Fprintf(c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99000000\r\nExpect: 100-continue\r\n\r\n")
	if a := next(); a.status != 413 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestTheReadingBudgetIsShared(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 64 << 10 })
	first, firstAnswer := raw(t, h)
	fmt.Fprintf(first, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{")
	client := h.http()
	waitFor(t, func() bool { return h.reading.left.Load() < 8<<10 })
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat(" ", 8<<10)), io.NewSectionReader(spaces{}, 0, 20<<10)} {
		a := post(t, client, h.url("/v1/fsps/f/jws/sign"), body)
		if a.status != 429 || a.kind(t) != "busy" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	fmt.Fprint(first, strings.Repeat(" ", 60000-2)+"}")
	if a := firstAnswer(); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(strings.Repeat(" ", 8<<10)+"{}")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// waitFor waits for something that another goroutine does.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 10000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("did not happen")
}

// TestLargeBodiesReuseMemory runs alone: it measures what is allocated.
func TestLargeBodiesReuseMemory(t *testing.T) {
	h := open(t, echo)
	client := h.http()
	body := `{"body":"` + strings.Repeat("x", 6<<20) + `"}`
	send := func() {
		if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(body)); a.status != 413 || a.kind(t) != "too-large" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	send()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 16
	for range times {
		send()
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > times*(6<<20)*3/4 {
		t.Errorf("%d bytes allocated for %d requests of 6 MiB", used, times)
	}
}

func TestTheLargestBodyIsTaken(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	body := `{"body":"` + strings.Repeat(`\"`, 5<<20) + `"}`
	if a := post(t, h.http(), h.url("/v1/fsps/f/jws/sign"), strings.NewReader(body)); a.status != 200 || len(a.body) < 10<<20 {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
}

func TestConcurrentRequestsAreAllAnswered(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	client := h.http()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign))
				if a.status != 200 || !json.Valid([]byte(a.body)) {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	all.Wait()
	if n := h.counts.outcomes()["ok"]; n != 200 {
		t.Error(n)
	}
}
