// Package moduletest is the suite every Module passes, in process and over a link, software and hardware.
package moduletest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// FSP is the participant the suite works for.
const FSP = cpm.FSP("payerfsp")

// Test runs the suite on modules that are mandated to do jws.sign, jws.verify, jwe.encrypt, jwe.decrypt and the
// SecretKeyOperations. Modules that are no KeyHolder are skipped where the suite must put keys.
func Test(t *testing.T, create func(t *testing.T) cpm.Module) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, cpm.Module){
		"signs what it verifies, with every algorithm": everyAlgorithm,
		"decrypts the fields it encrypts":              fieldEncryption,
		"decrypts fields with a private key only":      wrongHalves,
		"tells whose key is not held":                  notHeld,
		"forgets dropped keys":                         dropped,
		"refuses a key of another use":                 wrongUse,
		"refuses what it is not mandated to do":        notMandated,
		"uses secret keys":                             secretKeys,
		"answers by the deadline":                      deadline,
		"answers every one of many at once":            concurrent,
		"counts what it did":                           counted,
		"declines after shutdown":                      afterShutdown,
	} {
		t.Run(name, func(t *testing.T) { run(t, create(t)) })
	}
}

// Key makes the material of a new private key for a JOSE algorithm.
func Key(t testing.TB, algorithm string, number byte) cpm.Material {
	t.Helper()
	signer, err := generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return cpm.Material{
		Ref:       cpm.KeyRef{ID: cpm.KeyID{number}, Name: "jws", Version: uint32(number)},
		Algorithm: algorithm, Use: cpm.UseSignature, Private: secret.Take(private), Public: public,
	}
}

func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// SignRequest is a quote to be signed with the key.
func SignRequest(key cpm.KeyRef, body string) *cpm.Request {
	return &cpm.Request{
		ID: "r1", FSP: FSP, Operation: cpm.JWSSign, Keys: []cpm.KeyRef{key}, Arrival: time.Now(), Size: len(body),
		Payload: cpm.Payload{Message: &cpmv1.JwsSignRequest{
			Method: "POST", Uri: "/quotes", Headers: headers(), Content: &cpmv1.JwsSignRequest_Body{Body: body},
		}},
	}
}

// VerifyRequest asks about a signed quote.
func VerifyRequest(key cpm.KeyRef, policy *cpm.Policy, signed *cpmv1.JwsSignResponse) *cpm.Request {
	h := headers()
	for name, value := range signed.GetHeaders() {
		h[name] = value
	}
	return &cpm.Request{
		ID: "r2", FSP: FSP, Operation: cpm.JWSVerify, Keys: []cpm.KeyRef{key}, Policy: policy, Arrival: time.Now(),
		Payload: cpm.Payload{Message: &cpmv1.JwsVerifyRequest{
			Method: "POST", Uri: "/quotes", Headers: h, Content: &cpmv1.JwsVerifyRequest_Body{Body: signed.GetBody()},
		}},
	}
}

// Signed is the message of a jws.sign result.
func Signed(t testing.TB, r *cpm.Result) *cpmv1.JwsSignResponse {
	t.Helper()
	m, err := cpm.Decode(r.Payload, &cpmv1.JwsSignResponse{})
	if err != nil {
		t.Error(err)
	}
	return m
}

// Verified is the message of a jws.verify result.
func Verified(t testing.TB, r *cpm.Result) *cpmv1.JwsVerifyResponse {
	t.Helper()
	m, err := cpm.Decode(r.Payload, &cpmv1.JwsVerifyResponse{})
	if err != nil {
		t.Error(err)
	}
	return m
}

func headers() map[string]string {
	return map[string]string{
		"fspiop-source": string(FSP), "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT",
	}
}

