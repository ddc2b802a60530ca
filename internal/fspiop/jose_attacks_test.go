package fspiop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// attack is one way to have a token accepted that nobody entitled has made, or to make reading one costly. It gives nil if it
// succeeded, and otherwise how it was refused.
type attack struct {
	name string
	try  func(t *testing.T) error
}

// TestAttacksOnJOSEAreRefused is the table of RFC 8725 and of the vulnerabilities found in other libraries, for signatures and
// for encrypted fields. Replay is the core's (core.TestReplays). PBES2, key agreement and symmetric key wrapping
// have no code to attack: their names are refused before anything is computed.
func TestAttacksOnJOSEAreRefused(t *testing.T) {
	t.Parallel()
	tripwire := listen(t)
	for _, a := range slices.Concat(
		noneAttacks(), macAttacks(), keyAttacks("http://"+tripwire.Addr().String()+"/jwks.json"), extensionAttacks(), readerAttacks(),
		encodingAttacks(), shapeAttacks(), curveAttacks(), contextAttacks(), fieldAlgorithmAttacks(), fieldHeaderAttacks(), fieldShapeAttacks(),
		fieldKeyAttacks(), compressionAttacks(),
	) {
		t.Run(a.name, func(t *testing.T) {
			if err := a.try(t); err == nil {
				t.Error("the attack succeeded")
			}
		})
	}
	if err := tripwire.(*net.TCPListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if connection, err := tripwire.Accept(); err == nil {
		t.Errorf("somebody fetched a key: %v", connection.RemoteAddr())
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// forged is an attack on a signature: what change makes of a message that verifies.
func forged(name string, change func(c *crafted)) attack {
	return attack{"jws/" + name, func(t *testing.T) error {
		c := craft()
		c.policy.Algorithms = append(AlgorithmNames(), "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512")
		change(c)
		if v := c.verify(t); !v.Valid {
			return errors.New(string(v.Reason))
		}
		return nil
	}}
}

// presented puts a ready header in the place of the signature.
func presented(c *crafted, encodedHeader, signature string) {
	c.message.Headers["fspiop-signature"] = fmt.Sprintf(`{"signature":%q,"protectedHeader":%q}`, signature, encodedHeader)
}

func noneAttacks() (all []attack) {
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		for _, signature := range []string{"", "AA"} {
			all = append(all, forged(fmt.Sprintf("alg %q, signature %q", alg, signature), func(c *crafted) {
				c.set("alg", fmt.Sprintf("%q", alg))
				presented(c, c.encodedHeader(), signature)
			}))
		}
	}
	return append(all, forged("empty signature of a right algorithm", func(c *crafted) { presented(c, c.encodedHeader(), "") }))
}

// macAttacks use what everybody knows of a public key as a secret key.
func macAttacks() (all []attack) {
	der := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	for form, secret := range map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "PKCS #1": x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey),
		"modulus": rsaKey().N.Bytes(), "JWK": []byte(jwk), "nothing": nil,
	} {
		for _, alg := range []string{"HS256", "hs256", "RS256"} {
			all = append(all, forged("MAC with the public key as "+form+", alg "+alg, func(c *crafted) {
				c.keys = []Key{{Public: rsaKey().Public()}}
				c.set("alg", fmt.Sprintf("%q", alg))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(c.encodedHeader() + "." + base64.RawURLEncoding.EncodeToString([]byte(c.covered))))
				presented(c, c.encodedHeader(), base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
			}))
		}
	}
	return all
}

