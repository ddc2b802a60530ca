package fspiop

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// once is a key that must not be used.
type once struct {
	crypto.Decrypter
	used int
}

func (k *once) Decrypt(r io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	k.used++
	return k.Decrypter.Decrypt(r, ciphertext, opts)
}

// field is an attack on an encrypted field: what change makes of an element that is right, after which the element is as it is
// sent, so that the key is never asked for what is not as it must be.
func field(name string, change func(element map[string]string, p *cpm.Policy)) attack {
	return attack{"jwe/" + name, func(t *testing.T) error {
		e := encrypt(t, `{"f":"secret"}`, "f")
		return tryElement(t, string(e.Body), e.Header, true, change)
	}}
}

func tryElement(t *testing.T, body, header string, beforeTheKey bool, change func(map[string]string, *cpm.Policy)) error {
	t.Helper()
	var sent struct {
		EncryptedFields []map[string]string `json:"encryptedFields"`
	}
	must(0, json.Unmarshal([]byte(header), &sent))
	policy := DefaultPolicy()
	change(sent.EncryptedFields[0], policy)
	k := &once{Decrypter: exampleKey()}
	_, err := DecryptFields([]crypto.Decrypter{k}, received(jsonOf(sent), body), policy)
	if beforeTheKey && k.used > 0 {
		t.Error("the key was used")
	}
	return err
}

// protectedMember puts a member into the protected header.
func protectedMember(name, value string) func(map[string]string, *cpm.Policy) {
	return func(e map[string]string, _ *cpm.Policy) {
		text := string(must(decodeBase64URL(e["protectedHeader"])))
		e["protectedHeader"] = base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{%q:%s,%s`, name, value, text[1:])))
	}
}

func protectedText(text string) func(map[string]string, *cpm.Policy) {
	return func(e map[string]string, _ *cpm.Policy) {
		e["protectedHeader"] = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
}

func fieldAlgorithmAttacks() (all []attack) {
	for _, alg := range []string{
		"none", "dir", "RSA1_5", "RSA-OAEP", "RSA-OAEP-512", "rsa-oaep-256", "A128KW", "A256KW", "A256GCMKW", "ECDH-ES", "ECDH-ES+A256KW",
		"PBES2-HS256+A128KW", "RS256", "",
	} {
		text := fmt.Sprintf(`{"alg":%q,"enc":"A256GCM"}`, alg)
		all = append(all, field(fmt.Sprintf("alg %q", alg), protectedText(text)))
	}
	for _, enc := range []string{"A128CBC-HS256", "A256CBC-HS512", "XC20P", "none", "a256gcm", ""} {
		all = append(all, field(fmt.Sprintf("enc %q", enc), protectedText(fmt.Sprintf(`{"alg":"RSA-OAEP-256","enc":%q}`, enc))))
	}
	return append(all,
		field("no alg", protectedText(`{"enc":"A256GCM"}`)), field("no enc", protectedText(`{"alg":"RSA-OAEP-256"}`)),
		field("alg is no string", protectedText(`{"alg":["RSA-OAEP-256"],"enc":"A256GCM"}`)),
		field("p2c of 2^31", protectedText(fmt.Sprintf(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"AA","p2c":%d}`, math.MaxInt32))),
		field("epk off the curve", protectedText(`{"alg":"ECDH-ES","enc":"A256GCM","epk":{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}}`)),
		field("epk beside RSA", protectedMember("epk", `{"kty":"EC"}`)),
	)
}

func fieldHeaderAttacks() (all []attack) {
	header := func(name string, edit func(string) string) attack {
		return attack{"jwe/" + name, func(t *testing.T) error {
			e := encrypt(t, `{"f":"secret"}`, "f")
			k := &once{Decrypter: exampleKey()}
			_, err := DecryptFields([]crypto.Decrypter{k}, received(edit(e.Header), string(e.Body)), nil)
			if k.used > 0 {
				t.Error("the key was used")
			}
			return err
		}}
	}
	return append(all,
		header("no header", func(string) string { return "" }),
		header("no field", func(string) string { return `{"encryptedFields":[]}` }),
		header("compact serialisation", func(string) string { return "eyJhbGciOiJub25lIn0....." }),
		header("JSON serialisation", func(string) string { return `{"protected":"e30","recipients":[],"ciphertext":""}` }),
		header("the list twice", func(s string) string { return `{"encryptedFields":[],` + s[1:] }),
		header("two lists", func(s string) string { return `{"encryptedField":[],` + s[1:] }),
		header("a member beside the list", func(s string) string { return `{"unprotected":{},` + s[1:] }),
		header("an element twice", func(s string) string {
			return strings.Replace(s, "]}", ","+s[strings.Index(s, "[")+1:len(s)-2]+"]}", 1)
		}),
		header("a member twice", func(s string) string { return strings.Replace(s, `{"fieldName"`, `{"fieldName":"f","fieldName"`, 1) }),
		header("another member", func(s string) string { return strings.Replace(s, `{"fieldName"`, `{"aad":"AA","fieldName"`, 1) }),
		header("eight megabytes of dots", func(string) string { return strings.Repeat(".", 8<<20) }),
		header("33 fields", func(s string) string {
			one := s[strings.Index(s, "[")+1 : len(s)-2]
			all := make([]string, 33)
			for i := range all {
				all[i] = strings.Replace(one, `"f"`, fmt.Sprintf(`"f%d"`, i), 1)
			}
			return `{"encryptedFields":[` + strings.Join(all, ",") + `]}`
		}),
		header("32,000 nested lists", func(string) string { return strings.Repeat(`{"encryptedFields":[`, 1<<11) }),
	)
}

