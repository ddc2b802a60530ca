package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// An unknown FSP, an FSP without update keys, another FSP's key, a wrong name of the key and a broken signature look the same.
func TestAnUpdateThatNobodySignedHasOneAnswer(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	other := r.enrol("payerfsp", newECKey(t))
	stranger := &participant{rig: r, fsp: "payeefsp", alg: "ES256", key: newECKey(t)}
	good := p.sign(p.add("jws", "sig", newECKey(t)))
	dot := strings.LastIndexByte(good, '.')
	texts := map[string]string{
		"unknown FSP":            stranger.sign(stranger.add("jws", "sig", newECKey(t), claims{"fsp": "nobody"})),
		"no such key":            stranger.sign(stranger.add("jws", "sig", newECKey(t))),
		"another FSP":            other.sign(other.add("jws", "sig", newECKey(t), claims{"fsp": "payeefsp"})),
		"signature of another":   good[:dot] + p.sign(p.base("Delete", "jws"))[strings.LastIndexByte(p.sign(p.base("Delete", "jws")), '.'):],
		"empty signature":        good[:dot+1],
		"signature one bit off":  good[:dot+1] + flip(good[dot+1:]),
		"name of another key":    compact(t, p.key, map[string]any{"alg": "ES256", "typ": "cpm-key-update+jwt", "kid": "jws"}, []byte(`{"action":"Delete","fsp":"payeefsp","name":"x","seq":9,"nonce":"0123456789abcdef","exp":9999999999}`)),
		"algorithm does not fit": compact(t, newEdKey(t), map[string]any{"alg": "EdDSA", "typ": "cpm-key-update+jwt"}, []byte(`{"action":"Delete","fsp":"payeefsp","name":"x","seq":9,"nonce":"0123456789abcdef","exp":9999999999}`)),
	}
	var public []string
	for name, text := range texts {
		_, err := r.sendText(text)
		if err == nil {
			t.Fatalf("%s is accepted", name)
		}
		kind(t, err, fault.Unauthenticated)
		public = append(public, fault.From(err).Public)
	}
	for _, p := range public {
		if p != public[0] {
			t.Errorf("%q and %q", p, public[0])
		}
	}
	for _, c := range r.UpdateCounts() {
		if c.FSP != "" && c.FSP != "payeefsp" {
			t.Errorf("%+v", c)
		}
	}
	if n := len(r.logged("key.update-refused")); n != len(texts) {
		t.Errorf("%d refusals were logged", n)
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// Every refusal is of an update that the FSP has signed, so it may say what is wrong.
func TestWhatIsWrongWithASignedUpdateIsSaid(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	key := newECKey(t)
	for name, c := range map[string]struct {
		change claims
		rule   string
		kind   fault.Kind
	}{
		"expired":              {claims{"exp": r.now().Add(-time.Second).Unix()}, "update-expired", fault.Invalid},
		"expires late":         {claims{"exp": r.now().Add(11 * time.Minute).Unix()}, "update-expires-late", fault.Invalid},
		"proof by another key": {claims{"proof": p.proof(p.add("jws", "sig", key), newECKey(t))}, "proof", fault.Invalid},
		"proof of another seq": {claims{"proof": p.proof(claims{"fsp": "payeefsp", "name": "jws", "seq": int64(7000)}, key)}, "proof", fault.Invalid},
		"proof is no JWS":      {claims{"proof": "a.b"}, "proof", fault.Invalid},
		"no proof":             {claims{"proof": nil}, "proof", fault.Missing},
		"no key":               {claims{"key": nil}, "update-malformed", fault.Missing},
		"key is not PEM":       {claims{"key": "x"}, "key-malformed", fault.Invalid},
		"two keys":             {claims{"certificate": "x"}, "update-malformed", fault.Missing},
		"no use":               {claims{"use": nil}, "update-malformed", fault.Missing},
		"unknown action":       {claims{"action": "Replace"}, "update-malformed", fault.Invalid},
		"action in lower case": {claims{"action": "add"}, "update-malformed", fault.Invalid},
		"short nonce":          {claims{"nonce": "abc"}, "update-malformed", fault.Invalid},
		"seq is a text":        {claims{"seq": "1"}, "update-malformed", fault.Invalid},
		"seq is zero":          {claims{"seq": 0}, "update-malformed", fault.Invalid},
		"seq is a fraction":    {claims{"seq": 1.5}, "update-malformed", fault.Invalid},
		"seq above 2^53":       {claims{"seq": int64(1) << 60}, "update-malformed", fault.Invalid},
		"unknown member":       {claims{"sequence": "1"}, "update-malformed", fault.Invalid},
		"name with a slash":    {claims{"name": "a/b"}, "update-malformed", fault.Invalid},
		"ends before it begins": {
			claims{"notBefore": "2030-01-02T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}, "update-malformed", fault.Invalid,
		},
	} {
		update := p.add("jws", "sig", key)
		for k, v := range c.change {
			if update[k] = v; v == nil {
				delete(update, k)
			}
		}
		_, err := p.send(update)
		kind(t, err, c.kind)
		lines := r.logged("key.update-refused")
		if got := lines[len(lines)-1]["outcome"]; got != c.rule {
			t.Errorf("%s: %v: %v", name, got, err)
		}
	}
	if len(p.versions("jws")) != 0 {
		t.Error("something was added")
	}
	for _, c := range r.UpdateCounts() {
		if c.Success+c.Failed != 0 {
			t.Errorf("%+v", c)
		}
	}
}

func TestHeadersAreStrict(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	payload := []byte(`{"action":"Delete","fsp":"payeefsp","name":"x","seq":9,"nonce":"0123456789abcdef","exp":9999999999}`)
	for _, header := range []map[string]any{
		{"alg": "none", "typ": "cpm-key-update+jwt"},
		{"alg": "HS256", "typ": "cpm-key-update+jwt"},
		{"alg": "es256", "typ": "cpm-key-update+jwt"},
		{"alg": "ES256"},
		{"alg": "ES256", "typ": "JWT"},
		{"typ": "cpm-key-update+jwt"},
		{"alg": "ES256", "typ": "cpm-key-proof+jwt"},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "crit": []string{"exp"}},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "b64": false},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "jku": "https://x"},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "x5u": "https://x"},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "jwk": map[string]any{}},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "x5c": []string{}},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "cty": "x"},
		{"alg": "ES256", "typ": "cpm-key-update+jwt", "kid": "../x"},
	} {
		_, err := r.sendText(compact(t, p.key, header, payload))
		kind(t, err, fault.Invalid)
	}
	for _, text := range []string{
		"", "a", "a.b", "a.b.c.d", "..", strings.Repeat(".", 70000), strings.Repeat("a", 70000),
		signText(t, p.key, "ES256", b64([]byte(`{"alg":"ES256","typ":"cpm-key-update+jwt","alg":"ES256"}`))+"."+b64(payload)),
		signText(t, p.key, "ES256", b64([]byte(`{"alg":"ES256","typ":"cpm-key-update+jwt"}`))+"=."+b64(payload)),
		signText(t, p.key, "ES256", b64([]byte(`{"alg":"ES256","typ":"cpm-key-update+jwt"}`))+"."+b64([]byte(`{"fsp":"payeefsp","fsp":"payerfsp"}`))),
	} {
		if _, err := r.sendText(text); err == nil {
			t.Errorf("%.40q is accepted", text)
		} else if e := fault.From(err); e.Kind != fault.Invalid && e.Kind != fault.TooLarge {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	want := []core.UpdateCount{{Outcomes: cpm.Outcomes{Invalid: 25}}}
	if diff := cmp.Diff(want, r.UpdateCounts()); diff != "" {
		t.Error(diff)
	}
}
