package keyupdate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

func TestAKeyUpdateIsForwardedAndAnswered(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"Add", "Update", "Delete"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			core := &fakeCore{}
			b := newBench(t, core)
			text := jws(`{"action":"` + action + `","fsp":"payerfsp"}`)
			got := b.update(t, text)
			want := map[string]any{"result": "success", "fsp": "payerfsp", "name": "sig", "version": 2.0}
			if diff := cmp.Diff(want, got.Body); diff != "" || got.Status != http.StatusOK {
				t.Errorf("status %d (-want +got):\n%s", got.Status, diff)
			}
			asks := core.asks()
			if len(asks) != 1 || string(asks[0].GetJws()) != text {
				t.Fatalf("asked %d times, or not with the bytes that came", len(asks))
			}
			credential := asks[0].GetCredential()
			if credential.GetAddress() != "127.0.0.1" || !cmp.Equal(credential.GetCertificateNames(), []string{"payerfsp.example"}) {
				t.Errorf("credential %v", credential)
			}
			status, err := b.Status(t.Context())
			if diff := cmp.Diff(map[string]cpm.Outcomes{action: {Success: 1}}, status.Counts); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if !b.log.has("keyupdate.answered") || got.Headers.Get("X-Request-Id") == "" {
				t.Error("no event, or no request id")
			}
		})
	}
}

func TestWhatIsNoKeyUpdateIsDeclinedCountedAndNeverForwarded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	cases := map[string]struct {
		method, path, contentType, body string
		status                          int
		kind                            string
	}{
		"another action":     {"POST", PathUpdates, "application/jose", jws(`{"action":"Destroy"}`), 400, "invalid"},
		"action in lower":    {"POST", PathUpdates, "application/jose", jws(`{"action":"add"}`), 400, "invalid"},
		"action is a list":   {"POST", PathUpdates, "application/jose", jws(`{"action":["Add"]}`), 400, "invalid"},
		"no action":          {"POST", PathUpdates, "application/jose", jws(`{"fsp":"payerfsp"}`), 400, "missing"},
		"two actions":        {"POST", PathUpdates, "application/jose", jws(`{"action":"Add","action":"Delete"}`), 400, "invalid"},
		"a list":             {"POST", PathUpdates, "application/jose", jws(`["Add"]`), 400, "invalid"},
		"deep":               {"POST", PathUpdates, "application/jose", jws(`{"action":"Add","x":` + deep + `}`), 400, "invalid"},
		"no JSON":            {"POST", PathUpdates, "application/jose", jws(`action=Add`), 400, "invalid"},
		"two parts":          {"POST", PathUpdates, "application/jose", "e30.e30", 400, "invalid"},
		"four parts":         {"POST", PathUpdates, "application/jose", jws(`{"action":"Add"}`) + ".e30", 400, "invalid"},
		"no signature":       {"POST", PathUpdates, "application/jose", strings.TrimRight(jws(`{"action":"Add"}`), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), 400, "invalid"},
		"padding":            {"POST", PathUpdates, "application/jose", jws(`{"action":"Add"}`) + "=", 400, "invalid"},
		"line end":           {"POST", PathUpdates, "application/jose", jws(`{"action":"Add"}`) + "\n", 400, "invalid"},
		"empty":              {"POST", PathUpdates, "application/jose", "", 400, "invalid"},
		"dots":               {"POST", PathUpdates, "application/jose", strings.Repeat(".", maxUpdate), 400, "invalid"},
		"too long":           {"POST", PathUpdates, "application/jose", strings.Repeat("a", maxUpdate+1), 413, "too-large"},
		"JSON form":          {"POST", PathUpdates, "application/json", `{"payload":"e30"}`, 400, "invalid"},
		"no content type":    {"POST", PathUpdates, "", jws(`{"action":"Add"}`), 400, "invalid"},
		"another method":     {"PUT", PathUpdates, "application/jose", jws(`{"action":"Add"}`), 405, "invalid"},
		"another path":       {"POST", "/v1/commands", "application/jose", jws(`{"action":"Add"}`), 404, "not-found"},
		"import key without": {"GET", PathImportKey, "", "", 400, "missing"},
		"import key of *":    {"GET", PathImportKey + "?fsp=*", "", "", 400, "missing"},
		"batch without list": {"POST", PathBatch, "application/json", `{"updates":"x"}`, 400, "invalid"},
		"batch of nothing":   {"POST", PathBatch, "application/json", `{"updates":[]}`, 400, "invalid"},
		"batch with more":    {"POST", PathBatch, "application/json", `{"updates":["x"],"y":1}`, 400, "invalid"},
		"batch of two":       {"POST", PathBatch, "application/json", `{"updates":["x"]}{}`, 400, "invalid"},
		"batch of numbers":   {"POST", PathBatch, "application/json", `{"updates":[1]}`, 400, "invalid"},
		"batch of 101":       {"POST", PathBatch, "application/json", `{"updates":["x"` + strings.Repeat(`,"x"`, 100) + `]}`, 413, "too-large"},
		"batch too long":     {"POST", PathBatch, "application/json", `{"updates":["` + strings.Repeat("x", maxBatch) + `"]}`, 413, "too-large"},
	}
	spec.Covers(t, "KUA-5")
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core := &fakeCore{}
			b := newBench(t, core)
			got := b.send(t, c.method, c.path, c.contentType, c.body)
			if got.Status != c.status || got.Kind != c.kind || got.Body["requestId"] == "" || got.Body["result"] != "failed" {
				t.Errorf("status %d, %v", got.Status, got.Body)
			}
			status, _ := b.Status(t.Context())
			if diff := cmp.Diff(map[string]cpm.Outcomes{"": {Invalid: 1}}, status.Counts); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			if !b.log.has("keyupdate.invalid") || len(core.asks()) != 0 {
				t.Errorf("no event, or %d asks", len(core.asks()))
			}
		})
	}
}

