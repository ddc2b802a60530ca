package fspiop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// modulus is an odd number of that many bits.
func modulus(bits uint) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return n.Add(n, big.NewInt(1))
}

func TestCheckPublicKeyNamesTheRule(t *testing.T) {
	t.Parallel()
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	offCurve := p256Key().PublicKey
	offCurve.Curve = elliptic.P384()
	even := modulus(2048)
	even.Add(even, big.NewInt(1))
	tests := []struct {
		name string
		pub  crypto.PublicKey
		want error
	}{
		{"RSA of 2048 bits", &rsa.PublicKey{N: modulus(2048), E: 65537}, nil},
		{"RSA of 16384 bits and the largest exponent", &rsa.PublicKey{N: modulus(16384), E: 1<<31 - 1}, nil},
		{"RSA of 2047 bits", &rsa.PublicKey{N: modulus(2047), E: 65537}, errModulusSmall},
		{"RSA of 16385 bits", &rsa.PublicKey{N: modulus(16385), E: 65537}, errModulusLarge},
		{"RSA with a negative modulus", &rsa.PublicKey{N: new(big.Int).Neg(modulus(2048)), E: 65537}, errModulusSmall},
		{"RSA with an even modulus", &rsa.PublicKey{N: even, E: 65537}, errModulusEven},
		{"RSA without modulus", &rsa.PublicKey{E: 65537}, errKeyKind},
		{"RSA with exponent 3", &rsa.PublicKey{N: modulus(2048), E: 3}, errExponentSmall},
		{"RSA with exponent 1", &rsa.PublicKey{N: modulus(2048), E: 1}, errExponentSmall},
		{"RSA with a negative exponent", &rsa.PublicKey{N: modulus(2048), E: -65537}, errExponentSmall},
		{"RSA with an even exponent", &rsa.PublicKey{N: modulus(2048), E: 65538}, errExponentEven},
		{"RSA with an exponent of 33 bits", &rsa.PublicKey{N: modulus(2048), E: 1<<32 + 1}, errExponentLarge},
		{"P-256", p256Key().Public(), nil},
		{"P-384", p384Key().Public(), nil},
		{"P-521", p521.Public(), errKeyKind},
		{"off the curve", &offCurve, errKeyPoint},
		{"Ed25519", edKey().Public(), nil},
		{"Ed25519 too short", edKey().Public().(ed25519.PublicKey)[:31], errKeyLength},
		{"nothing", nil, errKeyKind},
		{"X25519-like octets", make([]byte, 32), errKeyKind},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := CheckPublicKey(test.pub)
			if !errors.Is(err, test.want) || test.want != nil && !errors.Is(err, fault.Invalid) {
				t.Errorf("error is %v, want rule %v", err, test.want)
			}
		})
	}
}

// TestAcceptedExponentsAreThoseOfTheStandardLibrary keeps a key from being added that would never verify anything.
func TestAcceptedExponentsAreThoseOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	digest, signature := make([]byte, 32), make([]byte, 256)
	for exponent, wellFormed := range map[int]bool{maxExponent: true, maxExponent + 2: false} {
		err := rsa.VerifyPKCS1v15(&rsa.PublicKey{N: modulus(2048), E: exponent}, crypto.SHA256, digest, signature)
		if errors.Is(err, rsa.ErrVerification) != wellFormed {
			t.Errorf("exponent %d: %v", exponent, err)
		}
	}
}

// TestCheckPublicKeyRefusesWeakEdwardsPoints has the points of the curve whose order divides 8, every encoding of them with
// y below 2^255, and octets that are no point.
func TestCheckPublicKeyRefusesWeakEdwardsPoints(t *testing.T) {
	t.Parallel()
	small := []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	}
	none := []string{
		"0100000000000000000000000000000000000000000000000000000000000080", // x = 0 with a sign
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0200000000000000000000000000000000000000000000000000000000000000", // no x for this y
	}
	for want, encodings := range map[error][]string{errKeyOrder: small, errKeyPoint: none} {
		for _, encoding := range encodings {
			key := ed25519.PublicKey(must(hex.DecodeString(encoding)))
			if err := CheckPublicKey(key); !errors.Is(err, want) {
				t.Errorf("%s: error is %v, want %v", encoding, err, want)
			}
		}
	}
}

// TestSmallOrderKeyVerifiesWithoutAPrivateKey shows what the rule is for: with the neutral point as key, the neutral point
// and zero are a signature over everything.
func TestSmallOrderKeyVerifiesWithoutAPrivateKey(t *testing.T) {
	t.Parallel()
	neutral := append([]byte{1}, make([]byte, 31)...)
	forged := append(bytes.Clone(neutral), make([]byte, 32)...)
	if !ed25519.Verify(ed25519.PublicKey(neutral), []byte("anything"), forged) {
		t.Log("the standard library refuses such keys by itself now; the rule may go")
	}
	if err := CheckPublicKey(ed25519.PublicKey(neutral)); !errors.Is(err, errKeyOrder) {
		t.Errorf("error is %v", err)
	}
}

func TestCheckPublicKeyAcceptsGeneratedEdwardsKeys(t *testing.T) {
	t.Parallel()
	for range 50 {
		pub, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err = CheckPublicKey(pub); err != nil {
			t.Fatalf("%x: %v", pub, err)
		}
	}
}
