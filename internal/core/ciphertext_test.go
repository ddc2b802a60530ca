package core_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// withData lets the adapter and the caller encrypt.
func withData(d *core.Document) {
	operations := []cpm.Operation{cpm.Encrypt, cpm.Decrypt, cpm.Rewrap}
	d.Adapters[0].Operations = append(d.Adapters[0].Operations, operations...)
	for _, fsp := range []string{"payerfsp", "payeefsp"} {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: caller.String(), FSP: fsp, Operations: []string{"encrypt", "decrypt", "rewrap"}})
	}
}

func (r *rig) dataKey(fsp cpm.FSP, name string) {
	r.t.Helper()
	r.addKey(keys.Addition{FSP: fsp, Name: name, Use: cpm.UseDataEncryption, Generate: "A256GCM"})
}

func (r *rig) encryptUnder(key *cpmv1.KeySelector) []byte {
	r.t.Helper()
	q := &cpmv1.EncryptRequest{Plaintext: []byte("x"), Key: key}
	result, err := r.Process(r.t.Context(), r.request("payerfsp", cpm.Encrypt, q))
	r.must(err)
	return result.Payload.Message.(*cpmv1.EncryptResponse).GetCiphertext()
}

// under decrypts for an FSP, and says which version it took.
func (r *rig) under(fsp cpm.FSP, q *cpmv1.DecryptRequest) (*cpmv1.KeyIdentity, error) {
	r.t.Helper()
	result, err := r.Process(r.t.Context(), r.request(fsp, cpm.Decrypt, q))
	if err != nil {
		return nil, err
	}
	return result.Payload.Message.(*cpmv1.DecryptResponse).GetKey(), nil
}

func (r *rig) rewrap(q *cpmv1.RewrapRequest) *cpmv1.RewrapResponse {
	r.t.Helper()
	result, err := r.Process(r.t.Context(), r.request("payerfsp", cpm.Rewrap, q))
	r.must(err)
	return result.Payload.Message.(*cpmv1.RewrapResponse)
}

func isKey(k *cpmv1.KeyIdentity, name string, version uint32) bool {
	return k.GetName() == name && k.GetVersion() == version
}

// Whatever versions came after it, a ciphertext is decrypted with the one it names, and rewrapped to the current one.
func TestACiphertextChoosesItsKey(t *testing.T) {
	t.Parallel()
	r := running(t, withData)
	r.dataKey("payerfsp", "other")
	r.dataKey("payerfsp", "data")
	data := &cpmv1.KeySelector{Name: "data"}
	first := r.encryptUnder(data)
	for range 4 {
		r.dataKey("payerfsp", "data")
	}
	if k, err := r.under("payerfsp", &cpmv1.DecryptRequest{Ciphertext: first}); err != nil || !isKey(k, "data", 1) {
		t.Errorf("it is decrypted with %v: %v", k, err)
	}
	fresh := r.rewrap(&cpmv1.RewrapRequest{Ciphertext: first})
	if !isKey(fresh.GetKey(), "data", 5) {
		t.Errorf("it is rewrapped to %v", fresh.GetKey())
	}
	if k, err := r.under("payerfsp", &cpmv1.DecryptRequest{Ciphertext: fresh.GetCiphertext(), Key: data}); err != nil || !isKey(k, "data", 5) {
		t.Errorf("the rewrapped one is decrypted with %v: %v", k, err)
	}
	again := r.rewrap(&cpmv1.RewrapRequest{Ciphertext: fresh.GetCiphertext()})
	if !isKey(again.GetKey(), "data", 5) || string(again.GetCiphertext()) == string(fresh.GetCiphertext()) {
		t.Errorf("rewrapped again it is under %v", again.GetKey())
	}
	moved := r.rewrap(&cpmv1.RewrapRequest{Ciphertext: first, Key: &cpmv1.KeySelector{Name: "other"}})
	if k, err := r.under("payerfsp", &cpmv1.DecryptRequest{Ciphertext: moved.GetCiphertext()}); err != nil || !isKey(k, "other", 1) {
		t.Errorf("moved to another key it is decrypted with %v: %v", k, err)
	}
}

// An ended version still decrypts. One that is suspended, compromised or deleted, of another FSP, or another than the request
// names does not, and the caller is told nothing but that.
func TestACiphertextWhoseKeyMayNotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	r := running(t, withData)
	r.dataKey("payerfsp", "data")
	r.dataKey("payeefsp", "data")
	sealed := r.encryptUnder(nil)
	r.dataKey("payerfsp", "data")
	which := keys.Which{FSP: "payerfsp", Name: "data", Version: 1}
	r.mustChange("key.deactivate", "", which)
	if k, err := r.under("payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed}); err != nil || !isKey(k, "data", 1) {
		t.Errorf("an ended version: %v %v", k, err)
	}
	refused := func(what string, fsp cpm.FSP, q *cpmv1.DecryptRequest) {
		t.Helper()
		before := len(r.events("request.declined"))
		k, err := r.under(fsp, q)
		if f := fault.From(err); err == nil || f.Kind != fault.Refused || f.Public != cpm.NotDecrypted {
			t.Errorf("%s: %v %v", what, k, err)
		}
		if lines := r.events("request.declined"); len(lines) != before+1 || strings.Contains(lines[before], "plaintext") {
			t.Errorf("%s is logged as %v", what, lines[before:])
		}
	}
	refused("another FSP", "payeefsp", &cpmv1.DecryptRequest{Ciphertext: sealed})
	refused("another key", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed, Key: &cpmv1.KeySelector{Name: "other"}})
	refused("another version", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed, Key: &cpmv1.KeySelector{Version: 2}})
	refused("no ciphertext", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: []byte("x")})
	refused("other data", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed, AssociatedData: []byte("y")})
	r.mustChange("key.compromise", "", which)
	refused("a compromised version", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed})
	sealed = r.encryptUnder(nil)
	r.mustChange("key.suspend", "", keys.Which{FSP: "payerfsp", Name: "data"})
	refused("a suspended version", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed})
	r.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "data"})
	refused("a deleted key", "payerfsp", &cpmv1.DecryptRequest{Ciphertext: sealed})
	_, err := r.Process(t.Context(), r.request("payerfsp", cpm.Rewrap, &cpmv1.RewrapRequest{Ciphertext: sealed}))
	if !errors.Is(err, fault.Refused) {
		t.Errorf("a deleted key is rewrapped: %v", err)
	}
}

// An adapter does general operations only if its configuration lists them.
func TestGeneralOperationsAreNobodysUnlessConfigured(t *testing.T) {
	t.Parallel()
	r := running(t, func(d *core.Document) {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: caller.String(), FSP: "payerfsp", Operations: []string{"encrypt", "mac"}})
	})
	r.dataKey("payerfsp", "data")
	for o, q := range map[cpm.Operation]proto.Message{
		cpm.Encrypt: &cpmv1.EncryptRequest{Plaintext: []byte("x")}, cpm.Digest: &cpmv1.DigestRequest{Data: []byte("x")},
		cpm.Random: &cpmv1.RandomRequest{Length: 1},
	} {
		if _, err := r.Process(t.Context(), r.request("payerfsp", o, q)); !errors.Is(err, fault.Unsupported) {
			t.Errorf("%s: %v", o, err)
		}
	}
}
