package seal

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/mojaloop/cpm/internal/secret"
)

// fixedRing is a ring without a database: spaces f and g with one KEK each.
func fixedRing(store byte) *Keyring {
	k := newKeyring([16]byte{store})
	for i, space := range []string{"f", "g"} {
		key := make([]byte, keyBytes)
		for j := range key {
			key[j] = byte(i)
		}
		k.add(space, kek{1, secret.Take(key)})
	}
	return k
}

func (k *Keyring) mustSeal(t testing.TB, space string, ad AD) []byte {
	t.Helper()
	blob, err := seal(k.spaces[space].keys[1], 1, objectContext(k.store, ad), clearBytes())
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestBoxesAreBoundToTheirPlace(t *testing.T) {
	t.Parallel()
	k := fixedRing(1)
	blob := k.mustSeal(t, "f", ad())
	opens(t, k, "f", blob)
	for what, alter := range map[string]func(*AD){
		"object":         func(a *AD) { a.Object[15] ^= 1 },
		"version":        func(a *AD) { a.Version++ },
		"kind":           func(a *AD) { a.Kind = "secret" },
		"use":            func(a *AD) { a.Use = "enc" },
		"algorithm":      func(a *AD) { a.Algorithm = "RS512" },
		"shifted border": func(a *AD) { a.Kind, a.Use = "privates", "ig" },
		"empty":          func(a *AD) { *a = AD{} },
	} {
		other := ad()
		alter(&other)
		got, err := k.Open("f", other, blob)
		refuses(t, got, err, what)
	}
	for _, space := range []string{"g", "", "F"} {
		got, err := k.Open(space, ad(), blob)
		refuses(t, got, err, "space "+space)
	}
	got, err := fixedRing(2).Open("f", ad(), blob)
	refuses(t, got, err, "another store")
}

func TestAlteredBoxesDoNotOpen(t *testing.T) {
	t.Parallel()
	k := fixedRing(1)
	blob := k.mustSeal(t, "f", ad())
	for i := range blob {
		for _, bit := range []byte{1, 0x80, 0xff} {
			altered := slices.Clone(blob)
			altered[i] ^= bit
			got, err := k.Open("f", ad(), altered)
			refuses(t, got, err, fmt.Sprintf("byte %d xor %x", i, bit))
		}
		got, err := k.Open("f", ad(), blob[:i])
		refuses(t, got, err, fmt.Sprintf("cut to %d bytes", i))
		got, err = k.Open("f", ad(), blob[i+1:])
		refuses(t, got, err, fmt.Sprintf("without the first %d bytes", i+1))
	}
	got, err := k.Open("f", ad(), append(slices.Clone(blob), 0))
	refuses(t, got, err, "a byte too long")
	opens(t, k, "f", blob)
}

// The ciphertext of this box is genuine, and the tag covers the wrong commitment: only its comparison can refuse it.
func TestCommitmentIsCompared(t *testing.T) {
	t.Parallel()
	k := fixedRing(1)
	key, context := k.spaces["f"].keys[1], objectContext(k.store, ad())
	for _, wrong := range []bool{false, true} {
		box := slices.Clone(k.mustSeal(t, "f", ad())[:openBytes])
		gcm, commitment, err := open(key, box, context)
		if err != nil {
			t.Fatal(err)
		}
		copy(box[headBytes+saltBytes:], commitment)
		if wrong {
			box[openBytes-1] ^= 1
		}
		box = gcm.Seal(box, nil, []byte(clearText), associated(box, context))
		if !wrong {
			opens(t, k, "f", box)
			continue
		}
		got, err := k.Open("f", ad(), box)
		refuses(t, got, err, "wrong commitment")
	}
}

func TestBoxesAreNeverTheSame(t *testing.T) {
	t.Parallel()
	k := fixedRing(1)
	seen := map[string]bool{}
	for range 100 {
		blob := k.mustSeal(t, "f", ad())
		for _, part := range [][]byte{blob[headBytes : headBytes+saltBytes], blob[openBytes:]} {
			if seen[string(part)] {
				t.Fatal("a salt or a ciphertext came twice")
			}
			seen[string(part)] = true
		}
	}
}

// firstRelease is a box from an independent computation (Python's hmac and cryptography modules).
func firstRelease(t testing.TB) []byte {
	t.Helper()
	box, err := hex.DecodeString(
		"43504d4201000000016465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283505b129b25784c" +
			"89dc439e17e29f99ddc35343d13a39fc337b8b0fd6a6d20a48000102030405060708090a0b2c269b1ec45a5962756873" +
			"32133e518bb4db1fe1cc94451f3601ea0892e69a0d617076124fc1a8738fd5ad28f4f5d207b2275e05dda507147b4274" +
			"2a21")
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// The database outlives every release.
func TestBoxesOfTheFirstReleaseOpen(t *testing.T) {
	t.Parallel()
	opens(t, fixedRing(1), "f", firstRelease(t))
}

func FuzzOpen(f *testing.F) {
	k := fixedRing(1)
	good := firstRelease(f) // the same in each process that fuzzes
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:boxBytes])
	f.Add(good[:openBytes])
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Add(k.mustSeal(f, "g", ad()))
	f.Fuzz(func(t *testing.T, blob []byte) {
		got, err := k.Open("f", ad(), blob)
		if slices.Equal(blob, good) {
			opens(t, k, "f", blob)
			return
		}
		refuses(t, got, err, "made-up bytes")
	})
}

func BenchmarkSeal(b *testing.B) {
	k := fixedRing(1)
	key, context := k.spaces["f"].keys[1], objectContext(k.store, ad())
	clear := secret.Take(make([]byte, 1218)) // an RSA-2048 key in PKCS #8
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal(key, 1, context, clear); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k := fixedRing(1)
	blob, err := seal(k.spaces["f"].keys[1], 1, objectContext(k.store, ad()), secret.Take(make([]byte, 1218)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open("f", ad(), blob); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	_, k := newBench(b).ring(b)
	data := make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		k.MAC(1, data)
	}
}
