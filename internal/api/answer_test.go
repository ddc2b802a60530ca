package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
	closed bool // the server said it closes the connection
}

// kind is the word in the extensionList of a decline.
func (a answer) kind(t testing.TB) string {
	t.Helper()
	var e struct {
		ErrorInformation struct {
			ErrorCode, ErrorDescription string
			ExtensionList               struct{ Extension []struct{ Key, Value string } }
		}
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || !kindFirst(e.ErrorInformation.ExtensionList.Extension) {
		t.Fatalf("no decline: %d %s %v", a.status, a.body, err)
	}
	if e.RequestID == "" || e.RequestID != a.header.Get("X-Request-Id") || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("request id %q, headers %v", e.RequestID, a.header)
	}
	return e.ErrorInformation.ExtensionList.Extension[0].Value
}

// kindFirst says whether an extensionList has the kind and then, at most, when to try again.
func kindFirst(list []struct{ Key, Value string }) bool {
	switch len(list) {
	case 1:
		return list[0].Key == "kind"
	case 2:
		return list[0].Key == "kind" && list[1].Key == "retryAfterMs"
	}
	return false
}

// send posts JSON, from whatever goroutine.
func send(ctx context.Context, c *http.Client, url string, body io.Reader) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return fetch(c, r)
}

// fetch does a request, from whatever goroutine.
func fetch(c *http.Client, r *http.Request) (answer, error) {
	res, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(out), res.Close}, err
}

// post posts JSON, from the test's own goroutine.
func post(t testing.TB, c *http.Client, url string, body io.Reader) answer {
	t.Helper()
	a, err := send(t.Context(), c, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// do is fetch, from the test's own goroutine.
func do(t testing.TB, c *http.Client, r *http.Request) answer {
	t.Helper()
	a, err := fetch(c, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// signs asks for a signature beside the test. What it gives waits for the answer.
func (h *house) signs(c *http.Client) (wait func() answer) {
	h.t.Helper()
	return beside(h.t, "the answer to a request for a signature", func() (answer, error) {
		return send(h.t.Context(), c, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign))
	})
}
