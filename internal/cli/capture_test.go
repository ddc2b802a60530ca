package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestCaptureTakesTheRequestApart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, method, target, body string
		headers                    map[string]string
	}{
		"CRLF": {
			"POST /quotes?a=1 HTTP/1.1\r\nHost: h\r\nX-A:  b \t\r\n\r\n{\"a\": 1}\r\n", "POST", "/quotes?a=1", "{\"a\": 1}\r\n",
			map[string]string{"host": "h", "x-a": "b"},
		},
		"LF and bytes that are no text": {
			"PUT /x HTTP/1.1\nA: é\n\n\xff\x00\r\n\n", "PUT", "/x", "\xff\x00\r\n\n", map[string]string{"a": "é"},
		},
		"fields of one name are joined in their order": {
			"GET / HTTP/1.0\r\nA: 1\r\nB: x\r\na: 2\r\nA:\r\n\r\n", "GET", "/", "", map[string]string{"a": "1, 2, ", "b": "x"},
		},
		"no fields, absolute target": {"GET http://h/x HTTP/1.1\n\n", "GET", "http://h/x", "", map[string]string{}},
		"right length":               {"POST / HTTP/1.1\nContent-Length: 02\n\nab", "POST", "/", "ab", map[string]string{"content-length": "02"}},
	} {
		got, err := parseCapture([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.method != c.method || got.target != c.target || string(got.body) != c.body {
			t.Errorf("%s: %q %q %q", name, got.method, got.target, got.body)
		}
		if diff := cmp.Diff(c.headers, got.headers()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCaptureRefusesWhatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	const mark = "ECHO"
	for name, c := range map[string]struct {
		text string
		want fault.Kind
	}{
		"nothing":                 {"", fault.Invalid},
		"no empty line":           {"POST / HTTP/1.1\r\nHost: " + mark + "\r\n", fault.Invalid},
		"no version":              {"POST /" + mark + "\r\n\r\n", fault.Invalid},
		"two spaces":              {"POST  /" + mark + " HTTP/1.1\r\n\r\n", fault.Invalid},
		"a tab":                   {"POST\t/" + mark + " HTTP/1.1\r\n\r\n", fault.Invalid},
		"a tab in the target":     {"POST /\t" + mark + " HTTP/1.1\r\n\r\n", fault.Invalid},
		"not HTTP":                {"POST /" + mark + " SPDY/3\r\n\r\n", fault.Invalid},
		"method is no token":      {"PO(ST / HTTP/1.1\r\n\r\n", fault.Invalid},
		"space before the colon":  {"POST / HTTP/1.1\r\n" + mark + " : x\r\n\r\n", fault.Invalid},
		"no colon":                {"POST / HTTP/1.1\r\n" + mark + "\r\n\r\n", fault.Invalid},
		"no name":                 {"POST / HTTP/1.1\r\n: " + mark + "\r\n\r\n", fault.Invalid},
		"folded line":             {"POST / HTTP/1.1\r\nA: 1\r\n " + mark + "\r\n\r\n", fault.Invalid},
		"carriage return inside":  {"POST / HTTP/1.1\r\nA: 1\rB: " + mark + "\r\n\r\n", fault.Invalid},
		"NUL":                     {"POST / HTTP/1.1\r\nA: \x00" + mark + "\r\n\r\n", fault.Invalid},
		"DEL":                     {"POST / HTTP/1.1\r\nA: \x7f" + mark + "\r\n\r\n", fault.Invalid},
		"Latin-1":                 {"POST / HTTP/1.1\r\nA: \xe9" + mark + "\r\n\r\n", fault.Invalid},
		"transfer coding":         {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault.Invalid},
		"length too small":        {"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nab", fault.Invalid},
		"length too large":        {"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", fault.Invalid},
		"length is no number":     {"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nab", fault.Invalid},
		"two different lengths":   {"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", fault.Invalid},
		"one line without an end": {"POST /" + strings.Repeat("a", maxHead) + " HTTP/1.1\r\n\r\n", fault.TooLarge},
		"head too long":           {"POST / HTTP/1.1\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 140) + "\r\n", fault.TooLarge},
		"too many fields":         {"POST / HTTP/1.1\r\n" + strings.Repeat("A: 1\r\n", maxFields+1) + "\r\n", fault.TooLarge},
	} {
		_, err := parseCapture([]byte(c.text))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), mark) {
			t.Errorf("%s: the error echoes the request: %v", name, err)
		}
	}
}

func TestSignedRequestHasTheNewFieldsOnceAndItsLength(t *testing.T) {
	t.Parallel()
	c, err := parseCapture([]byte("POST /q HTTP/1.1\nHost: h\nfspiop-SIGNATURE: old\nContent-length: 2\nX: 1\nX: 2\n\nab"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(c.with([]field{{"fspiop-signature", "new"}, {"fspiop-uri", "/q"}}, []byte("abc")))
	want := "POST /q HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\nfspiop-signature: new\r\nfspiop-uri: /q\r\nContent-Length: 3\r\n\r\nabc"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzCapture: a request that is taken can be written and is then read as the same.
func FuzzCapture(f *testing.F) {
	for _, seed := range []string{
		"POST /quotes HTTP/1.1\r\nHost: switch.example\r\nFSPIOP-Source: payerfsp\r\nContent-Length: 2\r\n\r\n{}", "GET / HTTP/1.0\n\n",
		"PUT /x HTTP/1.1\nA: \n\n\x00\xff", "POST / HTTP/1.1\nA:b\r\na : c\n\n", "POST / HTTP/1.1\nA: b\n c\n\n", "POST / HTTP/1.1\nTransfer-Encoding: x\n\n",
		"PATCH /\u00e9 HTTP/2\nA:\t x y \t\n\nbody", "POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 1\n\na",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCapture(text)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(text, c.body) {
			t.Fatal("the body is not the end of the text")
		}
		again, err := parseCapture(c.with(nil, c.body))
		if err != nil {
			t.Fatalf("written, and cannot be read: %v", err)
		}
		was, is := c.headers(), again.headers()
		delete(was, "content-length")
		delete(is, "content-length")
		if diff := cmp.Diff(was, is); diff != "" || c.method != again.method || c.target != again.target || !bytes.Equal(c.body, again.body) {
			t.Fatal("the request changed: " + diff)
		}
	})
}