// keyAttacks sign with the attacker's key and bring it along, say where it is, or name another one.
func keyAttacks(url string) (all []attack) {
	attackers := fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, strings.Repeat("A", 43), strings.Repeat("A", 43))
	for name, value := range map[string]string{
		"jwk": attackers, "JWK": attackers, "jku": `"` + url + `"`, "x5u": `"` + url + `"`, "x5c": `["AA=="]`, "x5t": `"AA"`, "x5t#S256": `"AA"`,
	} {
		all = append(all, forged("attacker's key in "+name, func(c *crafted) { c.set(name, value); c.algorithm, c.signer = "ES256", p256Key() }),
			forged(name+", although rightly signed", func(c *crafted) { c.set(name, value) }))
		all = append(all, field("attacker's key in "+name, protectedMember(name, value)))
	}
	for _, kid := range []string{"../../../dev/null", "' OR 1=1 --", "\x00", "file:///proc/self/environ", strings.Repeat("k", 1<<20)} {
		all = append(all, forged(fmt.Sprintf("kid %.20q", kid), func(c *crafted) {
			c.set("kid", jsonOf(kid))
			c.algorithm, c.signer = "ES256", p256Key()
			c.set("alg", `"ES256"`)
		}))
	}
	return append(all,
		forged("a key of another algorithm", func(c *crafted) { c.keys = []Key{{Public: edKey().Public(), Algorithms: []string{"RS256"}}} }),
		forged("another curve", func(c *crafted) {
			c.set("alg", `"ES256"`)
			c.algorithm, c.signer, c.keys = "ES384", p384Key(), []Key{{Public: p384Key().Public()}}
		}),
		field("kid of a megabyte", protectedMember("kid", jsonOf(strings.Repeat("k", 1<<20)))),
	)
}

func extensionAttacks() (all []attack) {
	for _, crit := range []string{`["x"]`, `[]`, `["exp"]`, `["alg"]`, `["x","x"]`, `["crit"]`, `[""]`, `"x"`, `null`, `{}`, `["b64"]`} {
		all = append(all,
			forged("crit "+crit, func(c *crafted) { c.set("crit", crit); c.set("x", `"1"`); c.message.Headers["x"] = "1" }),
			field("crit "+crit, protectedMember("crit", crit)))
	}
	return append(all,
		forged("Crit", func(c *crafted) { c.set("Crit", `["x"]`) }),
		forged("b64", func(c *crafted) { c.set("b64", "false") }),
		field("b64", protectedMember("b64", "false")))
}

// readerAttacks are texts that readers of JSON understand in different ways, or not at all.
func readerAttacks() (all []attack) {
	deep := strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)
	for name, text := range map[string]string{
		"duplicate alg": `{"alg":"none",%s}`, "alg in two cases": `{"ALG":"none",%s}`, "byte order mark": "\xef\xbb\xbf{%s}", "invalid UTF-8": "{\"x\":\"\xff\",%s}",
		"half a surrogate pair": `{"x":"\ud800",%s}`, "deep nesting": `{"x":` + deep + `,%s}`, "data behind": `{%s}{}`, "comment": `{/**/%s}`,
		"huge number": `{"x":1e400,%s}`, "trailing comma": `{%s,}`, "single quotes": `{'x':1,%s}`, "array": `[{%s}]`,
	} {
		all = append(all,
			forged(name+" in the protected header", func(c *crafted) {
				inner := strings.Trim(string(must(decodeBase64URL(c.encodedHeader()))), "{}")
				c.json = strings.Replace(text, "%s", inner, 1)
			}),
			field(name+" in the protected header", func(e map[string]string, _ *cpm.Policy) {
				e["protectedHeader"] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(text, "%s", `"alg":"RSA-OAEP-256","enc":"A256GCM"`, 1)))
			}))
	}
	for name, body := range map[string]string{
		"duplicate member": `{"a":1,"a":2}`, "huge number": `{"a":1e400}`, "half a surrogate pair": `{"a":"\ud800"}`, "number beyond doubles": `{"a":9007199254740993}`,
	} {
		all = append(all, forged(name+" in a body that was signed in another form", func(c *crafted) { c.covered = "{}"; c.message.Body = []byte(body) }))
	}
	return all
}

// encodingAttacks are second spellings of one token.
func encodingAttacks() (all []attack) {
	respell := map[string]func(string) string{
		"padding": func(s string) string { return s + "=" }, "two paddings": func(s string) string { return s + "==" },
		"line end": func(s string) string { return s[:4] + "\n" + s[4:] }, "space": func(s string) string { return s + " " },
		"standard alphabet": func(s string) string { return "+/" + s[2:] }, "bits left over": func(s string) string { return s[:len(s)-1] + "_" },
		"one character": func(string) string { return "A" }, "NUL": func(s string) string { return s + "\x00" },
	}
	for name, change := range respell {
		for _, member := range []string{"signature", "protectedHeader"} {
			all = append(all, forged(name+" in "+member, func(c *crafted) {
				c.edit = func(header string) string {
					var members map[string]string
					must(0, json.Unmarshal([]byte(header), &members))
					members[member] = change(members[member])
					return jsonOf(members)
				}
			}))
		}
		for _, member := range []string{"encryptedKey", "protectedHeader", "initializationVector", "authenticationTag"} {
			if name == "bits left over" && member == "initializationVector" {
				continue // twelve octets leave none
			}
			all = append(all, field(name+" in "+member, func(e map[string]string, _ *cpm.Policy) { e[member] = change(e[member]) }))
		}
	}
	return all
}

