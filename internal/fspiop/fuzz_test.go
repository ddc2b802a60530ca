package fspiop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
)

// signedSeed is one of the few messages the key of FuzzVerify ever signed.
type signedSeed struct{ header, covered string }

// signedSeeds are those messages by the hash of their signing input.
func signedSeeds(t testing.TB) (byInput map[string]signedSeed, headers []string) {
	t.Helper()
	byInput = map[string]signedSeed{}
	sign := func(header, covered string) {
		input, _ := signingInput([]byte(header), []byte(covered))
		signature := must(algorithmNamed(t, "EdDSA").Sign(nil, edKey(), input))
		encoded, _, _ := strings.Cut(string(input), ".")
		sum := sha256.Sum256(input)
		byInput[string(sum[:])] = signedSeed{header, covered}
		headers = append(headers, signatureHeader(signature, []byte(encoded)))
	}
	sign(craftedHeader(), `{"a":"1","b":2}`)
	sign(craftedHeader(), `{"b":2,"a":"1"}`)
	sign(craftedHeader(), `[1,"é",null]`)
	sign(craftedHeader(), "")
	sign(`{"alg":"EdDSA","FSPIOP-URI":"/parties/MSISDN/1?a=b","FSPIOP-HTTP-Method":"PUT","FSPIOP-Source":"payerfsp","kid":[1]}`, `{}`)
	sign(`{"alg":"EdDSA","crit":["x"],"FSPIOP-URI":"/quotes","FSPIOP-HTTP-Method":"POST","FSPIOP-Source":"payerfsp"}`, `{}`)
	sign(`{"alg":"EdDSA","FSPIOP-URI":"/quotes","FSPIOP-HTTP-Method":"POST","FSPIOP-Source":"payerfsp","X-Note":"n"}`, `{}`)
	return byInput, headers
}

func craftedHeader() string {
	return string(must(base64.RawURLEncoding.DecodeString(craft().encodedHeader())))
}

// FuzzVerify changes every part of a message. The key signed a few messages only, so a valid verdict must be about one of
// them, and what the request says must be what was signed; that is looked up with encoding/json alone.
func FuzzVerify(f *testing.F) {
	byInput, headers := signedSeeds(f)
	for _, signature := range headers {
		for _, body := range []string{`{"a":"1","b":2}`, `{ "b":2, "a":"\u0031" }`, `[1,"é",null]`, `{"a":"1","a":"1","b":2}`, "", "{}"} {
			f.Add("POST", "/quotes", signature, "payerfsp", "payeefsp", "", sampleDate, "x-note", "n", []byte(body))
		}
		f.Add("PUT", "http://h/x/parties/MSISDN/1?a=b", signature, "payerfsp", "", "", "", "fspiop-uri", "/parties/MSISDN/1?a=b", []byte("{}"))
		f.Add("POST", "/quotes", signature, "payerfsp", "payeefsp", "e", "", "Date", "d", []byte("{"))
	}
	f.Add("", "", `{"signature":"AA","protectedHeader":"e30"}`, "", "", "", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, method, uri, signature, source, destination, encryption, date, name, value string, body []byte) {
		m := &Message{Method: method, URI: uri, Body: body, Headers: map[string]string{
			name: value, "fspiop-signature": signature, "fspiop-source": source, "fspiop-destination": destination,
			"fspiop-encryption": encryption, "date": date,
		}}
		policy := DefaultPolicy()
		policy.Algorithms = AlgorithmNames()
		v := Verify([]Key{{Public: rsaKey().Public()}, {Public: edKey().Public()}}, "payerfsp", m, policy, sampleTime())
		checkVerdict(t, v)
		if !v.Valid {
			return
		}
		seed, ok := byInput[string(v.SigningInput)]
		if !ok || v.Key != 1 {
			t.Fatalf("a signature was accepted that was never made: %+v", v)
		}
		checkAgainstSeed(t, m, seed, v.Form)
	})
}

