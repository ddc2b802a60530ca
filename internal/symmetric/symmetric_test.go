package symmetric

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func working[W any](t testing.TB, name string, use cpm.KeyUse, key []byte) W {
	t.Helper()
	a, ok := AlgorithmNamed(name)
	if !ok {
		t.Fatalf("%s is not known", name)
	}
	made, err := a.New(use, key)
	if err != nil {
		t.Fatal(err)
	}
	return made.(W)
}

// The examples of RFC 3394, section 4, and RFC 5649, section 6.
func TestWrappingGivesThePublishedAnswers(t *testing.T) {
	t.Parallel()
	const key = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	const material = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
	tests := []struct{ algorithm, key, material, wrapped string }{
		{"A128KW", key[:32], material[:32], "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{"A192KW", key[:48], material[:32], "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"},
		{"A256KW", key, material[:32], "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
		{"A192KW", key[:48], material[:48], "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"},
		{"A256KW", key, material[:48], "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
		{"A256KW", key, material, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
		{"A192KWP", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"A192KWP", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	}
	for _, test := range tests {
		w := working[interface {
			Wrap([]byte) ([]byte, error)
			Unwrap([]byte) ([]byte, error)
		}](t, test.algorithm, cpm.UseWrap, octets(t, test.key))
		want := octets(t, test.wrapped)
		got, err := w.Wrap(octets(t, test.material))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s wraps %s as %x: %v", test.algorithm, test.material, got, err)
		}
		back, err := w.Unwrap(want)
		if err != nil || !bytes.Equal(back, octets(t, test.material)) {
			t.Errorf("%s unwraps %x as %x: %v", test.algorithm, want, back, err)
		}
		for i := range want {
			bad := bytes.Clone(want)
			bad[i] ^= 0x10
			if _, err := w.Unwrap(bad); !errors.Is(err, fault.Refused) {
				t.Errorf("%s unwraps %x: %v", test.algorithm, bad, err)
			}
		}
	}
}

// The examples of RFC 4493, section 4.
func TestCMACGivesThePublishedAnswers(t *testing.T) {
	t.Parallel()
	c := working[*CMAC](t, "A128CMAC", cpm.UseMAC, octets(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	message := octets(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for length, want := range map[int]string{
		0: "bb1d6929e95937287fa37d129b756746", 16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827", 64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		if got, err := c.MAC(message[:length]); err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%d bytes: %x %v", length, got, err)
		}
	}
}

// The second example of RFC 4231, section 4.3, with a key that is too short for anything but ILP.
func TestHMACGivesThePublishedAnswer(t *testing.T) {
	t.Parallel()
	h := working[*HMAC](t, "HS256", cpm.UseILP, []byte("Jefe"))
	for range 2 {
		got, err := h.MAC([]byte("what do ya want for nothing?"))
		if err != nil || hex.EncodeToString(got) != "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
			t.Errorf("%x %v", got, err)
		}
	}
}

func TestKeysOfOtherLengthsOrUsesAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		algorithm string
		use       cpm.KeyUse
		length    int
		ok        bool
	}{
		{"A256GCM", cpm.UseDataEncryption, 32, true},
		{"A256GCM", cpm.UseDataEncryption, 16, false},
		{"A128GCM", cpm.UseMAC, 16, false},
		{"A192KWP", cpm.UseWrap, 24, true},
		{"A192KWP", cpm.UseDataEncryption, 24, false},
		{"HS256", cpm.UseMAC, 13, false},
		{"HS256", cpm.UseMAC, 14, true},
		{"HS512", cpm.UseMAC, 512, true},
		{"HS512", cpm.UseMAC, 513, false},
		{"HS256", cpm.UseILP, 1, true},
		{"HS256", cpm.UseILP, 0, false},
		{"HS384", cpm.UseILP, 48, false},
		{"A128CMAC", cpm.UseMAC, 16, true},
		{"A128CMAC", cpm.UseMAC, 15, false},
	}
	for _, test := range tests {
		a, _ := AlgorithmNamed(test.algorithm)
		_, err := a.New(test.use, make([]byte, test.length))
		if (err == nil) != test.ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if _, err := (Algorithm{}).New(cpm.UseMAC, make([]byte, 32)); !errors.Is(err, fault.Invalid) {
		t.Errorf("no algorithm takes a key: %v", err)
	}
}

func TestAKeyThatHasEncryptedTooOftenStops(t *testing.T) {
	t.Parallel()
	g := working[*GCM](t, "A128GCM", cpm.UseDataEncryption, make([]byte, 16))
	sealed, err := g.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	g.sealed.Store(MaxMessages)
	if _, err := g.Seal([]byte("x"), nil); !errors.Is(err, fault.State) {
		t.Errorf("it goes on: %v", err)
	}
	if clear, err := g.Open(sealed, nil); err != nil || string(clear) != "x" {
		t.Errorf("it no longer decrypts: %q %v", clear, err)
	}
}

func TestMaterialOfALengthThatCannotBeWrappedIsRefused(t *testing.T) {
	t.Parallel()
	kw := working[*KW](t, "A128KW", cpm.UseWrap, make([]byte, 16))
	kwp := working[*KWP](t, "A128KWP", cpm.UseWrap, make([]byte, 16))
	for length, want := range map[int]fault.Kind{0: fault.Invalid, 8: fault.Invalid, 17: fault.Invalid, MaxMaterial + 8: fault.TooLarge} {
		if _, err := kw.Wrap(make([]byte, length)); !errors.Is(err, want) {
			t.Errorf("KW, %d bytes: %v", length, err)
		}
	}
	for length, want := range map[int]fault.Kind{0: fault.Missing, MaxMaterial + 1: fault.TooLarge} {
		if _, err := kwp.Wrap(make([]byte, length)); !errors.Is(err, want) {
			t.Errorf("KWP, %d bytes: %v", length, err)
		}
	}
	for length := range 4 * semiblock {
		_, errKW := kw.Unwrap(make([]byte, length))
		_, errKWP := kwp.Unwrap(make([]byte, length))
		if !errors.Is(errKW, fault.Refused) || !errors.Is(errKWP, fault.Refused) {
			t.Errorf("%d zeros: %v, %v", length, errKW, errKWP)
		}
	}
	for _, length := range []int{1, 7, 8, 9, 4095, MaxMaterial} {
		wrapped, err := kwp.Wrap(bytes.Repeat([]byte{7}, length))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := kwp.Unwrap(wrapped); err != nil || len(back) != length {
			t.Errorf("%d bytes come back as %d: %v", length, len(back), err)
		}
	}
}