func TestADeclineOfTheCoreReachesTheSource(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Denied, fault.Conflict, fault.Refused, fault.NotFound, fault.State} {
		b := newBench(t, answers(fault.New(kind, "the core's words").Because(errors.New("its secret"))))
		got := b.update(t, jws(`{"action":"Update"}`))
		if got.Status != kind.Code().HTTP || got.Kind != kind.String() || got.Body["message"] != "the core's words" {
			t.Errorf("%s: %d %v", kind, got.Status, got.Body)
		}
		if strings.Contains(fmt.Sprint(got.Body), "secret") {
			t.Errorf("%s: the cause is sent", kind)
		}
		status, _ := b.Status(t.Context())
		if diff := cmp.Diff(map[string]cpm.Outcomes{"Update": {Failed: 1}}, status.Counts); diff != "" || !b.log.has("keyupdate.failed") {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestAnotherCoreIsAskedOnlyWhenNothingWasDone(t *testing.T) {
	t.Parallel()
	lost := fault.New(fault.Unavailable, "the link was lost").Because(cpm.ErrLinkLost)
	cases := map[string]struct {
		first *fakeCore
		want  string
		asks  int
	}{
		"no link":         {&fakeCore{down: true}, "", 1},
		"declined":        {answers(fault.New(fault.Unavailable, "no link")), "", 1},
		"busy":            {answers(fault.New(fault.Busy, "no credit")), "", 1},
		"link lost":       {answers(lost), "outcome-unknown", 0},
		"timer":           {answers(fault.New(fault.Timeout, "the timer")), "outcome-unknown", 0},
		"unknown":         {answers(fault.New(fault.OutcomeUnknown, "who knows")), "outcome-unknown", 0},
		"refused":         {answers(fault.New(fault.Refused, "no")), "refused", 0},
		"internal":        {answers(errors.New("a bug")), "internal", 0},
		"nonsense answer": {&fakeCore{answer: func(context.Context, cpm.Operation, []byte) ([]byte, error) { return []byte{0xff}, nil }}, "outcome-unknown", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := &fakeCore{}
			b := newBench(t, c.first, second)
			if got := b.update(t, jws(`{"action":"Add"}`)); got.Kind != c.want || len(second.asks()) != c.asks {
				t.Errorf("%v; the second core was asked %d times", got.Body, len(second.asks()))
			}
		})
	}
}

func TestWithoutALinkTheSourceIsToldToTryAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fakeCore{down: true})
	got := b.update(t, jws(`{"action":"Add"}`))
	if got.Status != http.StatusServiceUnavailable || got.Headers.Get("Retry-After") != "1" {
		t.Errorf("%d %v", got.Status, got.Headers)
	}
}

