package fspiop

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// parts takes an FSPIOP-Signature apart with nothing of the product.
func parts(t testing.TB, header string) (protected string, signature []byte, encoded string) {
	t.Helper()
	var value struct{ Signature, ProtectedHeader string }
	must(0, json.Unmarshal([]byte(header), &value))
	return string(must(base64.RawURLEncoding.DecodeString(value.ProtectedHeader))),
		must(base64.RawURLEncoding.DecodeString(value.Signature)), value.ProtectedHeader
}

func TestSignWritesTheProtectedHeaderInOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		message Message
		want    string
	}{
		{
			"as the deployed libraries do",
			*sampleMessage(),
			`{"alg":"RS256","FSPIOP-URI":"/quotes","FSPIOP-HTTP-Method":"POST","FSPIOP-Source":"payerfsp",` +
				`"FSPIOP-Destination":"payeefsp","Date":"Tue, 23 May 2017 21:12:31 GMT"}`,
		},
		{
			"with encryption, names in any case",
			Message{Method: "PUT", URI: "http://h:80/x/parties/MSISDN/1?a=<&>", Headers: map[string]string{
				"DATE": "d", "FSPIOP-Encryption": `{"encryptedFields":[{"fieldName":"a\b"}]}`, "Fspiop-Destination": "b",
				"FSPIOP-Source": "payerfsp", "Content-Length": "2",
			}},
			`{"alg":"RS256","FSPIOP-URI":"/parties/MSISDN/1?a=<&>","FSPIOP-HTTP-Method":"PUT","FSPIOP-Source":"payerfsp",` +
				`"FSPIOP-Destination":"b","FSPIOP-Encryption":"{\"encryptedFields\":[{\"fieldName\":\"a\\b\"}]}","Date":"d"}`,
		},
		{
			"with nothing but what must be there, empty headers left out",
			Message{Method: "PATCH", URI: "/transfers/1", Headers: map[string]string{
				"fspiop-source": "payerfsp", "fspiop-destination": "", "fspiop-encryption": "", "date": "", "fspiop-uri": "/old",
			}},
			`{"alg":"RS256","FSPIOP-URI":"/transfers/1","FSPIOP-HTTP-Method":"PATCH","FSPIOP-Source":"payerfsp"}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.message.Body = []byte(`{}`)
			signed, err := Sign(nil, rsaKey(), algorithmNamed(t, "RS256"), "payerfsp", &test.message, FormSorted)
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := parts(t, signed.Headers["fspiop-signature"])
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("protected header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSignGivesWhatHasToBeSent(t *testing.T) {
	t.Parallel()
	m := sampleMessage()
	m.URI = "https://hub.example/fspiop/quotes?x=1"
	signed, err := Sign(nil, rsaKey(), algorithmNamed(t, "RS256"), "payerfsp", m, "")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(signed.Headers))
	if diff := cmp.Diff([]string{"fspiop-http-method", "fspiop-signature", "fspiop-uri"}, names); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if signed.Headers["fspiop-uri"] != "/quotes?x=1" || signed.Headers["fspiop-http-method"] != "POST" || signed.Algorithm != "RS256" {
		t.Errorf("signed is %+v", signed)
	}
	if want := `{"amount":{"amount":"150","currency":"USD"},"quoteId":"59e331fa"}`; string(signed.Body) != want {
		t.Errorf("body is %s, want %s", signed.Body, want)
	}
	_, signature, encoded := parts(t, signed.Headers["fspiop-signature"])
	input := encoded + "." + base64.RawURLEncoding.EncodeToString(signed.Body)
	if !algorithmNamed(t, "RS256").Verify(rsaKey().Public(), []byte(input), signature) {
		t.Error("the signature is not over header and body")
	}
	if want := `{"signature":"` + base64.RawURLEncoding.EncodeToString(signature) + `","protectedHeader":"` + encoded + `"}`; want != signed.Headers["fspiop-signature"] {
		t.Errorf("header value is %s, want %s", signed.Headers["fspiop-signature"], want)
	}
}

// signCases change one thing of a message that can be signed.
var signCases = []struct {
	name   string
	change func(m *Message)
	form   Form
	want   error
}{
	{"nothing changed", func(*Message) {}, FormSorted, nil},
	{"method missing", func(m *Message) { m.Method = "" }, FormSorted, fault.Missing},
	{"method in lower case", func(m *Message) { m.Method = "post" }, FormSorted, fault.Invalid},
	{"method in mixed case", func(m *Message) { m.Method = "POSt" }, FormSorted, fault.Invalid},
	{"method with a space", func(m *Message) { m.Method = "POST " }, FormSorted, fault.Invalid},
	{"method with a colon", func(m *Message) { m.Method = "PO:ST" }, FormSorted, fault.Invalid},
	{"method of unusual characters", func(m *Message) { m.Method = "M-SEARCH!#$%&'*+.^_`|~9" }, FormSorted, nil},
	{"uri missing", func(m *Message) { m.URI = "" }, FormSorted, fault.Missing},
	{"uri without path", func(m *Message) { m.URI = "http://" + canary }, FormSorted, fault.Invalid},
	{"uri without slash", func(m *Message) { m.URI = "quotes" }, FormSorted, fault.Invalid},
	{"uri of another scheme", func(m *Message) { m.URI = "ftp://h/quotes" }, FormSorted, fault.Invalid},
	{"uri with a query only", func(m *Message) { m.URI = "http://h?x=/quotes" }, FormSorted, fault.Invalid},
	{"uri with a space", func(m *Message) { m.URI = "/quotes/" + canary + " x" }, FormSorted, fault.Invalid},
	{"uri with a fragment", func(m *Message) { m.URI = "/quotes#" + canary }, FormSorted, fault.Invalid},
	{"uri with a fragment before the resource", func(m *Message) { m.URI = "/x#/quotes/" + canary }, FormSorted, fault.Invalid},
	{"uri beyond ASCII", func(m *Message) { m.URI = "/quotes/é" }, FormSorted, fault.Invalid},
	{"uri with a control", func(m *Message) { m.URI = "/quotes/\x7f" }, FormSorted, fault.Invalid},
	{"uri without a known resource", func(m *Message) { m.URI = "/ping?x=1" }, FormSorted, nil},
	{"headers missing", func(m *Message) { m.Headers = nil }, FormSorted, fault.Missing},
	{"source missing", func(m *Message) { delete(m.Headers, "fspiop-source") }, FormSorted, fault.Missing},
	{"source empty", func(m *Message) { m.Headers["fspiop-source"] = "" }, FormSorted, fault.Missing},
	{"source another", func(m *Message) { m.Headers["fspiop-source"] = canary }, FormSorted, fault.Invalid},
	{"source in another case", func(m *Message) { m.Headers["fspiop-source"] = "PayerFSP" }, FormSorted, fault.Invalid},
	{"a header twice", func(m *Message) { m.Headers["Date"] = "x" }, FormSorted, fault.Invalid},
	{"destination beyond ASCII", func(m *Message) { m.Headers["fspiop-destination"] = "é" + canary }, FormSorted, fault.Invalid},
	{"destination with a line end", func(m *Message) { m.Headers["fspiop-destination"] = "a\r\nb" }, FormSorted, fault.Invalid},
	{"destination with spaces around", func(m *Message) { m.Headers["fspiop-destination"] = " payeefsp" }, FormSorted, fault.Invalid},
	{"encryption beyond ASCII", func(m *Message) { m.Headers["fspiop-encryption"] = "{\"é\":1}" }, FormSorted, fault.Invalid},
	{"date beyond ASCII", func(m *Message) { m.Headers["date"] = "März" }, FormSorted, fault.Invalid},
	{"another header beyond ASCII", func(m *Message) { m.Headers["x-note"] = "é" }, FormSorted, nil},
	{"headers too long", func(m *Message) { m.Headers["fspiop-encryption"] = strings.Repeat("e", 25_000) }, FormSorted, fault.TooLarge},
	{"body missing", func(m *Message) { m.Body = nil }, FormSorted, fault.Missing},
	{"body missing, raw", func(m *Message) { m.Body = []byte{} }, FormRaw, fault.Missing},
	{"body not JSON", func(m *Message) { m.Body = []byte(canary) }, FormSorted, fault.Invalid},
	{"body not JSON, raw", func(m *Message) { m.Body = []byte(canary) }, FormRaw, nil},
	{"body with duplicate members", func(m *Message) { m.Body = []byte(`{"c4nary":1,"c4nary":2}`) }, FormSorted, fault.Invalid},
	{"body with duplicate members, raw", func(m *Message) { m.Body = []byte(`{"a":1,"a":2}`) }, FormRaw, nil},
	{"body with a lossy number", func(m *Message) { m.Body = []byte(`9007199254740993`) }, FormSorted, fault.Invalid},
	{"body with half a surrogate pair", func(m *Message) { m.Body = []byte(`"\udc00"`) }, FormSorted, fault.Invalid},
	{"body too deep", func(m *Message) { m.Body = bytes.Repeat([]byte("["), 1000) }, FormSorted, fault.Invalid},
	{"body an array", func(m *Message) { m.Body = []byte(`[1]`) }, FormSorted, nil},
	{"form not given", func(*Message) {}, "", nil},
	{"form legacy", func(*Message) {}, FormLegacy, fault.Invalid},
	{"form unknown", func(*Message) {}, canary, fault.Invalid},
}

func TestSignDeclinesWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	for _, test := range signCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := sampleMessage()
			test.change(m)
			signed, err := Sign(rand.Reader, edKey(), algorithmNamed(t, "EdDSA"), "payerfsp", m, test.form)
			if !errors.Is(err, test.want) || (err == nil) == (signed == nil) {
				t.Fatalf("signed %v, error %v, want %v", signed, err, test.want)
			}
			if test.want != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error repeats the message: %v", err)
			}
			if err == nil {
				checkSigned(t, m, signed)
			}
		})
	}
}