// shapeAttacks are other serialisations, what is not protected, and sizes.
func shapeAttacks() (all []attack) {
	for name, edit := range map[string]func(string) string{
		"compact serialisation":   func(string) string { return `"eyJhbGciOiJub25lIn0.e30."` },
		"several signatures":      func(s string) string { return `{"signatures":[` + s + `]}` },
		"a list":                  func(s string) string { return `[` + s + `]` },
		"unprotected header":      func(s string) string { return `{"header":{"alg":"none"},` + s[1:] },
		"payload of its own":      func(s string) string { return `{"payload":"e30",` + s[1:] },
		"duplicate signature":     func(s string) string { return `{"signature":"AA",` + s[1:] },
		"members in another case": func(s string) string { return strings.Replace(s, "signature", "Signature", 1) },
		"eight megabytes of dots": func(string) string { return strings.Repeat(".", 8<<20) },
		"eight megabytes in it": func(string) string {
			return `{"signature":"AA","protectedHeader":"` + strings.Repeat(".", 8<<20) + `"}`
		},
	} {
		all = append(all, forged(name, func(c *crafted) { c.edit = edit }))
	}
	return all
}

// curveAttacks are octets that are no signature on the curve.
func curveAttacks() (all []attack) {
	n := p256Key().Curve.Params().N
	octets := func(r, s []byte) string {
		padded := make([]byte, 64)
		copy(padded[32-len(r):32], r)
		copy(padded[64-len(s):], s)
		return base64.RawURLEncoding.EncodeToString(padded)
	}
	der := base64.RawURLEncoding.EncodeToString(must(p256Key().Sign(rand.Reader, make([]byte, 32), nil)))
	for name, signature := range map[string]string{
		"r and s of zero": octets(nil, nil), "r of zero": octets(nil, []byte{1}), "s of zero": octets([]byte{1}, nil),
		"r of the order": octets(n.Bytes(), []byte{1}), "r and s of the order": octets(n.Bytes(), n.Bytes()), "DER": der,
		"63 octets": base64.RawURLEncoding.EncodeToString(make([]byte, 63)), "65 octets": base64.RawURLEncoding.EncodeToString(make([]byte, 65)),
	} {
		all = append(all, forged("ECDSA, "+name, func(c *crafted) {
			c.keys = []Key{{Public: p256Key().Public()}}
			c.set("alg", `"ES256"`)
			presented(c, c.encodedHeader(), signature)
		}))
	}
	return all
}

// contextAttacks use a right signature for another message.
func contextAttacks() []attack {
	return []attack{
		forged("another method", func(c *crafted) { c.message.Method = "PUT" }),
		forged("another URI", func(c *crafted) { c.message.URI = "/transfers" }),
		forged("another source", func(c *crafted) { c.message.Headers["fspiop-source"] = "payeefsp" }),
		forged("another destination", func(c *crafted) { c.message.Headers["fspiop-destination"] = "Hub" }),
		forged("no destination", func(c *crafted) { delete(c.message.Headers, "fspiop-destination") }),
		forged("another date", func(c *crafted) { c.message.Headers["date"] = "Tue, 23 May 2017 21:12:32 GMT" }),
		forged("a header in two cases", func(c *crafted) { c.message.Headers["Fspiop-Source"] = "payerfsp" }),
		forged("an encryption that is not signed", func(c *crafted) { c.message.Headers["fspiop-encryption"] = "{}" }),
		forged("an old message", func(c *crafted) { c.policy.DateWindow = time.Minute; c.now = c.now.Add(time.Hour) }),
		forged("another body", func(c *crafted) { c.message.Body = []byte(`{}`) }),
	}
}
