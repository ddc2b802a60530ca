package keys

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

func rsaPEM(t testing.TB, n *big.Int, e int) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: e})
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func prime(t testing.TB, bits int) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nextPrime is the first prime from n on.
func nextPrime(n *big.Int) *big.Int {
	p := new(big.Int).SetBit(n, 0, 1)
	for !p.ProbablyPrime(20) {
		p.Add(p, big.NewInt(2))
	}
	return p
}

// rocaPrime is a prime as the faulty generator made those of RSA-2048: k·M + 65537^a mod M, M of the first 126 primes.
func rocaPrime(t testing.TB) *big.Int {
	t.Helper()
	m := big.NewInt(2)
	for _, p := range sieve(702) { // 701 is the 126th prime
		m.Mul(m, new(big.Int).SetUint64(p))
	}
	a, err := rand.Int(rand.Reader, m)
	if err != nil {
		t.Fatal(err)
	}
	p := new(big.Int).Exp(big.NewInt(65537), a, m)
	k := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 1022), m) // both upper bits set
	p.Add(p, k.Mul(k, m))
	for !p.ProbablyPrime(20) {
		p.Add(p, m)
	}
	return p
}

func TestWeakRSAKeysAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	p, q := prime(t, 1024), prime(t, 1024)
	n := new(big.Int).Mul(p, q)
	near := func(distance uint) *big.Int {
		return new(big.Int).Mul(p, nextPrime(new(big.Int).Add(p, new(big.Int).Lsh(big.NewInt(1), distance))))
	}
	for name, c := range map[string]struct {
		n    *big.Int
		e    int
		want string
	}{
		"1024 bits":              {new(big.Int).Mul(prime(t, 512), prime(t, 512)), 65537, "at least 2048 bits"},
		"2047 bits":              {new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 2046), 0, 1), 65537, "at least 2048 bits"},
		"16384 bits":             {new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 16383), 0, 1), 65537, "at most 8192 bits"},
		"even modulus":           {new(big.Int).Lsh(n, 1), 65537, "even"},
		"exponent 3":             {n, 3, "at least 65537"},
		"exponent even":          {n, 65538, "even"},
		"smallest factor":        {new(big.Int).Mul(n, big.NewInt(3)), 65537, "small factor"},
		"largest small factor":   {new(big.Int).Mul(n, big.NewInt(65521)), 65537, "small factor"},
		"square":                 {new(big.Int).Mul(p, p), 65537, "too close"},
		"primes next to another": {near(1), 65537, "too close"},
		"primes 2^100 apart":     {near(100), 65537, "too close"},
		"primes 2^516 apart":     {near(516), 65537, "too close"},
		"ROCA":                   {new(big.Int).Mul(rocaPrime(t), rocaPrime(t)), 65537, "CVE-2017-15361"},
		"a prime":                {new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 2203), big.NewInt(1)), 65537, "prime number"},
	} {
		_, err := ReadPublicKey(rsaPEM(t, c.n, c.e))
		if !errors.Is(err, RuleWeak) || !errors.Is(err, fault.Invalid) || !strings.Contains(fault.From(err).Public, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSoundRSAKeysAreTaken(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{2048, 3072, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPublicKey(rsaPEM(t, key.N, key.E)); err != nil {
			t.Errorf("%d: %v", bits, err)
		}
	}
	oneSided := new(big.Int).Mul(rocaPrime(t), prime(t, 1024)) // the fingerprint is of both primes
	if _, err := ReadPublicKey(rsaPEM(t, oneSided, 65537)); err != nil {
		t.Error(err)
	}
}

func BenchmarkCheckStrength(b *testing.B) {
	for _, bits := range []int{2048, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strconv.Itoa(bits), func(b *testing.B) {
			for b.Loop() {
				if err := CheckStrength(&key.PublicKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