func TestABatchIsAnsweredInOrder(t *testing.T) {
	t.Parallel()
	n := 0
	core := &fakeCore{}
	core.answer = func(context.Context, cpm.Operation, []byte) ([]byte, error) {
		if n++; n == 2 {
			return nil, fault.New(fault.Conflict, "the sequence number was used")
		}
		return proto.Marshal(&cpmv1.KeyUpdateReply{Result: "success", Fsp: "payerfsp", Name: "sig", Version: uint32(n)})
	}
	b := newBench(t, core)
	update := jws(`{"action":"Add"}`)
	text, _ := json.Marshal(map[string]any{"updates": []string{update, update, "nonsense", update}})
	got := b.send(t, http.MethodPost, PathBatch, "application/json", string(text))
	var words []string
	for _, item := range got.Body["updates"].([]any) {
		m := item.(map[string]any)
		words = append(words, fmt.Sprint(m["result"], " ", m["version"], " ", kindIn(m)))
	}
	want := []string{"success 1 ", "failed <nil> conflict", "failed <nil> invalid", "success 3 "}
	if diff := cmp.Diff(want, words); diff != "" || got.Status != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", got.Status, diff)
	}
	status, _ := b.Status(t.Context())
	if diff := cmp.Diff(map[string]cpm.Outcomes{"Add": {Success: 2, Failed: 1}, "": {Invalid: 1}}, status.Counts); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestAnImportKeyIsFetched(t *testing.T) {
	t.Parallel()
	core := &fakeCore{answer: func(_ context.Context, op cpm.Operation, payload []byte) ([]byte, error) {
		var ask cpmv1.ImportKeyAsk
		if err := proto.Unmarshal(payload, &ask); err != nil || op != cpm.AskImportKey {
			return nil, errors.New("asked for something else")
		}
		return proto.Marshal(&cpmv1.ImportKeyReply{Id: "i1 " + ask.GetFsp(), Jwk: []byte(`{"kty":"EC"}`), ExpiresUnixMs: 1_700_000_000_000})
	}}
	b := newBench(t, core)
	got := b.send(t, http.MethodGet, PathImportKey+"?fsp=payerfsp", "", "")
	want := map[string]any{"id": "i1 payerfsp", "jwk": map[string]any{"kty": "EC"}, "expires": "2023-11-14T22:13:20Z"}
	if diff := cmp.Diff(want, got.Body); diff != "" || got.Status != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", got.Status, diff)
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fakeCore{answer: func(context.Context, cpm.Operation, []byte) ([]byte, error) { panic("boom") }})
	if got := b.update(t, jws(`{"action":"Add"}`)); got.Kind != "internal" || strings.Contains(fmt.Sprint(got.Body), "boom") {
		t.Errorf("%v", got.Body)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error("the request never left:", err)
	}
}

func TestACallerWithoutCertificateDoesNotGetIn(t *testing.T) {
	t.Parallel()
	core := &fakeCore{}
	b := newBench(t, core)
	bare := b.client.Transport.(*http.Transport).Clone()
	bare.TLSClientConfig.Certificates = nil
	stranger := &http.Client{Transport: bare}
	defer stranger.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+PathUpdates, strings.NewReader(jws(`{"action":"Add"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := stranger.Do(r); err == nil {
		_ = response.Body.Close()
		t.Error("let in")
	}
	if len(core.asks()) != 0 {
		t.Error("forwarded")
	}
}

func TestAConnectionThatSaysNothingIsNotLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fakeCore{})
	var d net.Dialer
	for _, say := range []string{"", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(b.base, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, say)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
	b.stop()
	if n := strings.Count(b.log.String(), "keyupdate.connection"); n != 1 {
		t.Errorf("%d lines:\n%s", n, b.log)
	}
}

func TestAnAddressThatAsksTooMuchIsTold(t *testing.T) {
	t.Parallel()
	core := &fakeCore{}
	b := newBench(t, core)
	if err := b.Configure(t.Context(), []byte(`{"requestsPerSecond":0.01,"burst":2}`), 5); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := b.update(t, jws(`{"action":"Add"}`)); got.Status != http.StatusOK {
			t.Fatalf("%v", got.Body)
		}
	}
	got := b.update(t, jws(`{"action":"Add"}`))
	if got.Status != http.StatusTooManyRequests || got.Headers.Get("Retry-After") == "" || len(core.asks()) != 2 {
		t.Errorf("%d %v, %d asks", got.Status, got.Headers, len(core.asks()))
	}
	status, _ := b.Status(t.Context())
	if diff := cmp.Diff(map[string]cpm.Outcomes{"Add": {Success: 2}, "": {Failed: 1}}, status.Counts); diff != "" || !b.log.has("keyupdate.declined") {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
