package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestRegistryHasExactlyTheseAlgorithms(t *testing.T) {
	t.Parallel()
	want := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
	if diff := cmp.Diff(want, AlgorithmNames()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, name := range want {
		if a := algorithmNamed(t, name); a.Name() != name {
			t.Errorf("%s is called %s", name, a.Name())
		}
	}
	for _, name := range []string{"", "none", "None", "HS256", "HS384", "HS512", "ES512", "ES256K", "rs256", "RS256 ", "RS1", "EDDSA"} {
		if a, ok := AlgorithmNamed(name); ok || a != (Algorithm{}) {
			t.Errorf("there is an algorithm %q", name)
		}
	}
}

func TestDefaultAlgorithmFollowsTheKey(t *testing.T) {
	t.Parallel()
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	tests := []struct {
		pub  crypto.PublicKey
		want string
	}{
		{rsaKey().Public(), "RS256"},
		{p256Key().Public(), "ES256"},
		{p384Key().Public(), "ES384"},
		{edKey().Public(), "EdDSA"},
		{p521.Public(), ""},
		{rsaKey().PublicKey, ""},
		{nil, ""},
	}
	for _, test := range tests {
		got, err := DefaultAlgorithm(test.pub)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%T: %q, %v; want %q", test.pub, got, err, test.want)
		}
	}
}

func TestAlgorithmAcceptsKeysOfItsOwnKindOnly(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{
		"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
		"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519",
	}
	keys := map[string]crypto.PublicKey{
		"RSA": rsaKey().Public(), "P-256": p256Key().Public(), "P-384": p384Key().Public(), "Ed25519": edKey().Public(),
		"nil": nil, "nil RSA": (*rsa.PublicKey)(nil), "nil ECDSA": (*ecdsa.PublicKey)(nil), "nil Ed25519": ed25519.PublicKey(nil),
		"empty RSA": &rsa.PublicKey{}, "empty ECDSA": &ecdsa.PublicKey{},
		"private": rsaKey(),
	}
	for name, kind := range kinds {
		a := algorithmNamed(t, name)
		for label, key := range keys {
			err := a.Accepts(key)
			if (err == nil) != (label == kind) || err != nil && !errors.Is(err, fault.Invalid) {
				t.Errorf("%s and a key %s: %v", name, label, err)
			}
		}
	}
}

func TestAlgorithmSignsWhatItVerifies(t *testing.T) {
	t.Parallel()
	input := []byte("e30.e30")
	lengths := map[string]int{"ES256": 64, "ES384": 96, "EdDSA": 64}
	for _, name := range AlgorithmNames() {
		a, s := algorithmNamed(t, name), signerFor(name)
		sig, err := a.Sign(rand.Reader, s, input)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := lengths[name]; want != 0 && len(sig) != want {
			t.Errorf("%s: signature has %d octets, want %d", name, len(sig), want)
		}
		if !a.Verify(s.Public(), input, sig) {
			t.Errorf("%s: own signature does not verify", name)
		}
		for what, wrong := range damaged(sig) {
			if a.Verify(s.Public(), input, wrong) {
				t.Errorf("%s: signature %s verifies", name, what)
			}
		}
		if a.Verify(s.Public(), append(slices.Clone(input), 'x'), sig) {
			t.Errorf("%s: signature over another input verifies", name)
		}
	}
}

// damaged is what is not quite a signature.
func damaged(sig []byte) map[string][]byte {
	flipped := slices.Clone(sig)
	flipped[len(flipped)/2] ^= 1
	return map[string][]byte{
		"nil": nil, "empty": {}, "with a bit flipped": flipped, "cut short": sig[:len(sig)-1],
		"with a zero behind": append(slices.Clone(sig), 0), "with a zero before": append([]byte{0}, sig...),
		"of zeros": make([]byte, len(sig)), "twice": append(slices.Clone(sig), sig...),
	}
}

func TestZeroAlgorithmDoesNothing(t *testing.T) {
	t.Parallel()
	var a Algorithm
	if _, err := a.Sign(rand.Reader, rsaKey(), nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("sign: %v", err)
	}
	if a.Name() != "" || a.Accepts(rsaKey().Public()) == nil || a.Verify(rsaKey().Public(), nil, nil) {
		t.Error("the zero Algorithm accepts or verifies")
	}
}

