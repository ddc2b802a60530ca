package fspiop

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
)

func TestVerifyFindsEachReason(t *testing.T) {
	t.Parallel()
	found := map[Reason]bool{}
	for _, test := range verifyCases {
		found[test.want] = true
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := craft()
			test.change(c)
			v := c.verify(t)
			if v.Reason != test.want {
				t.Fatalf("reason is %q (%v), want %q", v.Reason, v.Cause, test.want)
			}
			checkVerdict(t, v)
		})
	}
	for _, r := range Reasons() {
		if core := r == ReasonReplayed || r == ReasonKeyNotUsable; found[r] == core {
			t.Errorf("%s: a case is there: %v, decided by the core: %v", r, found[r], core)
		}
	}
}

// checkVerdict holds for every verdict, whatever was verified.
func checkVerdict(t *testing.T, v Verdict) {
	t.Helper()
	if v.Valid {
		if v.Reason != "" || v.Cause != nil || v.Form == "" || v.Algorithm == "" || v.Key < 0 || len(v.SigningInput) != 32 {
			t.Errorf("a valid verdict with parts of an invalid one: %+v", v)
		}
		return
	}
	if !slices.Contains(Reasons(), v.Reason) || v.Cause == nil || v.Form != "" || v.Key != -1 || v.SigningInput != nil {
		t.Errorf("an invalid verdict with parts of a valid one: %+v", v)
	}
	if v.Cause != nil && strings.Contains(v.Cause.Error(), canary) {
		t.Errorf("the cause repeats the message: %v", v.Cause)
	}
}

// withSignature edits the signature member alone.
func withSignature(edit func(string) string) func(string) string {
	return func(header string) string {
		rest := strings.TrimPrefix(header, `{"signature":"`)
		end := strings.IndexByte(rest, '"')
		return `{"signature":"` + edit(rest[:end]) + rest[end:]
	}
}

func signedWith(encoded, body string) string {
	signature := ed25519.Sign(edKey(), []byte(encoded+"."+base64.RawURLEncoding.EncodeToString([]byte(body))))
	return fmt.Sprintf(`{"signature":%q,"protectedHeader":%q}`, base64.RawURLEncoding.EncodeToString(signature), encoded)
}

// TestVerifyTakesTheFirstReason repairs a message that is wrong in everything, check by check.
func TestVerifyTakesTheFirstReason(t *testing.T) {
	t.Parallel()
	c := &crafted{
		message: &Message{Method: "PUT", URI: "/transfers", Body: []byte(`{"b":1,"a":1,"a":2}`), Headers: map[string]string{
			"Fspiop-Destination": "x", "fspiop-destination": "payeefsp", "fspiop-encryption": "e", "date": "other",
		}},
		covered: `{"a":2,"b":1}`, algorithm: "EdDSA", signer: edKey(), fsp: "payerfsp", now: sampleTime(),
		policy: &cpm.Policy{Raw: true, Sorted: true, Legacy: true, DateWindow: time.Second},
		json: `{"alg":"EdDSA","crit":[],"FSPIOP-URI":"/quotes","FSPIOP-HTTP-Method":"POST","FSPIOP-Source":"payerfsp",` +
			`"Date":"` + sampleDate + `"}`,
		edit: func(string) string { return "" },
	}
	steps := []struct {
		want   Reason
		repair func()
	}{
		{ReasonHeaderMismatch, func() { delete(c.message.Headers, "Fspiop-Destination") }},
		{ReasonSignatureMissing, func() { c.edit = func(string) string { return "{}" } }},
		{ReasonSignatureMalformed, func() { c.edit = nil }},
		{ReasonAlgorithmRefused, func() { c.policy.Algorithms = []string{"EdDSA"} }},
		{ReasonCritRefused, func() { c.json = strings.Replace(c.json, `"crit":[],`, "", 1) }},
		{ReasonSourceMismatch, func() { c.message.Headers["fspiop-source"] = "payerfsp" }},
		{ReasonMethodMismatch, func() { c.message.Method = "POST" }},
		{ReasonURIMismatch, func() { c.message.URI = "/quotes" }},
		{ReasonDestinationMismatch, func() { delete(c.message.Headers, "fspiop-destination") }},
		{ReasonEncryptionMismatch, func() { delete(c.message.Headers, "fspiop-encryption") }},
		{ReasonHeaderMismatch, func() { c.message.Headers["date"] = sampleDate; c.now = sampleTime().Add(time.Hour) }},
		{ReasonDateOutsideWindow, func() { c.now = sampleTime() }},
		{ReasonKeyUnknown, func() { c.keys = []Key{{Public: rsaKey().Public()}} }},
		{ReasonAlgorithmRefused, func() { c.keys = append(c.keys, Key{Public: edKey().Public()}) }},
		{ReasonBodyAmbiguous, func() { c.message.Body = []byte(`{"b":1,"a":3}`) }},
		{ReasonSignatureMismatch, func() { c.message.Body = []byte(`{"b":1,"a":2}`) }},
	}
	for i, step := range steps {
		if c.edit == nil || i < 3 {
			delete(c.message.Headers, "fspiop-signature")
		}
		if v := c.verify(t); v.Reason != step.want {
			t.Fatalf("step %d: reason is %q, want %q", i, v.Reason, step.want)
		}
		step.repair()
	}
	if v := c.verify(t); !v.Valid || v.Form != FormSorted || v.Key != 1 {
		t.Errorf("repaired message gives %+v", v)
	}
}

