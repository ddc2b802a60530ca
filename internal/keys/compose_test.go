package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/secret"
)

// pems are both halves of a new key.
func pems(t *testing.T) (private secret.Bytes, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return secret.Take(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

func TestASignedUpdateIsReadAndProven(t *testing.T) {
	t.Parallel()
	updateKey, _ := pems(t)
	newKey, public := pems(t)
	expires := time.Unix(2_000_000_000, 0).UTC()
	for name, u := range map[string]keys.Update{
		"a public key": {Key: public},
		"derived":      {},
		"dates":        {Key: public, NotBefore: expires, NotAfter: expires.Add(time.Hour)},
	} {
		u.Action, u.FSP, u.Name, u.Use, u.Seq, u.Expires = keys.ActionAdd, "payerfsp", "sig", cpm.UseSignature, 7, expires
		text, err := u.Sign("updates", updateKey, newKey)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := keys.ParseUpdate(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Key != public || got.Seq != 7 || got.Signer() != "updates" || !got.Expires.Equal(expires) || got.Nonce == "" ||
			!got.NotBefore.Equal(u.NotBefore) || !got.NotAfter.Equal(u.NotAfter) {
			t.Errorf("%s: read as %+v", name, got)
		}
		key, err := keys.ReadPublicKey(got.Addition().Public)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.CheckProof(key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatCannotBeAcceptedIsNotSigned(t *testing.T) {
	t.Parallel()
	updateKey, _ := pems(t)
	newKey, _ := pems(t)
	_, other := pems(t)
	good := keys.Update{Action: keys.ActionAdd, FSP: "payerfsp", Name: "sig", Use: cpm.UseSignature, Seq: 1, Expires: time.Unix(2_000_000_000, 0)}
	for name, c := range map[string]struct {
		change      func(u *keys.Update)
		update, key secret.Bytes
	}{
		"no proof":          {func(u *keys.Update) { u.Key = other }, updateKey, secret.Bytes{}},
		"another's key":     {func(u *keys.Update) { u.Key = other }, updateKey, newKey},
		"no FSP":            {func(u *keys.Update) { u.FSP = "" }, updateKey, newKey},
		"no use":            {func(u *keys.Update) { u.Use = "" }, updateKey, newKey},
		"a Delete with key": {func(u *keys.Update) { u.Action = keys.ActionDelete }, updateKey, newKey},
		"no update key":     {func(*keys.Update) {}, secret.Take([]byte("nonsense")), newKey},
		"no new key":        {func(*keys.Update) {}, updateKey, secret.Take([]byte("nonsense"))},
	} {
		u := good
		c.change(&u)
		if _, err := u.Sign("", c.update, c.key); err == nil || errors.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	u := good
	u.Action, u.Use = keys.ActionDelete, ""
	if _, err := u.Sign("", updateKey, secret.Bytes{}); err != nil {
		t.Errorf("a Delete: %v", err)
	}
}

func TestASealedKeyIsOpenedOnce(t *testing.T) {
	t.Parallel()
	imports := keys.NewImports(time.Now)
	to, err := imports.New("payerfsp", "test")
	if err != nil {
		t.Fatal(err)
	}
	newKey, _ := pems(t)
	sealed, err := keys.SealKey(to.ID, to.JWK, newKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(newKey.Open(secret.Token{}))
	opened, err := imports.Open("payerfsp", sealed)
	if err != nil || !opened.Equal(secret.Take(block.Bytes)) {
		t.Errorf("opened as another key, %v", err)
	}
	if _, err := imports.Open("payerfsp", sealed); err == nil {
		t.Error("opened twice")
	}
	for name, jwk := range map[string]string{"nonsense": "x", "no key": "{}", "a secret": `{"kty":"oct","k":"AAAA"}`} {
		if _, err := keys.SealKey("i", []byte(jwk), newKey); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
