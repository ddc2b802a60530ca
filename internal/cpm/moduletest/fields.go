package moduletest

import (
	"errors"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// EncryptRequest asks for fields of a quote to be encrypted to the key.
func EncryptRequest(key cpm.KeyRef, body string, fields ...string) *cpm.Request {
	return &cpm.Request{
		ID: "r3", FSP: FSP, Operation: cpm.JWEEncrypt, Keys: []cpm.KeyRef{key}, Arrival: time.Now(), Size: len(body),
		Payload: cpm.Payload{Message: &cpmv1.JweEncryptRequest{Fields: fields, Content: &cpmv1.JweEncryptRequest_Body{Body: body}}},
	}
}

// DecryptRequest asks for the fields of an encrypted quote, with keys the newest first.
func DecryptRequest(policy *cpm.Policy, headers map[string]string, body string, keys ...cpm.KeyRef) *cpm.Request {
	return &cpm.Request{
		ID: "r4", FSP: FSP, Operation: cpm.JWEDecrypt, Keys: keys, Policy: policy, Arrival: time.Now(), Size: len(body),
		Payload: cpm.Payload{Message: &cpmv1.JweDecryptRequest{Headers: headers, Content: &cpmv1.JweDecryptRequest_Body{Body: body}}},
	}
}

// fieldKey is a key that fields are encrypted with.
func fieldKey(t *testing.T, number byte) cpm.Material {
	t.Helper()
	k := Key(t, cpm.RSAOAEP256, number)
	k.Ref.Name, k.Use = "enc", cpm.UseEncryption
	return k
}

func fieldEncryption(t *testing.T, m cpm.Module) {
	current, before, other := fieldKey(t, 2), fieldKey(t, 1), fieldKey(t, 3)
	put(t, m, current, before, other)
	const body = `{"payee":{"id":"15295558888","limit":1.50},"amount":"150"}`
	result, err := m.Do(within(t), EncryptRequest(before.Ref, body, "payee.id", "payee.limit"))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := cpm.Decode(result.Payload, &cpmv1.JweEncryptResponse{})
	if err != nil || encrypted.GetAlgorithm() != cpm.RSAOAEP256 || encrypted.GetKeyVersion() != before.Ref.Version || encrypted.GetBody() == body {
		t.Fatalf("encrypted %+v %v", encrypted, err)
	}
	result, err = m.Do(within(t), DecryptRequest(nil, encrypted.GetHeaders(), encrypted.GetBody(), current.Ref, before.Ref))
	if err != nil {
		t.Fatal(err)
	}
	decrypted, err := cpm.Decode(result.Payload, &cpmv1.JweDecryptResponse{})
	if err != nil || decrypted.GetBody() != body || len(decrypted.GetFields()) != 2 || decrypted.GetKey().GetVersion() != before.Ref.Version {
		t.Errorf("decrypted %+v %v", decrypted, err)
	}
	if _, err = m.Do(within(t), DecryptRequest(nil, encrypted.GetHeaders(), encrypted.GetBody(), current.Ref, other.Ref)); !errors.Is(err, fault.Refused) {
		t.Errorf("with other keys: %v", err)
	}
	if _, err = m.Do(within(t), DecryptRequest(nil, nil, encrypted.GetBody(), before.Ref)); !errors.Is(err, fault.Missing) {
		t.Errorf("without the header: %v", err)
	}
}

// wrongHalves asks with the public half for what needs the private one, and with a key of another algorithm.
func wrongHalves(t *testing.T, m cpm.Module) {
	public, elliptic := fieldKey(t, 1), Key(t, "ES256", 2)
	public.Private.Destroy()
	elliptic.Use = cpm.UseEncryption
	put(t, m, public, elliptic)
	result, err := m.Do(within(t), EncryptRequest(public.Ref, `{"a":"b"}`, "a"))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := cpm.Decode(result.Payload, &cpmv1.JweEncryptResponse{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []cpm.KeyRef{public.Ref, elliptic.Ref} {
		if _, err := m.Do(within(t), DecryptRequest(nil, encrypted.GetHeaders(), encrypted.GetBody(), key)); !errors.Is(err, fault.State) {
			t.Errorf("key %d: %v", key.Version, err)
		}
	}
	if _, err := m.Do(within(t), EncryptRequest(elliptic.Ref, `{"a":"b"}`, "a")); !errors.Is(err, fault.State) {
		t.Errorf("an elliptic key: %v", err)
	}
}