func put(t *testing.T, m cpm.Module, keys ...cpm.Material) {
	t.Helper()
	holder, ok := m.(cpm.KeyHolder)
	if !ok {
		t.Skip("the module's keys live in hardware; its own tests put them there")
	}
	for _, k := range keys {
		if err := holder.Put(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func everyAlgorithm(t *testing.T, m cpm.Module) {
	algorithms := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
	policy := &cpm.Policy{Algorithms: algorithms, Raw: true}
	for i, a := range algorithms {
		k := Key(t, a, byte(i+1))
		put(t, m, k)
		signed, err := m.Do(within(t), SignRequest(k.Ref, `{"b":1,"a":2}`))
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		s := Signed(t, signed)
		if s.GetBody() != `{"a":2,"b":1}` || s.GetAlgorithm() != a || s.GetKeyVersion() != k.Ref.Version {
			t.Errorf("%s: signed %+v", a, s)
		}
		verified, err := m.Do(within(t), VerifyRequest(k.Ref, policy, s))
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		if v := Verified(t, verified); !v.GetValid() || v.GetForm() != "raw" || v.GetAlgorithm() != a {
			t.Errorf("%s: verified %+v", a, v)
		}
		if len(verified.SigningInput) == 0 {
			t.Errorf("%s: no digest of the signing input", a)
		}
		s.Content = &cpmv1.JwsSignResponse_Body{Body: `{"a":3,"b":1}`}
		tampered, err := m.Do(within(t), VerifyRequest(k.Ref, policy, s))
		if err != nil || Verified(t, tampered).GetReason() != "signature-mismatch" {
			t.Errorf("%s: tampered: %+v %v", a, tampered, err)
		}
	}
}

func notHeld(t *testing.T, m cpm.Module) {
	_, err := m.Do(within(t), SignRequest(cpm.KeyRef{ID: cpm.KeyID{9}}, `{}`))
	if !errors.Is(err, cpm.ErrKeyNotHeld) {
		t.Errorf("got %v", err)
	}
}

func dropped(t *testing.T, m cpm.Module) {
	k := Key(t, "ES256", 1)
	put(t, m, k)
	if _, err := m.Do(within(t), SignRequest(k.Ref, `{}`)); err != nil {
		t.Fatal(err)
	}
	if err := m.(cpm.KeyHolder).Drop(t.Context(), k.Ref.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Do(within(t), SignRequest(k.Ref, `{}`)); !errors.Is(err, cpm.ErrKeyNotHeld) {
		t.Errorf("got %v", err)
	}
}

func wrongUse(t *testing.T, m cpm.Module) {
	k := Key(t, "ES256", 1)
	k.Use = cpm.UseEncryption
	put(t, m, k)
	if _, err := m.Do(within(t), SignRequest(k.Ref, `{}`)); !errors.Is(err, fault.State) {
		t.Errorf("got %v", err)
	}
}

func notMandated(t *testing.T, m cpm.Module) {
	for _, o := range []cpm.Operation{"", "jws.forge", "pin.translate"} {
		r := SignRequest(cpm.KeyRef{}, `{}`)
		r.Operation = o
		if _, err := m.Do(within(t), r); !errors.Is(err, fault.Unsupported) {
			t.Errorf("%q: got %v", o, err)
		}
	}
}

func deadline(t *testing.T, m cpm.Module) {
	k := Key(t, "RS256", 1)
	put(t, m, k)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := m.Do(ctx, SignRequest(k.Ref, `{}`)); !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
}

func concurrent(t *testing.T, m cpm.Module) {
	r, e := Key(t, "RS256", 1), Key(t, "ES256", 2)
	put(t, m, r, e)
	var group sync.WaitGroup
	ctx := within(t)
	for i := range 64 {
		ref := r.Ref
		if i%2 == 0 {
			ref = e.Ref
		}
		group.Go(func() {
			want := fmt.Sprintf(`{"i":%d}`, i)
			res, err := m.Do(ctx, SignRequest(ref, want))
			if err != nil {
				t.Error(err)
				return
			}
			if got := Signed(t, res).GetBody(); got != want {
				t.Errorf("asked for %s, got %s", want, got)
			}
		})
	}
	group.Wait()
}

func counted(t *testing.T, m cpm.Module) {
	k := Key(t, "ES256", 1)
	put(t, m, k)
	for _, body := range []string{`{}`, `{}`, `not json`} {
		_, _ = m.Do(within(t), SignRequest(k.Ref, body))
	}
	r := SignRequest(k.Ref, `{}`)
	r.Operation = "pin.translate"
	_, _ = m.Do(within(t), r)
	s, err := m.Status(t.Context())
	if err != nil || s.State != cpm.Active {
		t.Fatalf("%+v %v", s, err)
	}
	if got := s.Counts[cpm.JWSSign]; got != (cpm.Outcomes{Success: 2, Failed: 1}) {
		t.Errorf("jws.sign: %+v", got)
	}
	var invalid uint64
	for o, n := range s.Counts {
		if !strings.HasPrefix(string(o), "jws.") {
			invalid += n.Invalid
		}
	}
	if invalid != 1 {
		t.Errorf("invalid: %d in %+v", invalid, s.Counts)
	}
}

func afterShutdown(t *testing.T, m cpm.Module) {
	controlled, ok := m.(cpm.Controlled)
	if !ok {
		t.Skip("the module cannot be told to end")
	}
	k := Key(t, "ES256", 1)
	put(t, m, k)
	if err := controlled.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Do(within(t), SignRequest(k.Ref, `{}`)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if s, err := m.Status(t.Context()); err != nil || s.State != cpm.Inactive {
		t.Errorf("%+v %v", s, err)
	}
}
