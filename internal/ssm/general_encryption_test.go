package ssm

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestEveryAlgorithmDecryptsWhatItEncrypted(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	algorithms := []string{"A128GCM", "A192GCM", "A256GCM", cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519}
	other := g.put(99, cpm.UseDataEncryption, "A256GCM", material(t, "A256GCM"))
	for i, name := range algorithms {
		key := g.put(byte(i+1), cpm.UseDataEncryption, name, material(t, name))
		for _, plaintext := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("long "), 38)} {
			associated := []byte("what it belongs to")
			sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: plaintext, AssociatedData: associated}, key)
			if id, ok := cpm.CiphertextKey(sealed.GetCiphertext()); !ok || id != key.ID || sealed.GetAlgorithm() != name {
				t.Fatalf("%s: %v", name, sealed)
			}
			opened := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: associated}, key)
			if opened.Plaintext == nil || !bytes.Equal(opened.GetPlaintext(), plaintext) {
				t.Errorf("%s: %q comes back as %q", name, plaintext, opened.GetPlaintext())
			}
			moved := must[*cpmv1.RewrapResponse](g, cpm.Rewrap, &cpmv1.RewrapRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: associated}, other, key)
			opened = must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: moved.GetCiphertext(), AssociatedData: associated}, other)
			if !bytes.Equal(opened.GetPlaintext(), plaintext) || moved.GetKey().GetId() != other.ID.String() {
				t.Errorf("%s: rewrapped to %v", name, moved)
			}
			g.refusesChanges(name, key, sealed.GetCiphertext(), associated)
		}
	}
}

// refusesChanges expects one and the same answer to a ciphertext whatever was changed.
func (g *general) refusesChanges(name string, key cpm.KeyRef, ciphertext, associated []byte) {
	g.t.Helper()
	asks := map[string]*cpmv1.DecryptRequest{
		"other data":    {Ciphertext: ciphertext, AssociatedData: append(bytes.Clone(associated), 'x')},
		"no data":       {Ciphertext: ciphertext},
		"nothing":       {AssociatedData: associated},
		"only a prefix": {Ciphertext: ciphertext[:cpm.CiphertextPrefix], AssociatedData: associated},
		"one byte less": {Ciphertext: ciphertext[:len(ciphertext)-1], AssociatedData: associated},
		"one byte more": {Ciphertext: append(bytes.Clone(ciphertext), 0), AssociatedData: associated},
		"moved border":  {Ciphertext: ciphertext[:cpm.CiphertextPrefix-1], AssociatedData: append([]byte{ciphertext[16]}, associated...)},
	}
	for _, at := range []int{0, 1, cpm.CiphertextPrefix - 1, cpm.CiphertextPrefix, len(ciphertext) / 2, len(ciphertext) - 1} {
		changed := bytes.Clone(ciphertext)
		changed[at] ^= 1
		asks[fmt.Sprint("byte ", at)] = &cpmv1.DecryptRequest{Ciphertext: changed, AssociatedData: associated}
	}
	for what, q := range asks {
		_, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, q, key)
		if f := fault.From(err); err == nil || f.Kind != fault.Refused || f.Public != cpm.NotDecrypted {
			g.t.Errorf("%s, %s: %v", name, what, err)
		}
	}
}

// The id in a ciphertext is authenticated: the same key under another id does not open it.
func TestACiphertextIsBoundToTheIDOfItsKey(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	for i, name := range []string{"A256GCM", cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519} {
		same := material(t, name)
		one, two := g.put(byte(2*i+1), cpm.UseDataEncryption, name, same), g.put(byte(2*i+2), cpm.UseDataEncryption, name, same)
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, one).GetCiphertext()
		copy(sealed[1:], two.ID[:])
		if _, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, two); !errors.Is(err, fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRSATakesNoMoreThanFits(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	private := material(t, cpm.RSAOAEP256)
	data, wrapping := g.put(1, cpm.UseDataEncryption, cpm.RSAOAEP256, private), g.put(2, cpm.UseWrap, cpm.RSAOAEP256, private)
	for size, want := range map[int]error{190: nil, 191: fault.TooLarge} {
		_, err := do[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: make([]byte, size)}, data)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
		_, err = do[*cpmv1.WrapResponse](g, cpm.Wrap, &cpmv1.WrapRequest{Material: make([]byte, size)}, wrapping)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes of material: %v", size, err)
		}
	}
}

// A public half is enough to encrypt, and for nothing else.
func TestAPublicHalfEncryptsOnly(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	for i, name := range []string{cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519} {
		full := material(t, name).(private)
		public := g.put(byte(i+1), cpm.UseDataEncryption, name, full.Public())
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, public).GetCiphertext()
		if _, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, public); !errors.Is(err, fault.State) {
			t.Errorf("%s decrypts with a public half: %v", name, err)
		}
		held := g.put(byte(i+1), cpm.UseDataEncryption, name, full)
		if got := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, held).GetPlaintext(); string(got) != "x" {
			t.Errorf("%s: %q", name, got)
		}
	}
	signing := material(t, "ES256").(*ecdsa.PrivateKey)
	public := g.put(9, cpm.UseDataSignature, "ES256", signing.Public())
	if _, err := do[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{}}, public); !errors.Is(err, fault.State) {
		t.Errorf("signs with a public half: %v", err)
	}
}

func TestADatakeyIsWhatItsCiphertextHolds(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	key := g.put(1, cpm.UseDataEncryption, "A256GCM", material(t, "A256GCM"))
	for asked, want := range map[uint32]int{0: 32, 16: 16, 24: 24, 32: 32, 64: 64} {
		made := must[*cpmv1.DatakeyResponse](g, cpm.Datakey, &cpmv1.DatakeyRequest{Length: asked, AssociatedData: []byte("a")}, key)
		opened := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: made.GetCiphertext(), AssociatedData: []byte("a")}, key)
		if len(made.GetPlaintext()) != want || !bytes.Equal(made.GetPlaintext(), opened.GetPlaintext()) {
			t.Errorf("%d bytes: %d", asked, len(made.GetPlaintext()))
		}
		wrapped := must[*cpmv1.DatakeyResponse](g, cpm.Datakey, &cpmv1.DatakeyRequest{Length: asked, WrappedOnly: true}, key)
		if wrapped.GetPlaintext() != nil || bytes.Equal(wrapped.GetCiphertext(), made.GetCiphertext()) {
			t.Errorf("wrapped only: %v", wrapped)
		}
		opened = must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: wrapped.GetCiphertext()}, key)
		if len(opened.GetPlaintext()) != want || bytes.Equal(opened.GetPlaintext(), make([]byte, want)) {
			t.Errorf("wrapped only: %x", opened.GetPlaintext())
		}
	}
}
