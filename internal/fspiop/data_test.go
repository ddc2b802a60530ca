package fspiop

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// ES512 signs data of callers; no FSPIOP message has it.
func TestOnlyDataIsSignedOnP521(t *testing.T) {
	t.Parallel()
	if _, ok := AlgorithmNamed("ES512"); ok {
		t.Error("FSPIOP messages have ES512")
	}
	for _, name := range DataAlgorithmNames() {
		if a, ok := DataAlgorithmNamed(name); !ok || a.Name() != name {
			t.Errorf("%s is not known", name)
		}
	}
	if len(DataAlgorithmNames()) != len(AlgorithmNames())+1 {
		t.Errorf("there are %v", DataAlgorithmNames())
	}
	if _, ok := DataAlgorithmNamed("HS256"); ok {
		t.Error("a MAC is a signature")
	}
}

func TestTheEmptyAlgorithmDoesNothingWithDigests(t *testing.T) {
	t.Parallel()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	var none Algorithm
	if none.Digest() != 0 || none.VerifyDigest(key.Public(), make([]byte, 32), make([]byte, 64)) {
		t.Error("it has a digest")
	}
	if _, err := none.SignDigest(rand.Reader, key, make([]byte, 32)); !errors.Is(err, fault.Invalid) {
		t.Errorf("it signs: %v", err)
	}
}

func FuzzDER(f *testing.F) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))
		f.Add(must(ecdsa.SignASN1(rand.Reader, key, make([]byte, 32))))
	}
	for _, text := range []string{"", "30", "3006020101020101", "308106020101020101", "30060201000201ff", "3007020200010201ff"} {
		f.Add(must(hex.DecodeString(text)))
	}
	names := []string{"ES256", "ES384", "ES512"}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, name := range names {
			a, _ := DataAlgorithmNamed(name)
			raw, ok := a.FromDER(der)
			if !ok {
				continue
			}
			again, err := a.ToDER(raw)
			if err != nil || !bytes.Equal(again, der) {
				t.Errorf("%s: %x is %x, and that is %x: %v", name, der, raw, again, err)
			}
		}
	})
}
