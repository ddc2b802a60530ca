package fspiop

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// canary stands where a caller's text goes; it must not come out again.
const canary = "c4nary"

// verifyCases change one thing of a message that verifies. The Reason says what must be found.
var verifyCases = []struct {
	name   string
	change func(c *crafted)
	want   Reason
}{
	{"nothing changed", func(*crafted) {}, ""},
	{"header names in any case", func(c *crafted) {
		c.message.Headers = map[string]string{
			"FSPIOP-Source": "payerfsp", "Fspiop-Destination": "payeefsp", "DATE": sampleDate, "Accept": "a", "x-Ünï": "1",
		}
	}, ""},

	// header-mismatch of the request itself
	{"a header twice in different case", func(c *crafted) {
		c.message.Headers["Fspiop-Source"] = "payerfsp"
	}, ReasonHeaderMismatch},
	{"an unrelated header twice in different case", func(c *crafted) {
		c.message.Headers["accept"], c.message.Headers["Accept"] = "a", "a"
	}, ReasonHeaderMismatch},

	// signature-missing
	{"no signature", func(c *crafted) { c.edit = func(string) string { return "" } }, ReasonSignatureMissing},

	// signature-malformed: the header value
	{"signature header over 64 KiB", func(c *crafted) {
		c.edit = func(s string) string { return s + strings.Repeat(" ", maxSignatureHeader) }
	}, ReasonSignatureMalformed},
	{"spaces in the signature header", func(c *crafted) {
		c.edit = func(s string) string { return " " + strings.ReplaceAll(s, ":", " : ") + " " }
	}, ""},
	{"signature header in compact serialisation", func(c *crafted) {
		c.edit = func(string) string { return canary + ".." + canary }
	}, ReasonSignatureMalformed},
	{"signature header an array", func(c *crafted) { c.edit = func(s string) string { return "[" + s + "]" } }, ReasonSignatureMalformed},
	{"signature header twice, joined", func(c *crafted) { c.edit = func(s string) string { return s + ", " + s } }, ReasonSignatureMalformed},
	{"signature header not UTF-8", func(c *crafted) { c.edit = func(s string) string { return s + "\xff" } }, ReasonSignatureMalformed},
	{"signature header with byte order mark", func(c *crafted) { c.edit = func(s string) string { return "\ufeff" + s } }, ReasonSignatureMalformed},
	{"an unprotected header beside", func(c *crafted) {
		c.edit = func(s string) string { return strings.Replace(s, "{", `{"header":{"alg":"none"},`, 1) }
	}, ReasonSignatureMalformed},
	{"an unknown text member beside", func(c *crafted) {
		c.edit = func(s string) string { return strings.Replace(s, "{", `{"`+canary+`":"x",`, 1) }
	}, ReasonSignatureMalformed},
	{"signature twice", func(c *crafted) {
		c.edit = func(s string) string { return strings.Replace(s, "{", `{"signature":"AAAA",`, 1) }
	}, ReasonSignatureMalformed},
	{"signature twice, the name escaped", func(c *crafted) {
		c.edit = func(s string) string { return strings.Replace(s, "{", `{"\u0073ignature":"AAAA",`, 1) }
	}, ReasonSignatureMalformed},
	{"names in another case", func(c *crafted) {
		c.edit = func(s string) string { return strings.Replace(s, "protectedHeader", "protectedheader", 1) }
	}, ReasonSignatureMalformed},
	{"signature a number", func(c *crafted) {
		c.edit = func(string) string { return `{"signature":1,"protectedHeader":"e30"}` }
	}, ReasonSignatureMalformed},
	{"protected header only", func(c *crafted) {
		c.edit = func(string) string { return `{"protectedHeader":"e30"}` }
	}, ReasonSignatureMalformed},
	{"signature only", func(c *crafted) { c.edit = func(string) string { return `{"signature":"AAAA"}` } }, ReasonSignatureMalformed},
	{"empty signature", func(c *crafted) { c.edit = withSignature(func(string) string { return "" }) }, ReasonSignatureMalformed},

	// signature-malformed: base64url
	{"signature padded", func(c *crafted) { c.edit = withSignature(func(s string) string { return s + "==" }) }, ReasonSignatureMalformed},
	{"signature with a line end", func(c *crafted) { c.edit = withSignature(func(s string) string { return s + `\n` }) }, ReasonSignatureMalformed},
	{"signature with a space", func(c *crafted) { c.edit = withSignature(func(s string) string { return " " + s }) }, ReasonSignatureMalformed},
	{"signature with bits left over", func(c *crafted) {
		c.edit = withSignature(func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) })
	}, ReasonSignatureMalformed},
	{"signature of an impossible length", func(c *crafted) { c.edit = withSignature(func(string) string { return "AAAAA" }) }, ReasonSignatureMalformed},
	{"signature in the standard alphabet", func(c *crafted) { c.edit = withSignature(func(string) string { return "+/+/" }) }, ReasonSignatureMalformed},
	{"protected header padded", func(c *crafted) {
		c.edit = func(string) string { return `{"signature":"AAAA","protectedHeader":"e30="}` }
	}, ReasonSignatureMalformed},
	{"protected header empty", func(c *crafted) {
		c.edit = func(string) string { return `{"signature":"AAAA","protectedHeader":""}` }
	}, ReasonSignatureMalformed},

	// signature-malformed: the protected header
	{"protected header not JSON", func(c *crafted) { c.json = canary }, ReasonSignatureMalformed},
	{"protected header null", func(c *crafted) { c.json = "null" }, ReasonSignatureMalformed},
	{"protected header an array", func(c *crafted) { c.json = `["alg","EdDSA"]` }, ReasonSignatureMalformed},
	{"protected header not UTF-8", func(c *crafted) { c.set("kid", "\"\xff\"") }, ReasonSignatureMalformed},
	{"protected header too deep", func(c *crafted) {
		c.set("kid", strings.Repeat("[", 64)+strings.Repeat("]", 64))
	}, ReasonSignatureMalformed},
	{"a member twice", func(c *crafted) { c.protected = append(c.protected, [2]string{"alg", `"EdDSA"`}) }, ReasonSignatureMalformed},
	{"a member twice in another case", func(c *crafted) { c.set("fspiop-uri", `"/quotes"`) }, ReasonSignatureMalformed},
	{"a member twice deep inside", func(c *crafted) { c.set("kid", `{"a":1,"a":2}`) }, ReasonSignatureMalformed},
	{"half a surrogate pair", func(c *crafted) { c.set("kid", `"\ud800"`) }, ReasonSignatureMalformed},
	{"more than 64 members", func(c *crafted) {
		for i := range 60 {
			c.message.Headers[fmt.Sprint("x-", i)] = ""
			c.set(fmt.Sprint("x-", i), `""`)
		}
	}, ReasonSignatureMalformed},
	{"64 members", func(c *crafted) {
		for i := range 58 {
			c.message.Headers[fmt.Sprint("x-", i)] = ""
			c.set(fmt.Sprint("x-", i), `""`)
		}
	}, ""},
	{"no alg", func(c *crafted) { c.remove("alg") }, ReasonSignatureMalformed},
	{"alg in upper case only", func(c *crafted) { c.remove("alg"); c.set("ALG", `"EdDSA"`) }, ReasonSignatureMalformed},
	{"alg an array", func(c *crafted) { c.set("alg", `["EdDSA"]`) }, ReasonSignatureMalformed},
	{"alg null", func(c *crafted) { c.set("alg", `null`) }, ReasonSignatureMalformed},
	{"no FSPIOP-URI", func(c *crafted) { c.remove("FSPIOP-URI") }, ReasonSignatureMalformed},
	{"fspiop-uri in lower case", func(c *crafted) { c.remove("FSPIOP-URI"); c.set("fspiop-uri", `"/quotes"`) }, ReasonSignatureMalformed},
	{"FSPIOP-URI a number", func(c *crafted) { c.set("FSPIOP-URI", `1`) }, ReasonSignatureMalformed},
	{"no FSPIOP-HTTP-Method", func(c *crafted) { c.remove("FSPIOP-HTTP-Method") }, ReasonSignatureMalformed},
	{"FSPIOP-HTTP-Method empty", func(c *crafted) { c.set("FSPIOP-HTTP-Method", `""`) }, ReasonSignatureMalformed},
	{"no FSPIOP-Source", func(c *crafted) { c.remove("FSPIOP-Source") }, ReasonSignatureMalformed},
	{"FSPIOP-Source an object", func(c *crafted) { c.set("FSPIOP-Source", `{}`) }, ReasonSignatureMalformed},

	// algorithm-refused by the policy
	{"alg not in the policy", func(c *crafted) { c.policy = DefaultPolicy() }, ReasonAlgorithmRefused},
	{"empty policy", func(c *crafted) { c.policy.Algorithms = nil }, ReasonAlgorithmRefused},
	{"alg unknown", func(c *crafted) { c.set("alg", `"`+canary+`"`) }, ReasonAlgorithmRefused},
	{"alg none, though the policy names it", func(c *crafted) {
		c.set("alg", `"none"`)
		c.policy.Algorithms = append(c.policy.Algorithms, "none")
	}, ReasonAlgorithmRefused},
	{"alg None", func(c *crafted) { c.set("alg", `"None"`) }, ReasonAlgorithmRefused},
	{"alg HS256, though the policy names it", func(c *crafted) {
		c.set("alg", `"HS256"`)
		c.policy.Algorithms = append(c.policy.Algorithms, "HS256")
	}, ReasonAlgorithmRefused},
	{"alg in another case", func(c *crafted) { c.set("alg", `"eddsa"`) }, ReasonAlgorithmRefused},
	{"alg empty", func(c *crafted) { c.set("alg", `""`) }, ReasonAlgorithmRefused},

	// crit-refused
	{"crit empty", func(c *crafted) { c.set("crit", `[]`) }, ReasonCritRefused},
	{"crit of an unknown name", func(c *crafted) { c.set("crit", `["`+canary+`"]`) }, ReasonCritRefused},
	{"crit of a known name", func(c *crafted) { c.set("crit", `["alg"]`) }, ReasonCritRefused},
	{"crit null", func(c *crafted) { c.set("crit", `null`) }, ReasonCritRefused},
	{"crit in upper case", func(c *crafted) { c.set("CRIT", `["exp"]`) }, ReasonCritRefused},
	{"b64 true", func(c *crafted) { c.set("b64", `true`) }, ReasonCritRefused},
	{"b64 false with crit", func(c *crafted) { c.set("b64", `false`); c.set("crit", `["b64"]`) }, ReasonCritRefused},

	// source-mismatch
	{"signed source another", func(c *crafted) { c.set("FSPIOP-Source", `"`+canary+`"`) }, ReasonSourceMismatch},
	{"source header another", func(c *crafted) { c.message.Headers["fspiop-source"] = canary }, ReasonSourceMismatch},
	{"source header missing", func(c *crafted) { delete(c.message.Headers, "fspiop-source") }, ReasonSourceMismatch},
	{"FSP another", func(c *crafted) { c.fsp = "payeefsp" }, ReasonSourceMismatch},
	{"source in another case everywhere but in the FSP", func(c *crafted) {
		c.set("FSPIOP-Source", `"PayerFSP"`)
		c.message.Headers["fspiop-source"] = "PayerFSP"
	}, ReasonSourceMismatch},

	// method-mismatch
	{"method another", func(c *crafted) { c.message.Method = "PUT" }, ReasonMethodMismatch},
	{"signed method another", func(c *crafted) { c.set("FSPIOP-HTTP-Method", `"PUT"`) }, ReasonMethodMismatch},
	{"method in another case", func(c *crafted) { c.message.Method = "post" }, ReasonMethodMismatch},
	{"method header equal", func(c *crafted) { c.message.Headers["fspiop-http-method"] = "POST" }, ""},
	{"method header another", func(c *crafted) { c.message.Headers["fspiop-http-method"] = "PUT" }, ReasonMethodMismatch},

	// uri-mismatch
	{"URI another", func(c *crafted) { c.message.URI = "/transfers" }, ReasonURIMismatch},
	{"URI with a query", func(c *crafted) { c.message.URI = "/quotes?a=b" }, ReasonURIMismatch},
	{"URI behind scheme and host", func(c *crafted) { c.message.URI = "https://hub.example:4003/quotes" }, ""},
	{"URI behind a deployment's prefix", func(c *crafted) { c.message.URI = "http://hub.example/api/fspiop/quotes" }, ""},
	{"URI in the query only", func(c *crafted) { c.message.URI = "/transfers?next=/quotes" }, ReasonURIMismatch},
	{"URI header equal", func(c *crafted) { c.message.Headers["fspiop-uri"] = "/quotes" }, ""},
	{"URI header another", func(c *crafted) { c.message.Headers["fspiop-uri"] = "/api/quotes" }, ReasonURIMismatch},
	{"signed URI with the prefix, request without", func(c *crafted) { c.set("FSPIOP-URI", `"/api/quotes"`) }, ReasonURIMismatch},
	{"signed URI escaped in JSON", func(c *crafted) { c.set("FSPIOP-URI", `"\/quote\u0073"`) }, ""},

	// destination-mismatch
	{"destination another", func(c *crafted) { c.message.Headers["fspiop-destination"] = canary }, ReasonDestinationMismatch},
	{"destination only signed", func(c *crafted) { delete(c.message.Headers, "fspiop-destination") }, ReasonDestinationMismatch},
	{"destination only in the header", func(c *crafted) { c.remove("FSPIOP-Destination") }, ReasonDestinationMismatch},
	{"destination only in the header, by policy", func(c *crafted) {
		c.remove("FSPIOP-Destination")
		c.policy.UnprotectedDestination = true
	}, ""},
	{"destination another, though the policy allows unsigned ones", func(c *crafted) {
		c.message.Headers["fspiop-destination"] = canary
		c.policy.UnprotectedDestination = true
	}, ReasonDestinationMismatch},
	{"destination only signed, though the policy allows unsigned ones", func(c *crafted) {
		delete(c.message.Headers, "fspiop-destination")
		c.policy.UnprotectedDestination = true
	}, ReasonDestinationMismatch},
	{"destination nowhere", func(c *crafted) {
		c.remove("FSPIOP-Destination")
		delete(c.message.Headers, "fspiop-destination")
	}, ""},
	{"destination header empty and not signed", func(c *crafted) {
		c.remove("FSPIOP-Destination")
		c.message.Headers["fspiop-destination"] = ""
	}, ""},
	{"destination empty in both places", func(c *crafted) {
		c.set("FSPIOP-Destination", `""`)
		c.message.Headers["fspiop-destination"] = ""
	}, ReasonDestinationMismatch},
	{"destination a number", func(c *crafted) {
		c.set("FSPIOP-Destination", `5678`)
		c.message.Headers["fspiop-destination"] = "5678"
	}, ReasonDestinationMismatch},
	{"destination signed in lower case", func(c *crafted) {
		c.remove("FSPIOP-Destination")
		c.set("fspiop-destination", `"payeefsp"`)
	}, ReasonDestinationMismatch},

	// encryption-mismatch
	{"encryption signed and equal", func(c *crafted) {
		c.set("FSPIOP-Encryption", `"{\"encryptedFields\":[]}"`)
		c.message.Headers["fspiop-encryption"] = `{"encryptedFields":[]}`
	}, ""},
	{"encryption another", func(c *crafted) {
		c.set("FSPIOP-Encryption", `"{}"`)
		c.message.Headers["fspiop-encryption"] = canary
	}, ReasonEncryptionMismatch},
	{"encryption only signed", func(c *crafted) { c.set("FSPIOP-Encryption", `"{}"`) }, ReasonEncryptionMismatch},
	{"encryption only in the header", func(c *crafted) { c.message.Headers["fspiop-encryption"] = "{}" }, ReasonEncryptionMismatch},
	{"encryption an object", func(c *crafted) {
		c.set("FSPIOP-Encryption", `{}`)
		c.message.Headers["fspiop-encryption"] = "{}"
	}, ReasonEncryptionMismatch},
	{"encryption header empty and not signed", func(c *crafted) { c.message.Headers["fspiop-encryption"] = "" }, ""},

	// header-mismatch
	{"Date another", func(c *crafted) { c.message.Headers["date"] = canary }, ReasonHeaderMismatch},
	{"Date only signed", func(c *crafted) { delete(c.message.Headers, "date") }, ReasonHeaderMismatch},
	{"Date only in the header", func(c *crafted) { c.remove("Date") }, ""},
	{"Date a number", func(c *crafted) { c.set("Date", `1`); c.message.Headers["date"] = "1" }, ReasonHeaderMismatch},
	{"another header signed", func(c *crafted) {
		c.set("Content-Type", `"application/vnd.interoperability.quotes+json;version=1.0"`)
	}, ""},
	{"another header signed and changed", func(c *crafted) { c.set("Content-Type", `"text/plain"`) }, ReasonHeaderMismatch},
	{"another header signed and empty in both places", func(c *crafted) {
		c.set("X-Empty", `""`)
		c.message.Headers["x-empty"] = ""
	}, ""},
	{"another header signed as a number and empty", func(c *crafted) {
		c.set("X-Empty", `1`)
		c.message.Headers["x-empty"] = ""
	}, ReasonHeaderMismatch},
	{"another header signed empty and absent", func(c *crafted) { c.set("X-Empty", `""`) }, ReasonHeaderMismatch},
	{"typ, cty and kid", func(c *crafted) {
		c.set("typ", `"JOSE"`)
		c.set("cty", `"application/json"`)
		c.set("kid", `"../../../etc/passwd"`)
	}, ""},
	{"TYP in upper case", func(c *crafted) { c.set("TYP", `"JOSE"`) }, ReasonHeaderMismatch},
	{"jwk", func(c *crafted) { c.set("jwk", `{"kty":"OKP"}`) }, ReasonHeaderMismatch},
	{"jwk as text and a header of that name", func(c *crafted) {
		c.set("jwk", `"{}"`)
		c.message.Headers["jwk"] = "{}"
	}, ReasonHeaderMismatch},
	{"jku and a header of that name", func(c *crafted) {
		c.set("jku", `"https://attacker.example"`)
		c.message.Headers["jku"] = "https://attacker.example"
	}, ReasonHeaderMismatch},
	{"x5u in another case and a header of that name", func(c *crafted) {
		c.set("X5U", `"https://attacker.example"`)
		c.message.Headers["x5u"] = "https://attacker.example"
	}, ReasonHeaderMismatch},
	{"x5c", func(c *crafted) { c.set("x5c", `["MII="]`) }, ReasonHeaderMismatch},
	{"x5t#S256", func(c *crafted) { c.set("x5t#S256", `"AAAA"`); c.message.Headers["x5t#s256"] = "AAAA" }, ReasonHeaderMismatch},
	{"a name that only Unicode folds", func(c *crafted) { c.set("\u212aey", `"v"`); c.message.Headers["key"] = "v" }, ReasonHeaderMismatch},

	// date-outside-window
	{"at the edge of the window, late", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.now = sampleTime().Add(time.Minute)
	}, ""},
	{"at the edge of the window, early", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.now = sampleTime().Add(-time.Minute)
	}, ""},
	{"too late", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.now = sampleTime().Add(time.Minute + 1)
	}, ReasonDateOutsideWindow},
	{"too early", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.now = sampleTime().Add(-time.Minute - 1)
	}, ReasonDateOutsideWindow},
	{"centuries off", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.now = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	}, ReasonDateOutsideWindow},
	{"no window", func(c *crafted) { c.now = sampleTime().AddDate(3, 0, 0) }, ""},
	{"Date not signed and a window", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.remove("Date")
	}, ReasonDateOutsideWindow},
	{"Date no date", func(c *crafted) {
		c.policy.DateWindow = time.Minute
		c.set("Date", `"2017-05-23"`)
		c.message.Headers["date"] = "2017-05-23"
	}, ReasonDateOutsideWindow},

	// key-unknown and algorithm-refused by the keys
	{"no keys", func(c *crafted) { c.keys = nil }, ReasonKeyUnknown},
	{"keys of other kinds", func(c *crafted) {
		c.keys = []Key{{Public: rsaKey().Public()}, {Public: p256Key().Public()}, {Public: []byte("no key")}, {}}
	}, ReasonAlgorithmRefused},
	{"key for another algorithm", func(c *crafted) { c.keys[0].Algorithms = []string{"RS256", "Ed25519"} }, ReasonAlgorithmRefused},
	{"key for this algorithm too", func(c *crafted) { c.keys[0].Algorithms = []string{"RS256", "EdDSA"} }, ""},
	{"key too short", func(c *crafted) { c.keys[0].Public = edKey().Public().(ed25519.PublicKey)[:31] }, ReasonAlgorithmRefused},

	// signature-mismatch and body-ambiguous
	{"body changed", func(c *crafted) { c.message.Body = []byte(strings.Replace(sampleBody, "150", "151", 1)) }, ReasonSignatureMismatch},
	{"body changed and not JSON", func(c *crafted) { c.message.Body = []byte(canary) }, ReasonSignatureMismatch},
	{"body missing", func(c *crafted) { c.message.Body = nil }, ReasonSignatureMismatch},
	{"body empty and signed so", func(c *crafted) { c.message.Body, c.covered = []byte{}, "" }, ""},
	{"another key's signature", func(c *crafted) {
		c.signer = ed25519.NewKeyFromSeed([]byte(strings.Repeat("another ", 4)))
	}, ReasonSignatureMismatch},
	{"signature cut short", func(c *crafted) { c.edit = withSignature(func(s string) string { return s[:84] }) }, ReasonSignatureMismatch},
	{"signature longer", func(c *crafted) {
		c.edit = withSignature(func(s string) string {
			return base64.RawURLEncoding.EncodeToString(append(must(base64.RawURLEncoding.DecodeString(s)), 0))
		})
	}, ReasonSignatureMismatch},
	{"protected header with other spaces than signed", func(c *crafted) {
		c.message.Headers["fspiop-signature"] = signedWith(c.encodedHeader(), sampleBody)
		c.edit = func(s string) string {
			return strings.Replace(s, c.encodedHeader(), base64.RawURLEncoding.EncodeToString(append(
				must(base64.RawURLEncoding.DecodeString(c.encodedHeader())), ' ')), 1)
		}
	}, ReasonSignatureMismatch},
	{"duplicate members and other bytes", func(c *crafted) {
		c.message.Body, c.covered = []byte(`{"a":1, "a":2}`), `{"a":2}`
	}, ReasonBodyAmbiguous},
	{"lossy number and other bytes", func(c *crafted) {
		c.message.Body, c.covered = []byte(`[ 9007199254740993 ]`), `[9007199254740992]`
	}, ReasonBodyAmbiguous},
	{"half a surrogate pair and other bytes", func(c *crafted) {
		c.message.Body, c.covered = []byte(`[ "\ud800" ]`), `["\ud800"]`
	}, ReasonBodyAmbiguous},
	{"duplicate members, bytes as signed", func(c *crafted) {
		c.message.Body, c.covered = []byte(`{"a":1,"a":2}`), `{"a":1,"a":2}`
	}, ""},
	{"duplicate members and raw form only", func(c *crafted) {
		c.message.Body, c.covered = []byte(`{"a":1, "a":2}`), `{"a":2}`
		c.policy.Sorted, c.policy.Legacy = false, false
	}, ReasonSignatureMismatch},
	{"body with exp in the past and nbf in the future", func(c *crafted) {
		c.message.Body = []byte(`{"exp":1,"nbf":99999999999}`)
		c.covered = string(c.message.Body)
	}, ""},
	{"no form allowed", func(c *crafted) { c.policy.Raw, c.policy.Sorted, c.policy.Legacy = false, false, false }, ReasonSignatureMismatch},
}