func fieldShapeAttacks() (all []attack) {
	octets := func(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	for _, n := range []int{0, 1, 8, 11, 13, 15, 17, 96, 97} {
		all = append(all, field(fmt.Sprintf("an IV of %d octets", n), func(e map[string]string, _ *cpm.Policy) { e["initializationVector"] = octets(n) }))
	}
	for _, n := range []int{0, 4, 8, 12, 15} {
		all = append(all, field(fmt.Sprintf("a tag cut to %d octets", n), func(e map[string]string, _ *cpm.Policy) {
			e["authenticationTag"] = base64.RawURLEncoding.EncodeToString(must(decodeBase64URL(e["authenticationTag"]))[:n])
		}))
	}
	for _, name := range []string{"", ".", "f.", ".f", "g", "f.g", "f\x00", strings.Repeat("f", 513)} {
		all = append(all, field(fmt.Sprintf("field %.10q", name), func(e map[string]string, _ *cpm.Policy) { e["fieldName"] = name }))
	}
	for _, member := range []string{"fieldName", "encryptedKey", "protectedHeader", "initializationVector", "authenticationTag"} {
		all = append(all, field("no "+member, func(e map[string]string, _ *cpm.Policy) { delete(e, member) }))
	}
	return append(all,
		field("a tag of 17 octets", func(e map[string]string, _ *cpm.Policy) { e["authenticationTag"] = octets(17) }),
		field("a key of 385 octets", func(e map[string]string, _ *cpm.Policy) { e["encryptedKey"] = octets(385) }),
	)
}

// fieldKeyAttacks are about the content key. What can be seen without a key is seen before; the rest is one refusal.
func fieldKeyAttacks() (all []attack) {
	wrapped := func(name string, cek []byte, label string) attack {
		return attack{"jwe/" + name, func(t *testing.T) error {
			e := encrypt(t, `{"f":"secret"}`, "f")
			return tryElement(t, string(e.Body), e.Header, false, func(element map[string]string, _ *cpm.Policy) {
				key := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &exampleKey().PublicKey, cek, []byte(label)))
				element["encryptedKey"] = base64.RawURLEncoding.EncodeToString(key)
			})
		}}
	}
	direct := func(name string, key func() []byte) attack {
		return attack{"jwe/" + name, func(t *testing.T) error {
			e := encrypt(t, `{"f":"secret"}`, "f")
			return tryElement(t, string(e.Body), e.Header, false, func(element map[string]string, _ *cpm.Policy) {
				element["encryptedKey"] = base64.RawURLEncoding.EncodeToString(key())
			})
		}}
	}
	return append(all,
		wrapped("an empty content key", nil, ""), wrapped("a content key of one octet", make([]byte, 1), ""),
		wrapped("a content key for another enc", make([]byte, 16), ""), wrapped("a content key of 33 octets", make([]byte, 33), ""),
		wrapped("another content key", make([]byte, 32), ""), wrapped("a label", make([]byte, 32), "label"),
		direct("PKCS #1 v1.5", func() []byte {
			//lint:ignore SA1019 an attack is made with it
			return must(rsa.EncryptPKCS1v15(rand.Reader, &exampleKey().PublicKey, make([]byte, 32))) //nolint:staticcheck // the attack
		}),
		direct("zero", func() []byte { return make([]byte, 256) }),
		direct("one", func() []byte { return append(make([]byte, 255), 1) }),
		direct("the modulus", func() []byte { return exampleKey().N.Bytes() }),
		direct("beyond the modulus", func() []byte { return bytes.Repeat([]byte{0xff}, 256) }),
		direct("shorter than the modulus", func() []byte { return make([]byte, 255) }),
		direct("longer than the modulus", func() []byte { return make([]byte, 257) }),
		direct("one octet", func() []byte { return []byte{1} }),
	)
}