// checkSigned sends a signed message and verifies it.
func checkSigned(t testing.TB, m *Message, signed *Signed) {
	t.Helper()
	policy := DefaultPolicy()
	policy.Algorithms = []string{"EdDSA"}
	received := *m
	received.Headers, received.Body = maps.Clone(m.Headers), signed.Body
	maps.Copy(received.Headers, signed.Headers)
	v := Verify([]Key{{Public: edKey().Public()}}, "payerfsp", &received, policy, sampleTime())
	if !v.Valid || v.Form != FormRaw {
		t.Errorf("verdict on the signed message is %+v", v)
	}
}

func TestSignKeepsTheRulesOfTheBodyInTheCause(t *testing.T) {
	t.Parallel()
	m := sampleMessage()
	m.Body = []byte(`{"a":1,"a":2}`)
	_, err := Sign(rand.Reader, edKey(), algorithmNamed(t, "EdDSA"), "payerfsp", m, FormSorted)
	if !errors.Is(err, canon.ErrDuplicateMember) || !strings.Contains(fault.From(err).Public, "form raw") {
		t.Errorf("error is %v", err)
	}
}

func TestSignChangesNothingOfTheMessage(t *testing.T) {
	t.Parallel()
	m, before := sampleMessage(), sampleMessage()
	m.Headers["X-Upper"], before.Headers["X-Upper"] = "kept", "kept"
	for _, form := range []Form{FormRaw, FormSorted} {
		if _, err := Sign(rand.Reader, edKey(), algorithmNamed(t, "EdDSA"), "payerfsp", m, form); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, m); diff != "" {
			t.Errorf("message changed (-before +after):\n%s", diff)
		}
	}
}

func TestSignFailsWithTheKey(t *testing.T) {
	t.Parallel()
	d := device{public: edKey().Public(), err: fault.New(fault.Timeout, "the device did not answer")}
	for want, a := range map[fault.Kind]Algorithm{
		fault.Timeout: algorithmNamed(t, "EdDSA"), fault.Invalid: algorithmNamed(t, "ES256"),
	} {
		if _, err := Sign(rand.Reader, d, a, "payerfsp", sampleMessage(), FormRaw); !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
}

// TestPublicTextsFitTheErrorDescription keeps every sentence whole on its way through FSPIOP's 128 characters.
func TestPublicTextsFitTheErrorDescription(t *testing.T) {
	t.Parallel()
	for _, test := range signCases {
		m := sampleMessage()
		test.change(m)
		_, err := Sign(rand.Reader, edKey(), algorithmNamed(t, "EdDSA"), "payerfsp", m, test.form)
		e := fault.From(err)
		if e != nil && !strings.HasSuffix(e.Information().GetErrorDescription(), e.Public) {
			t.Errorf("%s: %q is cut to %q", test.name, e.Public, e.Information().GetErrorDescription())
		}
	}
}
