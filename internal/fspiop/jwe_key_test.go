package fspiop

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// A key whose wrapped keys do not fit into an encryptedKey is declined before anything is sent that nobody may read.
func TestKeysThatFSPIOPHasNoRoomForAreDeclined(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), bits-1), 0, 1), E: 65537}
	}
	for _, c := range []struct {
		key  crypto.PublicKey
		kind fault.Kind
		says string
	}{
		{odd(1024), fault.Invalid, "2048 bits"},
		{odd(3080), fault.State, "512 characters"},
		{odd(4096), fault.State, "use RSA-2048 or RSA-3072"},
		{p256Key().Public(), fault.Invalid, "RSA key"},
		{edKey().Public(), fault.Invalid, "RSA key"},
		{nil, fault.Invalid, "RSA key"},
	} {
		_, err := EncryptFields(rand.Reader, c.key, []byte(`{"a":1}`), []string{"a"}, "")
		if !errors.Is(err, c.kind) || !strings.Contains(fault.From(err).Public, c.says) {
			t.Errorf("%T: %v", c.key, err)
		}
	}
	if _, err := wrappingKey(odd(3072)); err != nil {
		t.Errorf("RSA-3072: %v", err)
	}
}

// failing is a key whose device answers with an error.
type failing struct {
	crypto.Decrypter
	with error
}

func (k failing) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, k.with }

// What a device says of itself is passed on; what it says of the ciphertext is not: it is the one refusal.
func TestAKeysOwnFaultIsNotARefusal(t *testing.T) {
	t.Parallel()
	e := encrypt(t, `{"a":1}`, "a")
	for _, c := range []struct {
		with error
		want fault.Kind
	}{
		{fault.New(fault.Busy, "the token is busy"), fault.Busy},
		{fault.New(fault.Device, "the token failed"), fault.Device},
		{fault.New(fault.Refused, "the token refuses the ciphertext"), fault.Refused},
		{rsa.ErrDecryption, fault.Refused},
		{errors.New("CKR_ENCRYPTED_DATA_INVALID"), fault.Refused},
	} {
		_, err := DecryptFields([]crypto.Decrypter{failing{exampleKey(), c.with}}, received(e.Header, string(e.Body)), nil)
		if !errors.Is(err, c.want) {
			t.Errorf("%v became %v", c.with, err)
		}
		if c.want == fault.Refused && !errors.Is(err, errNotOpened) {
			t.Errorf("%v: the cause is %v", c.with, err)
		}
	}
	both := []crypto.Decrypter{failing{exampleKey(), rsa.ErrDecryption}, exampleKey()}
	if d, err := DecryptFields(both, received(e.Header, string(e.Body)), nil); err != nil || d.Key != 1 {
		t.Errorf("the second key: %+v %v", d, err)
	}
}

// Entropy that ends is no reason to send anything.
func TestNothingIsEncryptedWithoutEntropy(t *testing.T) {
	t.Parallel()
	if e, err := EncryptFields(strings.NewReader("short"), exampleKey().Public(), []byte(`{"a":1}`), []string{"a"}, ""); err == nil {
		t.Errorf("encrypted as %s", e.Body)
	}
}