// compressionAttacks make little much.
func compressionAttacks() []attack {
	bomb := func(name string, size int, allowed bool, tail string) attack {
		return attack{"jwe/" + name, func(*testing.T) error {
			var compressed bytes.Buffer
			w := must(flate.NewWriter(&compressed, flate.BestCompression))
			must(io.Copy(w, io.LimitReader(zeros{}, int64(size))))
			must(0, w.Close())
			compressed.WriteString(tail)
			header, body := handmade([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF"}`), compressed.Bytes())
			policy := DefaultPolicy()
			policy.Inflate = allowed
			_, err := decrypt(header, body, policy)
			return err
		}}
	}
	return []attack{
		bomb("compression that is not allowed", 10, false, ""),
		bomb("64 MiB of 64 KiB that are not allowed", 64<<20, false, ""),
		bomb("64 MiB of 64 KiB", 64<<20, true, ""),
		bomb("one octet too many", maxInflated+1, true, ""),
		bomb("data behind the compressed", 10, true, "x"),
		field("another compression", protectedMember("zip", `"GZIP"`)),
		field("compression that is not there", func(e map[string]string, p *cpm.Policy) {
			p.Inflate = true
			protectedMember("zip", `"DEF"`)(e, p)
			e["encryptedKey"] = "" // the key must not be needed to refuse it
		}),
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// handmade is a message whose only field has this protected header and plaintext.
func handmade(protected, plaintext []byte) (header, body string) {
	encoded, cek := base64.RawURLEncoding.EncodeToString(protected), make([]byte, 32)
	must(rand.Read(cek))
	iv, ciphertext, tag, err := seal(cek, plaintext, encoded)
	must(0, err)
	wrapped := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &exampleKey().PublicKey, cek, nil))
	element := appendElement(nil, "f", encoded, wrapped, iv, tag)
	return `{"encryptedFields":[` + string(element) + `]}`, jsonOf(map[string]string{"f": base64.RawURLEncoding.EncodeToString(ciphertext)})
}

// What the attacks begin with is accepted, so that each is refused for what it changes.
func TestWhatTheAttacksChangeWasRight(t *testing.T) {
	t.Parallel()
	if v := craft().verify(t); !v.Valid {
		t.Error(v.Reason, v.Cause)
	}
	e := encrypt(t, `{"f":"secret"}`, "f")
	if err := tryElement(t, string(e.Body), e.Header, false, func(map[string]string, *cpm.Policy) {}); err != nil {
		t.Error(err)
	}
	policy := DefaultPolicy()
	policy.Inflate = true
	var compressed bytes.Buffer
	w := must(flate.NewWriter(&compressed, flate.BestCompression))
	must(io.WriteString(w, `{"a":[1,2]}`))
	must(0, w.Close())
	header, body := handmade([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF","typ":"JWE","kid":"any"}`), compressed.Bytes())
	if d, err := decrypt(header, body, policy); err != nil || string(d.Body) != `{"f":{"a":[1,2]}}` {
		t.Errorf("%v %v", d, err)
	}
}

// Unwrapping that fails and a tag that is wrong are one refusal to a caller, in kind and text, with one key or three; so is what
// policy refuses.
func TestEveryRefusalHasTheSameText(t *testing.T) {
	t.Parallel()
	texts := map[string]bool{}
	for _, keys := range [][]crypto.Decrypter{{exampleKey()}, {rsaKey(), exampleKey(), rsaKey()}, {}} {
		for name, change := range map[string]func(map[string]string, *cpm.Policy){
			"key": func(e map[string]string, _ *cpm.Policy) { e["encryptedKey"] = flip(e["encryptedKey"]) },
			"tag": func(e map[string]string, _ *cpm.Policy) { e["authenticationTag"] = flip(e["authenticationTag"]) },
			"iv":  func(e map[string]string, _ *cpm.Policy) { e["initializationVector"] = flip(e["initializationVector"]) },
			"aad": protectedText(`{"enc":"A256GCM","alg":"RSA-OAEP-256"}`), "alg": protectedText(`{"enc":"A256GCM","alg":"RSA-OAEP"}`),
			"zip": protectedMember("zip", `"DEF"`),
		} {
			e := encrypt(t, `{"f":"secret"}`, "f")
			var sent struct {
				EncryptedFields []map[string]string `json:"encryptedFields"`
			}
			must(0, json.Unmarshal([]byte(e.Header), &sent))
			change(sent.EncryptedFields[0], nil)
			_, err := DecryptFields(keys, received(jsonOf(sent), string(e.Body)), nil)
			if !errors.Is(err, fault.Refused) {
				t.Errorf("%s with %d keys: %v", name, len(keys), err)
				continue
			}
			texts[fault.From(err).Public] = true
		}
	}
	if len(texts) != 1 {
		t.Errorf("%d texts: %v", len(texts), texts)
	}
}

// flip changes the first character, and so the first octet.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}