// TestECDSASignaturesHaveFixedLength signs until r or s begins with a zero octet, which DER leaves out.
func TestECDSASignaturesHaveFixedLength(t *testing.T) {
	t.Parallel()
	a, short := algorithmNamed(t, "ES256"), 0
	for i := 0; short < 2 && i < 20_000; i++ {
		input := []byte{byte(i), byte(i >> 8)}
		sig, err := a.Sign(rand.Reader, p256Key(), input)
		if err != nil {
			t.Fatal(err)
		}
		if sig[0] == 0 || sig[32] == 0 {
			short++
			if len(sig) != 64 || !a.Verify(p256Key().Public(), input, sig) {
				t.Fatalf("signature %x does not verify", sig)
			}
		}
	}
	if short == 0 {
		t.Error("no integer was short")
	}
}

// device is a crypto.Signer whose answer is decided beforehand.
type device struct {
	public crypto.PublicKey
	answer []byte
	err    error
}

func (d device) Public() crypto.PublicKey { return d.public }

func (d device) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return d.answer, d.err }

func TestSignRefusesWhatIsNoSignature(t *testing.T) {
	t.Parallel()
	n := elliptic.P256().Params().N
	order := append([]byte{0x02, 33, 0}, n.Bytes()...)
	belowOrder := append([]byte{0x02, 33, 0}, new(big.Int).Sub(n, big.NewInt(1)).Bytes()...)
	one := []byte{0x02, 1, 1}
	sequence := func(parts ...[]byte) []byte {
		inner := slices.Concat(parts...)
		return append([]byte{0x30, byte(len(inner))}, inner...)
	}
	tests := []struct {
		name, algorithm string
		answer          []byte
		want            bool
	}{
		{"r and s 1", "ES256", sequence(one, one), true},
		{"r and s one below the order", "ES256", sequence(belowOrder, belowOrder), true},
		{"empty", "ES256", nil, false},
		{"r || s instead of DER", "ES256", make([]byte, 64), false},
		{"r zero", "ES256", sequence([]byte{0x02, 1, 0}, one), false},
		{"s zero", "ES256", sequence(one, []byte{0x02, 1, 0}), false},
		{"r the order", "ES256", sequence(order, one), false},
		{"s the order", "ES256", sequence(one, order), false},
		{"r negative", "ES256", sequence([]byte{0x02, 1, 0x80}, one), false},
		{"r with a zero too many", "ES256", sequence([]byte{0x02, 2, 0, 1}, one), false},
		{"r empty", "ES256", sequence([]byte{0x02, 0}, one), false},
		{"r no integer", "ES256", sequence([]byte{0x04, 1, 1}, one), false},
		{"r longer than the rest", "ES256", sequence([]byte{0x02, 9, 1}), false},
		{"s missing", "ES256", sequence(one), false},
		{"three integers", "ES256", sequence(one, one, one), false},
		{"trailing octet", "ES256", append(sequence(one, one), 0), false},
		{"length in long form", "ES256", append([]byte{0x30, 0x81, 6}, slices.Concat(one, one)...), false},
		{"length in indefinite form", "ES256", append([]byte{0x30, 0x80}, slices.Concat(one, one, []byte{0, 0})...), false},
		{"no sequence", "ES256", append([]byte{0x31, 6}, slices.Concat(one, one)...), false},
		{"RSA of right length", "RS256", make([]byte, 256), true},
		{"RSA too short", "RS256", make([]byte, 255), false},
		{"RSA too long", "PS256", make([]byte, 257), false},
		{"Ed25519 of right length", "EdDSA", make([]byte, 64), true},
		{"Ed25519 too short", "EdDSA", make([]byte, 63), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := device{public: signerFor(test.algorithm).Public(), answer: test.answer}
			sig, err := algorithmNamed(t, test.algorithm).Sign(rand.Reader, d, nil)
			if test.want && err != nil || !test.want && (!errors.Is(err, fault.Device) || sig != nil) {
				t.Errorf("signature %x, error %v", sig, err)
			}
		})
	}
}

func TestSignKeepsTheFaultOfTheDevice(t *testing.T) {
	t.Parallel()
	busy := fault.New(fault.Busy, "all sessions are in use")
	for _, test := range []struct {
		err  error
		want fault.Kind
	}{{busy, fault.Busy}, {errors.New("CKR_DEVICE_ERROR"), fault.Device}} {
		d := device{public: rsaKey().Public(), err: test.err}
		_, err := algorithmNamed(t, "RS256").Sign(rand.Reader, d, nil)
		if !errors.Is(err, test.want) || !errors.Is(err, test.err) {
			t.Errorf("error is %v, want kind %v and its cause", err, test.want)
		}
	}
}

func TestSignRefusesAKeyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	_, err := algorithmNamed(t, "ES256").Sign(rand.Reader, rsaKey(), nil)
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("error is %v", err)
	}
}