// checkAgainstSeed compares a message found valid with the one that was signed.
func checkAgainstSeed(t *testing.T, m *Message, seed signedSeed, form Form) {
	t.Helper()
	var signed map[string]any
	must(0, json.Unmarshal([]byte(seed.header), &signed))
	uri, _ := signed["FSPIOP-URI"].(string)
	if signed["crit"] != nil || signed["FSPIOP-HTTP-Method"] != m.Method || !strings.HasSuffix(m.URI, uri) {
		t.Errorf("%s %s is valid for %s", m.Method, m.URI, seed.header)
	}
	for member, header := range map[string]string{
		"FSPIOP-Source": "fspiop-source", "FSPIOP-Destination": "fspiop-destination", "Date": "date", "X-Note": "x-note",
		"FSPIOP-Encryption": "fspiop-encryption",
	} {
		text, _ := signed[member].(string)
		if got := m.Headers[header]; got != text && (text != "" || header != "date" && header != "x-note") {
			t.Errorf("header %s: %q is valid for %s", header, got, seed.header)
		}
	}
	if form == FormRaw {
		if string(m.Body) != seed.covered {
			t.Errorf("body %q is valid for %q", m.Body, seed.covered)
		}
		return
	}
	var got, want any
	must(0, json.Unmarshal(m.Body, &got))
	must(0, json.Unmarshal([]byte(seed.covered), &want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body %q in form %s means another thing (-signed +received):\n%s", m.Body, form, diff)
	}
}

// FuzzSignVerify sends what was signed: it must verify byte by byte, and in sorted form mean what the body meant.
func FuzzSignVerify(f *testing.F) {
	f.Add("POST", "/quotes", "payeefsp", "", sampleDate, []byte(sampleBody))
	f.Add("PUT", "https://h:1/x/parties/MSISDN/1?a=<&>", "", `{"encryptedFields":[]}`, "", []byte(`{"b":[1,{"z":"\u2028","y":"😀"}],"a":-0.0}`))
	f.Add("PATCH", "/ping", " ", "\"\\", "~", []byte(`"\ud83d\ude00"`))
	f.Add("DELETE", "//quotes/", "", "", "", []byte("1e400"))
	f.Add("0", "/#/parties/0", "", "", "", []byte("0"))
	f.Fuzz(func(t *testing.T, method, uri, destination, encryption, date string, body []byte) {
		m := &Message{Method: method, URI: uri, Body: body, Headers: map[string]string{
			"fspiop-source": "payerfsp", "fspiop-destination": destination, "fspiop-encryption": encryption, "date": date,
		}}
		a := algorithmNamed(t, "EdDSA")
		sorted, err := Sign(nil, edKey(), a, "payerfsp", m, FormSorted)
		raw, rawErr := Sign(nil, edKey(), a, "payerfsp", m, FormRaw)
		if rawErr != nil && err == nil {
			t.Fatalf("signed sorted, not raw: %v", rawErr)
		}
		if rawErr == nil {
			checkSigned(t, m, raw)
		}
		if err != nil {
			checkRefusedBody(t, body, rawErr == nil)
			return
		}
		checkSigned(t, m, sorted)
		var before, after any
		must(0, json.Unmarshal(body, &before))
		must(0, json.Unmarshal(sorted.Body, &after))
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("body changed its meaning (-before +after):\n%s", diff)
		}
	})
}

// checkRefusedBody says that the sorted form refuses a body only for a reason.
func checkRefusedBody(t *testing.T, body []byte, bodyDecides bool) {
	t.Helper()
	if !bodyDecides {
		return
	}
	if doc, err := canon.Parse(body); err == nil && doc.Ambiguous() == nil {
		t.Errorf("body %q was refused", body)
	}
}

// FuzzProtectedHeader holds the strict reader against encoding/json: what it reads, the other reads alike.
func FuzzProtectedHeader(f *testing.F) {
	f.Add([]byte(exampleHeader))
	f.Add([]byte(`{"alg":"ES256","kid":{"a":[1,2]},"\u0061":"\/"}`))
	f.Add([]byte(`{"alg":"none"} `))
	f.Add([]byte(`{"alg":"a","ALG":"b"}`))
	f.Add([]byte("{\"alg\":\"\xff\"}"))
	f.Add([]byte("\xef\xbb\xbf{\"alg\":\"a\"}"))
	f.Add([]byte(`{"alg":"\ud800"}`))
	f.Add([]byte(strings.Repeat(`{"alg":`, 70)))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parseHeader(base64.RawURLEncoding.EncodeToString(text))
		if err != nil {
			return
		}
		var members map[string]any
		if err = json.Unmarshal(text, &members); err != nil {
			t.Fatalf("read %q, which encoding/json does not: %v", text, err)
		}
		got := map[string]any{}
		for _, m := range h {
			if got[m.name] = members[m.name]; m.isText {
				got[m.name] = m.text
			}
		}
		if diff := cmp.Diff(members, got); diff != "" {
			t.Errorf("members of %q (-encoding/json +ours):\n%s", text, diff)
		}
	})
}

// FuzzECDSASignature gives any answer of a device: what is turned into octets is the one DER encoding of them.
func FuzzECDSASignature(f *testing.F) {
	f.Add(must(p256Key().Sign(rand.Reader, make([]byte, 32), nil)))
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add([]byte{0x30, 7, 2, 2, 0, 0x80, 2, 1, 1})
	f.Add([]byte{0x30, 0x81, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, der []byte) {
		a := algorithmNamed(t, "ES256")
		octets, err := a.scheme.encode(nil, der)
		if err != nil {
			return
		}
		if again := derOf(octets); string(again) != string(der) {
			t.Errorf("%x was taken for %x", der, again)
		}
	})
}

// derOf is the DER of r || s.
func derOf(octets []byte) []byte {
	integer := func(x []byte) []byte {
		for len(x) > 1 && x[0] == 0 {
			x = x[1:]
		}
		if x[0] > 0x7f {
			x = append([]byte{0}, x...)
		}
		return append([]byte{0x02, byte(len(x))}, x...)
	}
	inner := append(integer(octets[:len(octets)/2]), integer(octets[len(octets)/2:])...)
	return append([]byte{0x30, byte(len(inner))}, inner...)
}
