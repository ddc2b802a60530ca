package jwk_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/jwk"
)

func number(t *testing.T, text string) *big.Int {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(b)
}

// TestThumbprintOfRFC7638 has the key and the thumbprint of section 3.1.
func TestThumbprintOfRFC7638(t *testing.T) {
	t.Parallel()
	n := "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst" +
		"n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI" +
		"SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	k, err := jwk.Of(&rsa.PublicKey{N: number(t, n), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	if k.Modulus != n || k.Exponent != "AQAB" || k.Type != "RSA" {
		t.Errorf("%+v", k)
	}
	if got := k.Thumbprint(); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Error(got)
	}
}

// TestPublicKeysOfRFC7517 writes the keys of appendix A.1 from their numbers.
func TestPublicKeysOfRFC7517(t *testing.T) {
	t.Parallel()
	x, y := "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
	point := append(append([]byte{4}, number(t, x).Bytes()...), number(t, y).Bytes()...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwk.Of(public)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(jwk.Key{Type: "EC", Curve: "P-256", X: x, Y: y}, k); diff != "" {
		t.Error(diff)
	}
	var set jwk.Set
	k.Use, k.Algorithm = "enc", "ECDH-ES"
	set.Add(k)
	set.Add(k)
	want := `{"keys":[{"kty":"EC","kid":"` + k.Thumbprint() + `","use":"enc","alg":"ECDH-ES","crv":"P-256","x":"` + x + `","y":"` + y + `"}]}`
	if got := string(set.JSON()); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestOctetKeyPairsOfRFC8037 has the keys of appendices A.2, A.3 and A.6.
func TestOctetKeyPairsOfRFC8037(t *testing.T) {
	t.Parallel()
	raw, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwk.Of(ed25519.PublicKey(raw))
	if err != nil || k.Curve != "Ed25519" || k.Type != "OKP" || k.Thumbprint() != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Error(k, k.Thumbprint(), err)
	}
	agreed, err := hex.DecodeString("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := ecdh.X25519().NewPublicKey(agreed)
	if err != nil {
		t.Fatal(err)
	}
	k, err = jwk.Of(bob)
	if want := (jwk.Key{Type: "OKP", Curve: "X25519", X: "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}); err != nil || k != want {
		t.Error(k, err)
	}
}

func TestOtherKeysHaveNoForm(t *testing.T) {
	t.Parallel()
	p256, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, public := range []crypto.PublicKey{nil, []byte("secret"), p256.PublicKey(), &p224.PublicKey} {
		if _, err := jwk.Of(public); !errors.Is(err, jwk.ErrKind) {
			t.Errorf("%T: %v", public, err)
		}
	}
	if got := string(new(jwk.Set).JSON()); got != `{"keys":[]}` {
		t.Error(got)
	}
}

// TestShortCoordinatesKeepTheirLength makes keys until one has a coordinate that begins with a zero octet.
func TestShortCoordinatesKeepTheirLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		curve  elliptic.Curve
		length int
	}{{elliptic.P256(), 43}, {elliptic.P384(), 64}, {elliptic.P521(), 88}} {
		short := false
		for i := 0; i < 5000 && !short; i++ {
			private, err := ecdsa.GenerateKey(c.curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			k, err := jwk.Of(&private.PublicKey)
			if err != nil || len(k.X) != c.length || len(k.Y) != c.length {
				t.Fatalf("%s: %+v %v", c.curve.Params().Name, k, err)
			}
			short = zeroFirst(k.X) || zeroFirst(k.Y)
		}
		if !short {
			t.Errorf("%s: no short coordinate was met", c.curve.Params().Name)
		}
	}
}

// TestGoJOSEReadsWhatIsWritten compares with the other implementation, both ways, over every public key of Wycheproof's JOSE
// files.
func TestGoJOSEReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, name := range []string{"json_web_key", "json_web_signature", "json_web_encryption", "json_web_crypto"} {
		text, err := fs.ReadFile(wycheproof.TestVectors, name+"_test.json")
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			TestGroups []struct{ Public json.RawMessage }
		}
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, g := range file.TestGroups {
			for _, raw := range members(g.Public) {
				compare(t, raw, seen)
			}
		}
	}
	for _, kind := range []string{"RSA", "EC", "OKP"} {
		if seen[kind] == 0 && kind != "OKP" {
			t.Errorf("no key of type %s", kind)
		}
	}
	t.Log(seen)
}

// members are the keys of a set, or the one key.
func members(raw json.RawMessage) []json.RawMessage {
	var set struct{ Keys []json.RawMessage }
	if json.Unmarshal(raw, &set) == nil && set.Keys != nil {
		return set.Keys
	}
	return []json.RawMessage{raw}
}

func compare(t *testing.T, raw json.RawMessage, seen map[string]int) {
	t.Helper()
	var theirs jose.JSONWebKey
	if len(raw) == 0 || theirs.UnmarshalJSON(raw) != nil || !theirs.IsPublic() {
		return
	}
	var want jwk.Key
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got, err := jwk.Of(theirs.Key)
	if err != nil {
		t.Errorf("%s: %v", raw, err)
		return
	}
	want.ID, want.Use, want.Algorithm = "", "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	thumbprint, err := theirs.Thumbprint(crypto.SHA256)
	if err != nil || base64.RawURLEncoding.EncodeToString(thumbprint) != got.Thumbprint() {
		t.Errorf("%s: thumbprints differ: %v", raw, err)
	}
	var set jwk.Set
	set.Add(got)
	var back jose.JSONWebKeySet
	if err := json.NewDecoder(bytes.NewReader(set.JSON())).Decode(&back); err != nil || !back.Keys[0].Valid() || len(back.Key(got.Thumbprint())) != 1 {
		t.Errorf("%s: go-jose does not read it: %v", set.JSON(), err)
	}
	seen[got.Type]++
}

// zeroFirst says whether base64url is of octets that begin with zero; of the coordinates of random points, one in 256 is.
func zeroFirst(text string) bool { return text[0] == 'A' && text[1] >= 'A' && text[1] <= 'P' }
