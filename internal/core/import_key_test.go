package core_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

func (r *rig) importKey(fsp, address string) (*cpmv1.ImportKeyReply, error) {
	return r.ImportKey(r.t.Context(), "updates1", "request-2", &cpmv1.ImportKeyAsk{Credential: &cpmv1.Credential{Address: address}, Fsp: fsp})
}

// sealing is how an FSP seals a key.
type sealing struct {
	alg   jose.KeyAlgorithm
	enc   jose.ContentEncryption
	extra map[jose.HeaderKey]any
	zip   jose.CompressionAlgorithm
}

// sealTo asks for an import key and seals text to it.
func (p *participant) sealTo(plain []byte, s sealing) string {
	t := p.rig.t
	t.Helper()
	reply, err := p.rig.importKey(p.fsp, "192.0.2.7")
	p.rig.must(err)
	var jwk jose.JSONWebKey
	p.rig.must(json.Unmarshal(reply.GetJwk(), &jwk))
	if s.alg == "" {
		s.alg, s.enc = jose.ECDH_ES_A256KW, jose.A256GCM
	}
	encrypter, err := jose.NewEncrypter(s.enc, jose.Recipient{Algorithm: s.alg, Key: jwk.Key, KeyID: reply.GetId()},
		&jose.EncrypterOptions{Compression: s.zip, ExtraHeaders: s.extra})
	p.rig.must(err)
	sealed, err := encrypter.Encrypt(plain)
	p.rig.must(err)
	text, err := sealed.CompactSerialize()
	p.rig.must(err)
	return text
}

