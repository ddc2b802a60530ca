package keys

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// What is read says what it says in one way only, and what is not read is a fault with its rule.
func FuzzParseUpdate(f *testing.F) {
	header := b64([]byte(`{"alg":"EdDSA","typ":"cpm-key-update+jwt","kid":"updates"}`))
	for _, payload := range []string{
		`{"action":"Delete","fsp":"payerfsp","name":"jws","seq":1,"nonce":"0123456789abcdef","exp":2000000000}`,
		`{"action":"Add","fsp":"payerfsp","name":"jws","use":"sig","algorithm":"ES256","key":"k","proof":"a.b.c","notBefore":"2026-01-01T00:00:00Z","notAfter":"2027-01-01T00:00:00+01:00","seq":9007199254740991,"nonce":"0123456789abcdef","exp":2000000000}`,
		`{"action":"Update","fsp":"f","name":"n","use":"enc","sealedKey":"a.b.c.d.e","seq":1,"nonce":"0123456789abcdef","exp":1}`,
		`{"action":"Add","fsp":"f","fsp":"g"}`, `{"seq":1e3}`, `[]`, `{"exp":-1}`,
	} {
		f.Add([]byte(header + "." + b64([]byte(payload)) + "." + b64(make([]byte, 64))))
	}
	f.Add([]byte("..."))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := ParseUpdate(text)
		if err != nil {
			if _, ok := errors.AsType[Rule](err); !ok || fault.From(err).Kind == fault.Internal {
				t.Fatalf("%v", err)
			}
			return
		}
		if !u.FSP.Valid() || !cpm.ValidName(u.Name) || u.Seq < 1 || u.Expires.IsZero() || len(u.Nonce) < minNonce {
			t.Fatalf("%+v", u)
		}
		if evidence := u.Evidence(); evidence != "" && evidence != string(text) {
			t.Fatal("two texts are one update")
		}
		_ = u.CheckTime(time.Unix(2e9, 0))
		if u.proof != "" && u.CheckProof(PublicKey{}) == nil {
			t.Fatal("a proof by no key")
		}
	})
}

// Nothing that is not sealed to the import key opens, and nothing panics.
func FuzzOpenSealedKey(f *testing.F) {
	now := func() time.Time { return time.Unix(2e9, 0) }
	foreign, err := NewImports(now).Decoy("payerfsp", "asker")
	if err != nil {
		f.Fatal(err)
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(foreign.JWK); err != nil {
		f.Fatal(err)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES_A256KW, Key: jwk.Key, KeyID: "kid"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := encrypter.Encrypt([]byte("0"))
	if err != nil {
		f.Fatal(err)
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		f.Fatal(err)
	}
	head, rest, _ := strings.Cut(text, ".")
	plain, err := unbase64([]byte(head))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(plain), rest)
	f.Add(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"kid","epk":{"kty":"EC","crv":"P-256","x":"","y":""}}`, "...")
	f.Add(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"kid","zip":"DEF"}`, "AA.AA.AA.AA")
	f.Fuzz(func(t *testing.T, header, rest string) {
		imports := NewImports(now)
		k, err := imports.New("payerfsp", "a")
		if err != nil {
			t.Fatal(err)
		}
		text := b64([]byte(strings.ReplaceAll(header, `"kid":"kid"`, `"kid":"`+k.ID+`"`))) + "." + rest
		opened, err := imports.Open("payerfsp", text)
		if !errors.Is(err, RuleSealedKey) || opened.Len() != 0 {
			t.Fatalf("%d bytes, %v", opened.Len(), err)
		}
	})
}
