package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

// described is the served document, as a test walks it.
type described struct {
	t    *testing.T
	root map[string]any
}

func describe(t *testing.T, h *house) described {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url("/openapi.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, h.http(), r)
	d := described{t: t}
	if err := json.Unmarshal([]byte(a.body), &d.root); err != nil || a.status != 200 || a.header.Get("X-Request-Id") == "" {
		t.Fatal(a.status, err)
	}
	return d
}

// at walks down by names.
func (d described) at(names ...string) map[string]any {
	d.t.Helper()
	here := d.root
	for _, name := range names {
		next, ok := here[name].(map[string]any)
		if !ok {
			d.t.Fatalf("no %s in %v", name, names)
		}
		here = next
	}
	return here
}

// resolve follows a reference.
func (d described) resolve(schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return schema
}

// fits checks a value against a schema; it knows the words the document uses and fails on others.
func (d described) fits(schema map[string]any, v any) error {
	schema = d.resolve(schema)
	for _, word := range slices.Sorted(maps.Keys(schema)) {
		if err := d.word(schema, word, v); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}

func (d described) word(schema map[string]any, word string, v any) error {
	members, _ := v.(map[string]any)
	list, _ := v.([]any)
	number, _ := v.(float64)
	wrong := false
	switch arg := schema[word]; word {
	case "type":
		types := map[string]bool{"object": members != nil, "array": list != nil, "string": is[string](v), "boolean": is[bool](v), "integer": is[float64](v) && number == float64(int64(number))}
		wrong = !types[arg.(string)]
	case "properties":
		for name, s := range arg.(map[string]any) {
			if member, ok := members[name]; ok {
				if err := d.fits(s.(map[string]any), member); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	case "additionalProperties":
		for name, member := range members {
			if known, _ := schema["properties"].(map[string]any); known[name] != nil {
				continue
			}
			s, ok := arg.(map[string]any)
			if !ok {
				return fmt.Errorf("%s", name)
			}
			if err := d.fits(s, member); err != nil {
				return err
			}
		}
	case "required":
		for _, name := range arg.([]any) {
			wrong = wrong || members[name.(string)] == nil
		}
	case "items":
		for i, item := range list {
			if err := d.fits(arg.(map[string]any), item); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	case "allOf", "oneOf", "anyOf":
		n := 0
		for _, s := range arg.([]any) {
			if d.fits(s.(map[string]any), v) == nil {
				n++
			}
		}
		wrong = word == "allOf" && n != len(arg.([]any)) || word == "oneOf" && n != 1 || word == "anyOf" && n == 0
	case "not":
		wrong = d.fits(arg.(map[string]any), v) == nil
	case "minItems":
		wrong = float64(len(list)) < arg.(float64)
	case "maxItems":
		wrong = float64(len(list)) > arg.(float64)
	case "maxProperties":
		wrong = float64(len(members)) > arg.(float64)
	case "minimum":
		wrong = number < arg.(float64)
	case "maximum":
		wrong = number > arg.(float64)
	case "format", "contentEncoding", "description":
	default:
		wrong = true
	}
	if wrong {
		return fmt.Errorf("%v", v)
	}
	return nil
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func TestTheDocumentHasThePathsThatAreServed(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	d := describe(t, h)
	want := []string{
		"/.well-known/jwks.json get", "/openapi.json get", "/v1/batch post", "/v1/process post",
		"/v1/fsps/{fsp}/jwks.json get", "/v1/fsps/{fsp}/keys/{name}.pem get",
	}
	for _, alias := range []string{"hash-gen", "random-number-gen", "signature-gen", "signature-ver"} {
		want = append(want, "/v1/fsps/{fsp}/"+alias+" post")
	}
	for _, op := range cpm.Operations() {
		want = append(want, "/v1/fsps/{fsp}/"+op.Operation.Path()+" post")
	}
	slices.Sort(want)
	var got []string
	client := h.http()
	for path, methods := range d.at("paths") {
		for method := range methods.(map[string]any) {
			got = append(got, path+" "+method)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, h.url(strings.Replace(path, "{fsp}", "f", 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		a := do(t, client, r)
		if a.status != 405 || d.at("paths", path)[strings.ToLower(a.header.Get("Allow"))] == nil {
			t.Errorf("%s: %d, Allow %s", path, a.status, a.header.Get("Allow"))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d.root["openapi"] != "3.1.0" {
		t.Error(d.root["openapi"])
	}
}

func TestEveryOperationIsDescribed(t *testing.T) {
	t.Parallel()
	for _, op := range cpm.Operations() {
		if strings.HasPrefix(summary(op.Operation), "Operation ") {
			t.Errorf("%s has no summary", op.Operation)
		}
	}
	if summary("x.y") != "Operation x.y." {
		t.Error(summary("x.y"))
	}
}

func TestRequestsAndAnswersFitTheDocument(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "nobody" {
			return nil, fault.New(fault.Denied, "not allowed")
		}
		return echo(ctx, r)
	})
	d := describe(t, h)
	client := h.http()
	for _, c := range []struct{ path, served, body string }{
		{"/v1/fsps/{fsp}/jws/sign", "/v1/fsps/f/jws/sign", sign},
		{"/v1/fsps/{fsp}/jws/sign", "/v1/fsps/f/jws/sign", `{"bodyBase64":"AAE="}`},
		{"/v1/fsps/{fsp}/jws/sign", "/v1/fsps/nobody/jws/sign", sign},
		{"/v1/fsps/{fsp}/jws/verify", "/v1/fsps/f/jws/verify", `{"method":"PUT","uri":"/x","headers":{"a":"b"},"body":"","key":{"version":1}}`},
		{"/v1/process", "/v1/process", `{"fsp":"f","jwsSign":` + sign + `}`},
		{"/v1/batch", "/v1/batch", `{"items":[{"fsp":"f","jwsSign":{}},{"fsp":"nobody","jwsVerify":{}}]}`},
	} {
		var in, out any
		a := post(t, client, h.url(c.served), strings.NewReader(c.body))
		if json.Unmarshal([]byte(c.body), &in) != nil || json.Unmarshal([]byte(a.body), &out) != nil {
			t.Fatal(c.body, a.body)
		}
		media := []string{"content", "application/json", "schema"}
		if err := d.fits(d.at(append([]string{"paths", c.path, "post", "requestBody"}, media...)...), in); err != nil {
			t.Errorf("%s: request %v", c.path, err)
		}
		response := append([]string{"paths", c.path, "post", "responses", fmt.Sprint(a.status)}, media...)
		if err := d.fits(d.at(response...), out); err != nil {
			t.Errorf("%s: %d %v\n%s", c.path, a.status, err, a.body)
		}
	}
	spec.Covers(t, "FMT-1")
}

// TestWhatTheDocumentForbidsIsDeclined also shows that the checker of this test refuses something.
func TestWhatTheDocumentForbidsIsDeclined(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	d := describe(t, h)
	client := h.http()
	for _, c := range []struct{ path, body string }{
		{"/v1/process", `{"jwsSign":{}}`},
		{"/v1/process", `{"fsp":"f"}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{},"jwsVerify":{}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"body":"","bodyBase64":""}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"unknown":""}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"headers":{"a":1}}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"key":{"version":-1}}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"key":{"version":4294967296}}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"key":{"version":1.5}}}`},
		{"/v1/process", `{"fsp":"f","jwsSign":[]}`},
		{"/v1/process", `{"fsp":"f","jwsSign":{"headers":{` + manyHeaders(257) + `}}}`},
		{"/v1/batch", `{"items":[]}`},
		{"/v1/batch", `{}`},
		{"/v1/batch", `{"items":[` + strings.Repeat("{},", 1000) + `{}]}`},
	} {
		var in any
		if err := json.Unmarshal([]byte(c.body), &in); err != nil {
			t.Fatal(err)
		}
		if err := d.fits(d.at("paths", c.path, "post", "requestBody", "content", "application/json", "schema"), in); err == nil {
			t.Errorf("the document allows %.60s", c.body)
		}
		if a := post(t, client, h.url(c.path), strings.NewReader(c.body)); a.status == 200 {
			t.Errorf("%.60s: %d", c.body, a.status)
		}
	}
}

func manyHeaders(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"h%d":""`, i))
	}
	return strings.Join(all, ",")
}

func TestEveryFaultIsAmongTheResponses(t *testing.T) {
	t.Parallel()
	d := describe(t, open(t, echo))
	for path := range d.at("paths") {
		if path == "/openapi.json" {
			continue
		}
		method := "post"
		if d.at("paths", path)["get"] != nil {
			method = "get"
		}
		for _, k := range fault.Kinds() {
			text := d.at("paths", path, method, "responses", fmt.Sprint(k.Code().HTTP))["description"].(string)
			if !strings.Contains(text, k.String()+" ("+k.Code().FSPIOP) {
				t.Errorf("%s: %v is not in %q", path, k, text)
			}
		}
	}
}