func TestVerifySaysWhichFormWasSigned(t *testing.T) {
	t.Parallel()
	const raw = `{ "10":1, "b":1.0, "9":"\u0041", "a":[] }`
	sorted, legacy := `{"10":1,"9":"A","a":[],"b":1}`, `{"9":"A","10":1,"b":1,"a":[]}`
	forms := func(raw, sorted, legacy bool) cpm.Policy {
		return cpm.Policy{Algorithms: []string{"EdDSA"}, Raw: raw, Sorted: sorted, Legacy: legacy}
	}
	tests := []struct {
		name           string
		received, sent string
		policy         cpm.Policy
		want           Form
	}{
		{"bytes as signed", raw, raw, forms(true, true, true), FormRaw},
		{"sorted signed, other received", raw, sorted, forms(true, true, true), FormSorted},
		{"legacy signed, other received", raw, legacy, forms(true, true, true), FormLegacy},
		{"sorted received and signed", sorted, sorted, forms(true, true, true), FormRaw},
		{"legacy signed, sorted received", sorted, legacy, forms(true, true, true), ""},
		{"sorted signed, legacy received", legacy, sorted, forms(true, true, true), FormSorted},
		{"raw not allowed, sorted received", sorted, sorted, forms(false, true, true), FormSorted},
		{"raw not allowed, legacy received", legacy, legacy, forms(false, true, true), FormLegacy},
		{"raw not allowed and received", raw, raw, forms(false, true, true), ""},
		{"sorted not allowed", raw, sorted, forms(true, false, true), ""},
		{"legacy not allowed", raw, legacy, forms(true, true, false), ""},
		{"only legacy allowed", raw, legacy, forms(false, false, true), FormLegacy},
		{"forms that are the same text", `{"a":1}`, `{"a":2}`, forms(true, true, true), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := craft()
			c.message.Body, c.covered, c.policy = []byte(test.received), test.sent, &test.policy
			v := c.verify(t)
			if v.Form != test.want {
				t.Errorf("form is %q (%s), want %q", v.Form, v.Reason, test.want)
			}
		})
	}
}

func TestVerifyTriesKeysInTheirOrder(t *testing.T) {
	t.Parallel()
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("another ", 4)))
	c := craft()
	c.keys = []Key{
		{Public: rsaKey().Public()},
		{Public: other.Public()},
		{Public: edKey().Public(), Algorithms: []string{"RS256"}},
		{Public: edKey().Public()},
		{Public: edKey().Public()},
	}
	if v := c.verify(t); !v.Valid || v.Key != 3 || v.Algorithm != "EdDSA" {
		t.Errorf("verdict is %+v, want key 3", v)
	}
}

func TestVerifyGivesTheHashOfTheSigningInput(t *testing.T) {
	t.Parallel()
	c := craft()
	c.covered = `{"amount":{"amount":"150","currency":"USD"},"quoteId":"59e331fa"}`
	v := c.verify(t)
	sum := sha256.Sum256([]byte(c.encodedHeader() + "." + base64.RawURLEncoding.EncodeToString([]byte(c.covered))))
	if !v.Valid || v.Form != FormSorted {
		t.Fatalf("verdict is %+v", v)
	}
	if diff := cmp.Diff(sum[:], v.SigningInput); diff != "" {
		t.Errorf("signing input (-want +got):\n%s", diff)
	}
}

func TestVerifyWithoutPolicyUsesTheDefault(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Reason{"RS256": "", "ES256": "", "RS384": ReasonAlgorithmRefused, "EdDSA": ReasonAlgorithmRefused} {
		c := craft()
		c.policy, c.algorithm, c.signer = nil, name, signerFor(name)
		c.keys = []Key{{Public: c.signer.Public()}}
		c.set("alg", `"`+name+`"`)
		if v := c.verify(t); v.Reason != want {
			t.Errorf("%s: reason is %q, want %q", name, v.Reason, want)
		}
	}
}

