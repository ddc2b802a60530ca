package fspiop

import (
	"crypto"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// encrypt encrypts for the key of the example.
func encrypt(t testing.TB, body string, fields ...string) *Encrypted {
	t.Helper()
	e, err := EncryptFields(rand.Reader, exampleKey().Public(), []byte(body), fields, "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// decrypt decrypts with the key of the example.
func decrypt(header, body string, p *cpm.Policy) (*Decrypted, error) {
	return DecryptFields([]crypto.Decrypter{exampleKey()}, received(header, body), p)
}

func TestEveryKindOfValueComesBack(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`"15295558888"`, `""`, `"é \" \\ / \u0000\n😀"`, `"{"`, `"[1,2]"`, `"{\"a\":1}"`, `"null"`, `"150"`, `"true"`, `" {}"`,
		`{}`, `[]`, `{"b":1,"a":[{"n":1.50}]}`, `[1e400,12345678901234567890.10]`,
		`150`, `-0.0`, `1E+2`, `9007199254740993`, `true`, `false`, `null`,
	} {
		for _, enc := range []string{"A128GCM", "A192GCM", "A256GCM"} {
			body := `{"before":9007199254740993, "payee" : { "x":` + value + ` ,"y":1.10}}`
			e, err := EncryptFields(rand.Reader, exampleKey().Public(), []byte(body), []string{"payee.x"}, enc)
			if err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			if !strings.HasPrefix(string(e.Body), `{"before":9007199254740993, "payee" : { "x":"`) || !strings.HasSuffix(string(e.Body), `" ,"y":1.10}}`) {
				t.Errorf("%s: encrypted as %s", value, e.Body)
			}
			d, err := decrypt(e.Header, string(e.Body), nil)
			if err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			want := strings.NewReplacer(`\/`, `/`).Replace(body)
			if diff := cmp.Diff(want, string(d.Body)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", value, enc, diff)
			}
		}
	}
}

// The bytes around the fields stay as they are, wherever the fields stand and in whatever order they are named.
func TestEverythingElseKeepsItsBytes(t *testing.T) {
	t.Parallel()
	body := "{ \"a\": {\"b\":1e2,\t\"c\":\"x\"},\n\"n\":0.10, \"d\":[ {\"q\":1} ],\"\\u0065\":\"é\" }\r\n"
	e := encrypt(t, body, "e", "d", "a.b", "a.c")
	for _, kept := range []string{"{ \"a\": {\"b\":\"", "\",\t\"c\":\"", "\"},\n\"n\":0.10, \"d\":\"", "\",\"\\u0065\":\"", "\" }\r\n"} {
		if !strings.Contains(string(e.Body), kept) {
			t.Errorf("%q is not in %s", kept, e.Body)
		}
	}
	d, err := decrypt(e.Header, string(e.Body), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(body, `[ {"q":1} ]`, `[{"q":1}]`, 1) // what is encrypted is compact
	if diff := cmp.Diff(want, string(d.Body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"e", "d", "a.b", "a.c"}, d.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// By the rule of the specification alone a number comes back as a string, and a string that looks like an object as an object.
// That is what messages of others, without cty, become.
func TestWithoutAContentTypeTheRuleOfTheSpecificationDecides(t *testing.T) {
	t.Parallel()
	for plaintext, want := range map[string]string{
		`150`: `"150"`, `true`: `"true"`, `null`: `"null"`, `{"a":1}`: `{"a":1}`, `[ 1 ]`: `[ 1 ]`, `{"a":`: `"{\"a\":"`, ` {}`: `" {}"`, `"x"`: `"\"x\""`, ``: `""`,
	} {
		for _, contentType := range []string{"", "octet-stream"} {
			if got, err := valueOf([]byte(plaintext), contentType); err != nil || string(got) != want {
				t.Errorf("%s, cty %q: %s %v, want %s", plaintext, contentType, got, err, want)
			}
		}
	}
	for plaintext, contentType := range map[string]string{"\xff": "", `{"a":1,"a":2}`: "", `["\ud800"]`: "", `15x`: typeJSON, ``: typeJSON, "{": "application/json"} {
		if got, err := valueOf([]byte(plaintext), contentType); err == nil {
			t.Errorf("%q, cty %q: became %s", plaintext, contentType, got)
		}
	}
}

func TestWhatCannotBeEncryptedIsDeclined(t *testing.T) {
	t.Parallel()
	many := make([]string, 33)
	for i := range many {
		many[i] = strings.Repeat("a", i+1)
	}
	tests := []struct {
		name, body string
		fields     []string
		kind       fault.Kind
	}{
		{"no fields", `{"a":1}`, nil, fault.Missing},
		{"too many fields", `{"a":1}`, many, fault.TooLarge},
		{"empty name", `{"a":1}`, []string{""}, fault.Invalid},
		{"empty element", `{"a":{"":1}}`, []string{"a."}, fault.Invalid},
		{"long name", `{"a":1}`, []string{strings.Repeat("a", 513)}, fault.Invalid},
		{"unprintable name", `{"é":1}`, []string{"é"}, fault.Invalid},
		{"twice", `{"a":1}`, []string{"a", "a"}, fault.Invalid},
		{"within another", `{"a":{"b":1}}`, []string{"a", "a.b"}, fault.Invalid},
		{"around another", `{"a":{"b":1}}`, []string{"a.b", "a"}, fault.Invalid},
		{"not there", `{"a":1}`, []string{"b"}, fault.Missing},
		{"below a string", `{"a":"b"}`, []string{"a.b"}, fault.Missing},
		{"in an array", `{"a":[{"b":1}]}`, []string{"a.0.b"}, fault.Invalid},
		{"no body", ``, []string{"a"}, fault.Missing},
		{"no JSON", `{"a":1`, []string{"a"}, fault.Invalid},
		{"no object", `["a"]`, []string{"a"}, fault.Invalid},
		{"duplicate member", `{"a":1,"b":{"c":1,"c":2}}`, []string{"a"}, fault.Invalid},
		{"half a surrogate pair", `{"a":"\ud800"}`, []string{"a"}, fault.Invalid},
	}
	for _, test := range tests {
		_, err := EncryptFields(rand.Reader, exampleKey().Public(), []byte(test.body), test.fields, "")
		if !errors.Is(err, test.kind) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.kind)
		}
	}
	if e := encrypt(t, `{"a":{"b":1},"ab":{"c":1}}`, "a.b", "ab"); strings.Count(e.Header, "fieldName") != 2 {
		t.Errorf("names with one beginning: %s", e.Header)
	}
	for _, enc := range []string{"A128CBC-HS256", "a256gcm", "none"} {
		if _, err := EncryptFields(rand.Reader, exampleKey().Public(), []byte(`{"a":1}`), []string{"a"}, enc); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", enc, err)
		}
	}
}