func pkcs8(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// sealed are the members of an Add with a sealed private key.
func (p *participant) sealed(name, jwe string) claims {
	c := p.base("Add", name)
	c["use"], c["sealedKey"] = "sig", jwe
	return c
}

func TestASealedPrivateKeySigns(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payerfsp", newEdKey(t))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	r.must(err)
	for _, key := range []crypto.Signer{newECKey(t), rsaKey} {
		jwe := p.sealTo(pkcs8(t, key), sealing{})
		p.mustSend(p.sealed("jws", jwe))
		v := p.versions("jws")[0]
		if v.Kind != "private" || !bytes.Equal(v.PublicKey, spki(t, key)) || v.CreatedBy != "fsp:payerfsp" {
			t.Errorf("%+v", v)
		}
		signed, err := r.sign()
		r.must(err)
		if reason := r.verify("payerfsp", signed); reason != "" || signed.GetKeyVersion() != v.Version {
			t.Errorf("%q, version %d", reason, signed.GetKeyVersion())
		}
		_, err = p.send(p.sealed("jws", jwe))
		kind(t, err, fault.Invalid) // an import key opens once
		for _, secret := range [][]byte{[]byte(jwe), pkcs8(t, key)[30:]} {
			database, err := os.ReadFile(r.path)
			r.must(err)
			if strings.Contains(r.log.all.String(), string(secret)) || bytes.Contains(database, secret) {
				t.Error("the sealed key or its bytes are in the log or in the database")
			}
		}
	}
}

func TestASealedKeyThatCannotBeOpenedHasOneAnswer(t *testing.T) {
	t.Parallel()
	r := running(t)
	p, q := r.enrol("payerfsp", newECKey(t)), r.enrol("payeefsp", newECKey(t))
	der := pkcs8(t, newECKey(t))
	good := func() string { return p.sealTo(der, sealing{}) }
	parts := func(change func([]string)) string {
		all := strings.Split(good(), ".")
		change(all)
		return strings.Join(all, ".")
	}
	expired := good()
	r.pass(11 * time.Minute)
	texts := map[string]func() string{
		"expired":             func() string { return expired },
		"of another FSP":      func() string { return q.sealTo(der, sealing{}) },
		"no JWE":              func() string { return "x" },
		"five empty parts":    func() string { return "...." },
		"other ciphertext":    func() string { return parts(func(s []string) { s[3] = flip(s[3]) }) },
		"other tag":           func() string { return parts(func(s []string) { s[4] = flip(s[4]) }) },
		"short key":           func() string { return parts(func(s []string) { s[1] = s[1][:8] }) },
		"no key":              func() string { return parts(func(s []string) { s[1] = "" }) },
		"header with spaces":  func() string { return parts(func(s []string) { s[0] = b64([]byte(`{ }`)) }) },
		"key agreement alone": func() string { return p.sealTo(der, sealing{alg: jose.ECDH_ES, enc: jose.A256GCM}) },
		"AES 128 wrapping":    func() string { return p.sealTo(der, sealing{alg: jose.ECDH_ES_A128KW, enc: jose.A256GCM}) },
		"AES 128 content":     func() string { return p.sealTo(der, sealing{alg: jose.ECDH_ES_A256KW, enc: jose.A128GCM}) },
		"compressed": func() string {
			return p.sealTo(der, sealing{alg: jose.ECDH_ES_A256KW, enc: jose.A256GCM, zip: jose.DEFLATE})
		},
		"another header member": func() string {
			return p.sealTo(der, sealing{alg: jose.ECDH_ES_A256KW, enc: jose.A256GCM, extra: map[jose.HeaderKey]any{"cty": "x"}})
		},
		"too long": func() string { return strings.Repeat("a", 17<<10) },
	}
	answer := ""
	for name, text := range texts {
		_, err := p.send(p.sealed("other", text()))
		kind(t, err, fault.Invalid)
		if public := fault.From(err).Public; answer == "" {
			answer = public
		} else if public != answer {
			t.Errorf("%s: %q", name, public)
		}
		lines := r.logged("key.update-refused")
		if lines[len(lines)-1]["outcome"] != "sealed-key" {
			t.Errorf("%s: %v", name, lines[len(lines)-1])
		}
		r.pass(11 * time.Minute) // frees the places of import keys that were not used up
	}
	for name, plain := range map[string][]byte{"no key": []byte("0 secret"), "empty": {}, "a public key": spki(t, newECKey(t))} {
		_, err := p.send(p.sealed("other", p.sealTo(plain, sealing{})))
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
		kind(t, err, fault.Invalid)
	}
	for name, more := range map[string]claims{"update key": {"use": "update"}, "with proof": {"proof": "a.b.c"}} {
		c := p.sealed("other", good())
		maps.Copy(c, more)
		if _, err := p.send(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if len(p.versions("other")) != 0 {
		t.Error("something was added")
	}
}

func TestImportKeysAreBoundedAndExpire(t *testing.T) {
	t.Parallel()
	r := running(t)
	ids := map[string]bool{}
	ask := func(fsp, address string) error {
		t.Helper()
		reply, err := r.importKey(fsp, address)
		if err == nil && (ids[reply.GetId()] || reply.GetExpiresUnixMs() <= r.now().UnixMilli()) {
			t.Errorf("%v", reply)
		}
		ids[reply.GetId()] = true
		return err
	}
	for range 4 {
		r.must(ask("payerfsp", "192.0.2.1"))
	}
	kind(t, ask("payerfsp", "192.0.2.1"), fault.Busy)
	r.must(ask("payerfsp", "192.0.2.2"))
	r.must(ask("payeefsp", "192.0.2.1"))
	r.pass(10*time.Minute + time.Second)
	r.must(ask("payerfsp", "192.0.2.1"))
	// An FSP that is not known looks the same, to its bounds, and takes no place of another.
	for range 4 {
		r.must(ask("nobody", "192.0.2.1"))
	}
	kind(t, ask("nobody", "192.0.2.1"), fault.Busy)
	r.must(ask("nobody", "192.0.2.2"))
	r.must(ask("nobodyelse", "192.0.2.1"))
	r.must(ask("payerfsp", "192.0.2.1"))
	r.pass(10*time.Minute + time.Second)
	r.must(ask("nobody", "192.0.2.1"))
	kind(t, ask("a/b", "192.0.2.1"), fault.Invalid)
	if made, declined := len(r.logged("import-key.made")), len(r.logged("import-key.declined")); made != 15 || declined != 3 {
		t.Errorf("%d and %d were logged", made, declined)
	}
	r.BeginShutdown(t.Context())
	kind(t, ask("payerfsp", "192.0.2.9"), fault.Unavailable)
}

// Secret keys come sealed too. What the use and the algorithm say, not what the bytes look like, decides which they are.
func TestASealedSecretKeyIsTakenAsOne(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payerfsp", newEdKey(t))
	sealedFor := func(name, use, algorithm string, plain []byte) claims {
		c := p.sealed(name, p.sealTo(plain, sealing{}))
		c["use"] = use
		if algorithm != "" {
			c["algorithm"] = algorithm
		}
		return c
	}
	key := []byte("0123456789abcdef0123456789abcdef")
	for _, c := range []struct{ name, use, algorithm, becomes string }{
		{"ilp", "ilp", "", "HS256"},
		{"mac", "mac", "", "HS256"},
		{"cmac", "mac", "A256CMAC", "A256CMAC"},
		{"data", "data-enc", "A256GCM", "A256GCM"},
		{"wrap", "wrap", "A256KW", "A256KW"},
	} {
		p.mustSend(sealedFor(c.name, c.use, c.algorithm, key))
		if v := p.versions(c.name)[0]; v.Kind != "secret" || v.Algorithm != c.becomes || v.Bits != 256 || len(v.PublicKey) != 0 {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
	p.mustSend(sealedFor("hpke", "data-enc", "", pkcs8(t, newECKey(t))))
	if v := p.versions("hpke")[0]; v.Kind != "private" || v.Algorithm != "HPKE-0" {
		t.Errorf("%+v", v)
	}
	for name, c := range map[string]struct {
		name, use, algorithm string
		plain                []byte
	}{
		"too short":               {"mac", "mac", "HS256", key[:31]},
		"nothing":                 {"ilp", "ilp", "", nil},
		"a secret for signatures": {"jws", "sig", "", key},
		"a secret without a name": {"data", "data-enc", "", key},
		"another use's algorithm": {"mac", "mac", "A256GCM", key},
		"no algorithm there is":   {"mac", "mac", "HS1", key},
	} {
		if _, err := p.send(sealedFor(c.name, c.use, c.algorithm, c.plain)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		r.pass(11 * time.Minute) // the import key of an update that was not even read is still out
	}
	_, err := p.send(p.add("mac", "mac", newECKey(t)))
	kind(t, err, fault.Invalid) // a public key, where all keys are secret
	r.mustChange("key.compromise", "payerfsp/mac", map[string]any{"fsp": "payerfsp", "name": "mac"})
	_, err = p.send(sealedFor("mac", "mac", "", key))
	if !errors.Is(err, keys.RuleReturning) {
		t.Errorf("a compromised secret came back: %v", err)
	}
	database, err := os.ReadFile(r.path)
	r.must(err)
	if strings.Contains(r.log.all.String(), string(key)) || bytes.Contains(database, key) {
		t.Error("the secret is in the log or in the database")
	}
}