func TestVerifyChangesNothingOfTheMessage(t *testing.T) {
	t.Parallel()
	c := craft()
	c.message.Headers["X-Upper"] = "kept"
	c.verify(t)
	before := *c.message
	before.Headers, before.Body = map[string]string{}, slices.Clone(c.message.Body)
	for k, v := range c.message.Headers {
		before.Headers[k] = v
	}
	policy := *c.policy
	Verify(c.keys, c.fsp, c.message, c.policy, c.now)
	if diff := cmp.Diff(&before, c.message); diff != "" {
		t.Errorf("message changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(&policy, c.policy); diff != "" {
		t.Errorf("policy changed (-before +after):\n%s", diff)
	}
}

// TestVerifyRefusesAPublicKeyUsedAsSecret is the confusion of an asymmetric with a MAC algorithm: the attacker knows the
// public key in every encoding.
func TestVerifyRefusesAPublicKeyUsedAsSecret(t *testing.T) {
	t.Parallel()
	public := rsaKey().Public()
	der := must(x509.MarshalPKIXPublicKey(public))
	secrets := map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"PKCS #1": x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey), "modulus": rsaKey().N.Bytes(), "JWK": []byte(jwk),
	}
	for encoding, secret := range secrets {
		for _, name := range []string{"HS256", "hs256", "RS256", "none", ""} {
			c := craft()
			c.keys, c.policy.Algorithms = []Key{{Public: public}}, append(AlgorithmNames(), "HS256", "none", "")
			c.set("alg", `"`+name+`"`)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(c.encodedHeader() + "." + base64.RawURLEncoding.EncodeToString(c.message.Body)))
			c.message.Headers["fspiop-signature"] = fmt.Sprintf(`{"signature":%q,"protectedHeader":%q}`,
				base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), c.encodedHeader())
			if v := c.verify(t); v.Valid {
				t.Errorf("alg %q with the %s as secret is valid", name, encoding)
			}
		}
	}
}

// TestVerifyRefusesEveryOtherAlgorithmsSignature relabels what one algorithm signed.
func TestVerifyRefusesEveryOtherAlgorithmsSignature(t *testing.T) {
	t.Parallel()
	for _, made := range AlgorithmNames() {
		for _, claimed := range AlgorithmNames() {
			c := craft()
			c.algorithm, c.signer = made, signerFor(made)
			c.keys = []Key{{Public: c.signer.Public()}}
			c.set("alg", `"`+claimed+`"`)
			if v := c.verify(t); v.Valid != (made == claimed) {
				t.Errorf("made with %s, claimed %s: valid is %v", made, claimed, v.Valid)
			}
		}
	}
}

// TestVerifyMalleableSignatureHasTheSameSigningInput is why replays are not found by the signature's octets: of ECDSA there
// is always a second one.
func TestVerifyMalleableSignatureHasTheSameSigningInput(t *testing.T) {
	t.Parallel()
	c := craft()
	c.algorithm, c.signer = "ES256", p256Key()
	c.keys = []Key{{Public: c.signer.Public()}}
	c.set("alg", `"ES256"`)
	first := c.verify(t)
	c.edit = withSignature(func(s string) string {
		octets := must(base64.RawURLEncoding.DecodeString(s))
		return base64.RawURLEncoding.EncodeToString(append(octets[:32:32], negate(octets[32:])...))
	})
	second := c.verify(t)
	if !first.Valid || !second.Valid {
		t.Fatalf("verdicts are %+v and %+v", first, second)
	}
	if diff := cmp.Diff(first.SigningInput, second.SigningInput); diff != "" {
		t.Errorf("signing input (-first +second):\n%s", diff)
	}
}

// negate is n - s for the order n of P-256.
func negate(s []byte) []byte {
	n := elliptic.P256().Params().N
	return new(big.Int).Sub(n, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
}

// counting is a scheme under which nothing verifies.
type counting struct {
	edwards
	tries *int
}

func (c counting) verify(crypto.PublicKey, []byte, []byte) bool {
	*c.tries++
	return false
}

func TestVerifyTriesEqualFormsOnce(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		``: 1, `not JSON`: 1, `{"a":1,"b":2}`: 1, `{"a": 1,"b":2}`: 2, `{"b":1,"a":2}`: 2, `{ "b":1,"a":2}`: 3, `{"a":1,"a":1}`: 1,
	} {
		tries := 0
		v := verification{
			keys: make([]Key, 2), usable: []int{0, 1}, message: &Message{Body: []byte(body)}, policy: DefaultPolicy(),
			algorithm: Algorithm{"counting", counting{tries: &tries}},
		}
		if reason, _ := v.tryForms(); reason == "" || tries != 2*want {
			t.Errorf("%s: reason %q after %d tries with 2 keys, want %d forms", body, reason, tries, want)
		}
	}
}
