package fspiop

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

// FuzzEncryptionHeader holds the strict reader against encoding/json: what it reads, the other reads alike, and keys play no part.
func FuzzEncryptionHeader(f *testing.F) {
	elements := example().Elements
	f.Add(jsonOf(map[string]any{"encryptedFields": elements}))
	f.Add(jsonOf(map[string]any{"encryptedField": elements[:1]}))
	f.Add(jsonOf(map[string]any{"encryptedFields": map[string]any{"encryptedField": elements}}))
	f.Add(`{"encryptedFields":[]}`)
	f.Add(`{"encryptedFields":[{"fieldName":"a.b"}],"encryptedFields":1}`)
	f.Fuzz(func(t *testing.T, header string) {
		fields, err := readEncryption(header, true)
		if err != nil {
			if kind := fault.From(err).Kind; kind == fault.Internal {
				t.Errorf("%q: %v", header, err)
			}
			return
		}
		var tree any
		must(0, json.Unmarshal([]byte(header), &tree))
		for {
			object, ok := tree.(map[string]any)
			if !ok {
				break
			}
			for _, inner := range object {
				tree = inner
			}
		}
		list := tree.([]any)
		if len(fields) != len(list) || len(fields) > maxFields {
			t.Fatalf("%d fields of %d in %q", len(fields), len(list), header)
		}
		for i, f := range fields {
			want := map[string]any{
				"fieldName": f.name, "encryptedKey": f.key, "protectedHeader": f.aad,
				"initializationVector": base64url.EncodeToString(f.iv), "authenticationTag": base64url.EncodeToString(f.tag),
			}
			if diff := cmp.Diff(list[i], any(want)); diff != "" {
				t.Errorf("element of %q (-encoding/json +ours):\n%s", header, diff)
			}
			if f.cipher.keySize == 0 || len(f.tag) != tagSize {
				t.Errorf("field %+v", f)
			}
		}
	})
}

// FuzzEncryptFields encrypts any field of any body: decrypted again it means the same, and what is not encrypted has the same
// bytes.
func FuzzEncryptFields(f *testing.F) {
	f.Add([]byte(example().Clear), "payer", "payee.partyIdInfo.partyIdentifier")
	f.Add([]byte(`{"a":1e400,"b":[{"c":null}]}`), "a", "b")
	f.Add([]byte(`{"a":"[1]","b":"\u007b}"}`), "a", "b")
	f.Add([]byte(`{"a":{"a":1},"a\u002eb":2}`), "a.a", "a.b")
	f.Fuzz(func(t *testing.T, body []byte, one, two string) {
		e, err := EncryptFields(rand.Reader, exampleKey().Public(), body, []string{one, two}, "")
		if err != nil {
			if fault.From(err).Kind == fault.Internal {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		d, err := DecryptFields([]crypto.Decrypter{exampleKey()}, received(e.Header, string(e.Body)), nil)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		decode := func(text []byte) (v any) {
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.UseNumber()
			must(0, decoder.Decode(&v))
			return v
		}
		if diff := cmp.Diff(decode(body), decode(d.Body)); diff != "" {
			t.Errorf("%q (-before +after):\n%s", body, diff)
		}
		if diff := cmp.Diff([]string{one, two}, d.Fields); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})
}

// FuzzPlaintext gives whatever a sender may have encrypted, compressed or not: the body stays JSON, and no longer than allowed.
func FuzzPlaintext(f *testing.F) {
	for _, plaintext := range []string{"15295558888", `{"a":[1,2]}`, "[", "{}x", "\xff", `"\ud800"`, "\x4b\x4c\x04\x00"} {
		for _, contentType := range []string{"", "json", "text/plain"} {
			f.Add([]byte(plaintext), contentType, false)
			f.Add([]byte(plaintext), contentType, true)
		}
	}
	f.Fuzz(func(t *testing.T, plaintext []byte, contentType string, zipped bool) {
		text := plaintext
		if zipped {
			var err error
			if text, err = inflate(plaintext, 1<<16); err != nil {
				return
			}
			if len(text) > 1<<16 {
				t.Fatalf("%d octets", len(text))
			}
		}
		value, err := valueOf(text, contentType)
		if err != nil {
			return
		}
		if !json.Valid(value) {
			t.Errorf("%q became %q", text, value)
		}
		if value[0] == '"' {
			var back string
			must(0, json.Unmarshal(value, &back))
			if back != string(text) && contentType != "json" && contentType != "application/json" {
				t.Errorf("%q became %q", text, value)
			}
		}
	})
}
