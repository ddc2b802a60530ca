package moduletest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// SecretKey makes the material of a secret key.
func SecretKey(algorithm string, use cpm.KeyUse, number byte, length int) cpm.Material {
	return cpm.Material{
		Ref:       cpm.KeyRef{ID: cpm.KeyID{number}, Name: algorithm, Version: uint32(number)},
		Algorithm: algorithm, Use: use, Private: secret.Take(bytes.Repeat([]byte{number}, length)),
	}
}

// perform has the module do one operation and gives the message of its answer.
func perform[M proto.Message](t *testing.T, m cpm.Module, o cpm.Operation, q proto.Message, fresh M, keys ...cpm.KeyRef) (M, error) {
	t.Helper()
	result, err := m.Do(within(t), &cpm.Request{
		ID: "r", FSP: FSP, Operation: o, Keys: keys, Arrival: time.Now(), Size: proto.Size(q), Payload: cpm.Payload{Message: q},
	})
	if err != nil {
		return fresh, err
	}
	return cpm.Decode(result.Payload, fresh)
}

// secretKeys has the module use secret keys, and wants the same refusals of it that every other module gives.
func secretKeys(t *testing.T, m cpm.Module) {
	data := []byte("thirty-two bytes of data to hide")
	old, current := SecretKey("A128GCM", cpm.UseDataEncryption, 1, 16), SecretKey("A256GCM", cpm.UseDataEncryption, 2, 32)
	mac, wrap := SecretKey("HS256", cpm.UseMAC, 3, 32), SecretKey("A256KWP", cpm.UseWrap, 4, 32)
	put(t, m, old, current, mac, wrap)
	sealed, err := perform(t, m, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: data, AssociatedData: []byte("a")}, &cpmv1.EncryptResponse{}, old.Ref)
	fatal(t, err)
	moved, err := perform(t, m, cpm.Rewrap, &cpmv1.RewrapRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: []byte("a")},
		&cpmv1.RewrapResponse{}, current.Ref, old.Ref)
	fatal(t, err)
	opened, err := perform(t, m, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: moved.GetCiphertext(), AssociatedData: []byte("a")},
		&cpmv1.DecryptResponse{}, current.Ref)
	if err != nil || !bytes.Equal(opened.GetPlaintext(), data) {
		t.Errorf("decrypted %q: %v", opened.GetPlaintext(), err)
	}
	_, err = perform(t, m, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: moved.GetCiphertext()}, &cpmv1.DecryptResponse{}, current.Ref)
	if f := fault.From(err); err == nil || f.Kind != fault.Refused || f.Public != cpm.NotDecrypted {
		t.Errorf("without associated data: %v", err)
	}
	code, err := perform(t, m, cpm.MAC, &cpmv1.MacRequest{Data: data}, &cpmv1.MacResponse{}, mac.Ref)
	fatal(t, err)
	verdict, err := perform(t, m, cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: data, Mac: code.GetMac()}, &cpmv1.MacVerifyResponse{}, mac.Ref)
	if err != nil || !verdict.GetValid() {
		t.Errorf("the MAC: %v %v", verdict, err)
	}
	wrapped, err := perform(t, m, cpm.Wrap, &cpmv1.WrapRequest{Material: data}, &cpmv1.WrapResponse{}, wrap.Ref)
	fatal(t, err)
	back, err := perform(t, m, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: wrapped.GetWrapped()}, &cpmv1.UnwrapResponse{}, wrap.Ref)
	if err != nil || !bytes.Equal(back.GetMaterial(), data) {
		t.Errorf("unwrapped %q: %v", back.GetMaterial(), err)
	}
	if _, err := perform(t, m, cpm.MAC, &cpmv1.MacRequest{Data: data}, &cpmv1.MacResponse{}, current.Ref); !errors.Is(err, fault.State) {
		t.Errorf("a key of another use: %v", err)
	}
}

// SecretKeyOperations are what a module must be mandated to do beside the operations of FSPIOP for its secret keys to be tested.
func SecretKeyOperations() []cpm.Operation {
	return []cpm.Operation{cpm.Encrypt, cpm.Decrypt, cpm.Rewrap, cpm.MAC, cpm.MACVerify, cpm.Wrap, cpm.Unwrap}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
