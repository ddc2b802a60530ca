package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// publisher publishes the name it was asked for.
type publisher struct{ asked []string }

func (p *publisher) PublishedSet(caller cpm.Principal, f cpm.FSP) (*cpm.Publication, error) {
	p.asked = append(p.asked, caller.Name+" "+string(f))
	if f == "nobody" {
		return nil, fault.New(fault.Denied, "not this caller")
	}
	return &cpm.Publication{
		Body: []byte(`{"keys":[{"kty":"OKP","kid":"k","use":"sig","alg":"EdDSA"}]}`), Type: mediaJWKSet, Tag: "t1", Fresh: 60 * time.Second,
	}, nil
}

func (p *publisher) PublishedKey(caller cpm.Principal, f cpm.FSP, name string) (*cpm.Publication, error) {
	p.asked = append(p.asked, caller.Name+" "+string(f)+" "+name)
	return &cpm.Publication{Body: []byte("-----BEGIN"), Type: mediaPEM, Tag: "t2"}, nil
}

func get(t *testing.T, h *house, c *http.Client, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return do(t, c, r)
}

func TestKeysArePublished(t *testing.T) {
	t.Parallel()
	p := &publisher{}
	h := open(t, echo, func(c *Config) { c.Publisher = p })
	d, client := describe(t, h), h.http()
	for _, c := range []struct{ path, described string }{
		{"/.well-known/jwks.json", "/.well-known/jwks.json"},
		{"/v1/fsps/payer%2Dfsp/jwks.json", "/v1/fsps/{fsp}/jwks.json"},
	} {
		a := get(t, h, client, c.path)
		if a.status != 200 || a.header.Get("Content-Type") != "application/jwk-set+json" || a.header.Get("ETag") != `"t1"` ||
			a.header.Get("Cache-Control") != "private, max-age=60, must-revalidate" || a.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v", c.path, a.status, a.header)
		}
		var out any
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			t.Fatal(err)
		}
		schema := d.at("paths", c.described, "get", "responses", "200", "content", mediaJWKSet, "schema")
		if err := d.fits(schema, out); err != nil {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	a := get(t, h, client, "/v1/fsps/f/keys/sig%20.pem")
	if kind := a.kind(t); a.status != 400 || kind != "invalid" {
		t.Errorf("a name with a space: %d %s", a.status, kind)
	}
	a = get(t, h, client, "/v1/fsps/f/keys/sig.1.pem")
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-pem-file" || a.body != "-----BEGIN" ||
		a.header.Get("Cache-Control") != "private, max-age=0, must-revalidate" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a = get(t, h, client, "/v1/fsps/nobody/jwks.json"); a.status != 403 || a.kind(t) != "denied" || a.header.Get("ETag") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if diff := cmp.Diff([]string{
		"switch.example ", "switch.example payer-fsp", "switch.example f sig.1", "switch.example nobody",
	}, p.asked); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheReaderHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Publisher = &publisher{} })
	client := h.http()
	for match, status := range map[string]int{
		`"t1"`: 304, `W/"t1"`: 304, `"a", "t1"`: 304, "*": 304, `"t2"`: 200, "t1": 200, "": 200,
	} {
		a := get(t, h, client, "/.well-known/jwks.json", "If-None-Match", match)
		if a.status != status || (a.body == "") != (status == 304) || a.header.Get("ETag") != `"t1"` || a.header.Get("Cache-Control") == "" {
			t.Errorf("%s: %d %v %s", match, a.status, a.header, a.body)
		}
	}
	if diff := cmp.Diff(map[string]int{"ok": 7}, h.counts.outcomes()); diff != "" {
		t.Error(diff)
	}
}

func TestADoorWithoutPublisherPublishesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	for _, path := range []string{"/.well-known/jwks.json", "/v1/fsps/f/jwks.json", "/v1/fsps/f/keys/k.pem"} {
		if a := get(t, h, h.http(), path); a.status != 404 || a.kind(t) != "not-found" {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestAnAliasIsTheOperation(t *testing.T) {
	t.Parallel()
	var asked []cpm.Operation
	h := open(t, func(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
		asked = append(asked, r.Operation)
		return nil, fault.New(fault.Unsupported, "not here")
	})
	for _, path := range []string{"random-number-gen", "hash-gen", "signature-gen", "signature-ver", "encrypt", "decrypt"} {
		if a := post(t, h.http(), h.url("/v1/fsps/f/"+path), strings.NewReader(`{}`)); a.status != 501 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	want := []cpm.Operation{cpm.Random, cpm.Digest, cpm.Sign, cpm.Verify, cpm.Encrypt, cpm.Decrypt}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}
