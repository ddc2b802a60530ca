package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// A key is generated for every algorithm of every use, and what the module gets of it is what the algorithm takes.
func TestEveryAlgorithmOfEveryUseHasKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, use := range cpm.KeyUses() {
		for _, algorithm := range Algorithms(use) {
			name := string(use) + "-" + algorithm
			ref := b.mustAdd(Addition{Name: name, Use: use, Generate: algorithm})
			v := b.versionOf(name, ref.Version)
			m, err := b.manager.Material(t.Context(), v)
			b.must(err)
			row, err := suiteNamed(use, algorithm)
			b.must(err)
			if m.Algorithm != algorithm || m.Use != use || row.secret() != (v.Row.Kind == KindSecret) || row.secret() != (len(m.Public) == 0) {
				t.Errorf("%s: %s, %s, a %s key with a public half of %d bytes", name, m.Algorithm, m.Use, v.Row.Kind, len(m.Public))
			}
			if row.secret() && (m.Private.Len() != row.made || v.Row.Bits != int64(8*row.made)) {
				t.Errorf("%s has %d bytes and says %d bits", name, m.Private.Len(), v.Row.Bits)
			}
			m.Private.Destroy()
		}
	}
}

// Every algorithm is refused for the uses that do not list it, whether a key is generated or comes in.
func TestAUseTakesItsOwnAlgorithmsOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, use := range cpm.KeyUses() {
		for _, other := range cpm.KeyUses() {
			for _, algorithm := range Algorithms(other) {
				if slices.Contains(Algorithms(use), algorithm) {
					continue
				}
				if _, err := b.add(Addition{Name: "k", Use: use, Generate: algorithm}, ""); !errors.Is(err, fault.Invalid) {
					t.Errorf("a key of use %s is made for %s: %v", use, algorithm, err)
				}
				for _, size := range []int{16, 24, 32, 64} {
					_, err := b.add(Addition{Name: "k", Use: use, Algorithm: algorithm, Symmetric: true}, strings.Repeat("ab", size)[:size])
					if !errors.Is(err, fault.Invalid) {
						t.Fatalf("a secret key of %d bytes and use %s is taken for %s: %v", size, use, algorithm, err)
					}
				}
			}
		}
	}
}

func TestSecretKeysHaveTheLengthOfTheirAlgorithm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		use              cpm.KeyUse
		algorithm, takes string
		lengths          []int
	}{
		{cpm.UseILP, "", "HS256", []int{1, 15, 16, 512}},
		{cpm.UseILP, "HS256", "", []int{513}},
		{cpm.UseMAC, "", "HS256", []int{32, 33, 512}},
		{cpm.UseMAC, "", "A128CMAC", []int{16}},
		{cpm.UseMAC, "HS256", "", []int{31, 513}},
		{cpm.UseMAC, "HS384", "HS384", []int{48, 512}},
		{cpm.UseMAC, "HS384", "", []int{47}},
		{cpm.UseMAC, "HS512", "", []int{63}},
		{cpm.UseMAC, "A256CMAC", "", []int{16, 31, 33}},
		{cpm.UseDataEncryption, "", "A128GCM", []int{16}},
		{cpm.UseDataEncryption, "", "A256GCM", []int{32}},
		{cpm.UseDataEncryption, "", "", []int{1, 15, 31, 33}},
		{cpm.UseDataEncryption, RSAOAEP256, "", []int{16, 32}},
		{cpm.UseWrap, "", "A192KWP", []int{24}},
		{cpm.UseWrap, "A256KW", "A256KW", []int{32}},
		{cpm.UseEncryption, "", "", []int{16, 32}},
		{cpm.UseSignature, "", "", []int{32}},
	} {
		for _, n := range c.lengths {
			_, err := b.add(Addition{Name: string(c.use), Use: c.use, Algorithm: c.algorithm, Symmetric: true}, strings.Repeat("ab", n)[:n])
			if c.takes == "" {
				if !errors.Is(err, fault.Invalid) {
					t.Errorf("%d bytes for %s %s: %v", n, c.use, c.algorithm, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%d bytes for %s %s: %v", n, c.use, c.algorithm, err)
			} else if got := b.versionOf(string(c.use), 0).Algorithm(); got != c.takes {
				t.Errorf("%d bytes for %s %s became a key for %s, want %s", n, c.use, c.algorithm, got, c.takes)
			}
		}
	}
}

func TestASecretKeyMustBeGivenAsOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, public := pemPair(t)
	for name, c := range map[string]struct {
		a   Addition
		key string
	}{
		"the bytes without the word":   {Addition{Use: cpm.UseILP}, "a secret of some length"},
		"a private key in its place":   {Addition{Use: cpm.UseILP, Symmetric: true}, "-----BEGIN EC PRIVATE KEY-----\n"},
		"a key that was never filled":  {Addition{Use: cpm.UseMAC, Symmetric: true}, string(make([]byte, 32))},
		"a public key for a secret":    {Addition{Use: cpm.UseMAC, Public: public}, ""},
		"nothing":                      {Addition{Use: cpm.UseILP, Symmetric: true}, ""},
		"a public key beside a secret": {Addition{Use: cpm.UseILP, Symmetric: true, Public: public}, "a secret"},
	} {
		c.a.Name = "k"
		if _, err := b.add(c.a, c.key); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was given up never comes back, and neither the compromise of one secret nor its destruction touches another.
func TestASecretKeyThatWasGivenUpDoesNotReturn(t *testing.T) {
	t.Parallel()
	for _, move := range []Move{Compromise, Destroy} {
		b := newBench(t)
		secretOf := func(text string) error {
			_, err := b.add(Addition{Name: "ilp", Use: cpm.UseILP, Symmetric: true}, text)
			return err
		}
		b.must(secretOf("first"))
		b.must(secretOf("second"))
		b.must(b.change(func(tx *store.Tx) error {
			_, err := b.manager.Restore(tx, Which{FSP: "payerfsp", Name: "ilp", Version: 1}, "test")
			return err
		}))
		b.must(b.change(func(tx *store.Tx) error {
			_, err := b.manager.Move(tx, Which{FSP: "payerfsp", Name: "ilp", Version: 1}, move, "test")
			return err
		}))
		for version, given := range map[uint32]bool{1: true, 2: false, 3: true} {
			v := b.versionOf("ilp", version)
			if state := v.State(b.now); given != (state == Compromised || state == Destroyed) {
				t.Errorf("%s: version %d is %s", move, version, state)
			}
			if move == Destroy && given && v.Row.Sealed != nil {
				t.Error("the bytes are still there")
			}
		}
		if err := secretOf("first"); !errors.Is(err, RuleReturning) {
			t.Errorf("%s: the secret came back: %v", move, err)
		}
		b.must(secretOf("third"))
	}
}

func TestARestoredSecretKeyHasTheOldBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, text := range []string{"first secret", "second secret"} {
		_, err := b.add(Addition{Name: "ilp", Use: cpm.UseILP, Symmetric: true}, text)
		b.must(err)
	}
	b.must(b.change(func(tx *store.Tx) error {
		_, err := b.manager.Restore(tx, Which{FSP: "payerfsp", Name: "ilp", Version: 1}, "test")
		return err
	}))
	m, err := b.manager.Material(t.Context(), b.versionOf("ilp", 3))
	b.must(err)
	defer m.Private.Destroy()
	if string(m.Private.Open(secret.Token{})) != "first secret" {
		t.Error("the restored version has other bytes")
	}
}

// A sealed secret key opens for its own record only, kind included.
func TestASealedSecretKeyIsBoundToItsRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "mac", Use: cpm.UseMAC, Generate: "HS256"})
	for name, change := range map[string]func(v *Version){
		"kind":      func(v *Version) { v.Row.Kind = KindPrivate },
		"use":       func(v *Version) { v.Use = cpm.UseILP },
		"algorithm": func(v *Version) { v.Row.Algorithm = "HS512" },
		"version":   func(v *Version) { v.Row.Version++ },
		"id":        func(v *Version) { v.Row.ID[0]++ },
		"space":     func(v *Version) { v.Space = "payeefsp" },
	} {
		v := *b.versionOf("mac", 1)
		change(&v)
		if m, err := b.manager.Material(t.Context(), &v); err == nil {
			m.Private.Destroy()
			t.Errorf("the key opens with another %s", name)
		}
	}
}

func TestRSAEncryptionKeysOfOldAreForOAEP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "enc", Use: cpm.UseEncryption, Generate: RSAOAEP256})
	v := *b.versionOf("enc", 1)
	for _, old := range []string{"RS256", "PS512", RSAOAEP256} {
		v.Row.Algorithm = old
		if v.Algorithm() != RSAOAEP256 {
			t.Errorf("%s is %s", old, v.Algorithm())
		}
	}
	// A row as it was written once opens, too.
	m, err := b.manager.Material(t.Context(), b.versionOf("enc", 1))
	b.must(err)
	b.must(b.change(func(tx *store.Tx) error {
		row := b.versionOf("enc", 1).Row
		row.Algorithm = "RS256"
		var err error
		if row.Sealed, err = b.ring.Seal(tx, "payerfsp", associated(row.ID, row.Version, row.Kind, "enc", "RS256"), m.Private); err != nil {
			return err
		}
		return tx.Put(&row)
	}))
	old, err := b.manager.Material(t.Context(), b.versionOf("enc", 1))
	if err != nil || old.Algorithm != RSAOAEP256 || !old.Private.Equal(m.Private) {
		t.Errorf("%s, %v", old.Algorithm, err)
	}
	old.Private.Destroy()
	m.Private.Destroy()
	sign := Version{Use: cpm.UseSignature, Row: store.Object{Algorithm: "RS256"}}
	if sign.Algorithm() != "RS256" {
		t.Error("a signature key is for something else")
	}
}

// The key is that of NIST SP 800-38B, appendix D.1; its CMAC over zeros is by OpenSSL: openssl mac -cipher AES-128-CBC CMAC.
func TestOnlyAESKeysHaveACheckValue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, err := hex.DecodeString("2b7e151628aed2a6abf7158809cf4f3c")
	b.must(err)
	if got := checkValue("A128GCM", secret.Take(key)); got != "7AD386" {
		t.Errorf("got %s", got)
	}
	b.mustAdd(Addition{Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"})
	b.mustAdd(Addition{Name: "mac", Use: cpm.UseMAC, Generate: "HS256"})
	b.mustAdd(Addition{Name: "ilp", Use: cpm.UseILP, Generate: "HS256"})
	for name, has := range map[string]bool{"data": true, "mac": false, "ilp": false} {
		if got := b.versionOf(name, 1).CheckValue(); has != (len(got) == 6) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format     SecretFormat
		text, want string
	}{
		{RawSecret, "a\n", "a\n"},
		{RawSecret, "", ""},
		{RawSecret, strings.Repeat("a", 513), ""},
		{RawSecret, "-----BEGIN PRIVATE KEY-----", ""},
		{HexSecret, " 00fFa0\r\n", "\x00\xff\xa0"},
		{HexSecret, "0", ""},
		{HexSecret, "0g", ""},
		{HexSecret, "", ""},
		{HexSecret, "00 11", ""},
		{Base64Secret, "+/8=\n", "\xfb\xff"},
		{Base64Secret, "-_8", "\xfb\xff"},
		{Base64Secret, "-_8=", "\xfb\xff"},
		{Base64Secret, "+/8", "\xfb\xff"},
		{Base64Secret, "+/9=", ""},
		{Base64Secret, "+_8=", ""},
		{Base64Secret, "=", ""},
		{Base64Secret, "", ""},
		{Base64Secret, "+/8==", ""},
		{"text", "a", ""},
		{"", "a", ""},
	} {
		got, err := ReadSecret(c.format, secret.Take([]byte(c.text)))
		if (err == nil) != (c.want != "") || string(got.Open(secret.Token{})) != c.want {
			t.Errorf("%s %q: %v", c.format, c.text, err)
		}
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Error(err)
		}
	}
}

// What is read is what was written, and what is not read leaves nothing behind and says nothing of the text.
func FuzzReadSecret(f *testing.F) {
	for _, text := range []string{"", "a\n", "00ff", "AAECAw==", "-_8", " 00 ", "-----BEGIN X-----", strings.Repeat("ab", 600)} {
		for format := range byte(4) {
			f.Add(format, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, format byte, text []byte) {
		chosen := append(SecretFormats(), "other")[format%4]
		given := secret.Take(bytes.Clone(text))
		got, err := ReadSecret(chosen, given)
		if err != nil {
			if given.Len() != 0 || got.Len() != 0 || !errors.Is(err, fault.Invalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		plain := got.Open(secret.Token{})
		if len(plain) == 0 || len(plain) > maxSecretKey {
			t.Fatalf("%d bytes", len(plain))
		}
		trimmed := string(bytes.TrimSpace(text))
		switch chosen {
		case RawSecret:
			if !bytes.Equal(plain, text) {
				t.Fatal("other bytes")
			}
		case HexSecret:
			if hex.EncodeToString(plain) != strings.ToLower(trimmed) {
				t.Fatal("other bytes")
			}
		case Base64Secret:
			same := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(trimmed, "="))
			if base64.RawStdEncoding.EncodeToString(plain) != strings.NewReplacer("\r", "", "\n", "").Replace(same) {
				t.Fatal("other bytes")
			}
		}
	})
}

// versionOf finds a version of payerfsp's key; 0 is the current one.
func (b *bench) versionOf(name string, version uint32) *Version {
	b.t.Helper()
	for _, v := range b.index().Of("payerfsp", name) {
		if v.Ref.Version == version || version == 0 && v.Current {
			return v
		}
	}
	b.t.Fatalf("no version %d of %s", version, name)
	return nil
}

func TestADeletedSecretDecryptsNeverAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	data := Addition{Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"}
	decrypting := func() (found []string) {
		versions, _, err := b.index().Select(Wish{FSP: "payerfsp", Use: cpm.UseDataEncryption, Half: cpm.PrivateHalf}, b.now)
		if err != nil && !errors.Is(err, fault.State) {
			t.Fatal(err)
		}
		for _, v := range versions {
			found = append(found, v.String())
		}
		return found
	}
	remove := func() {
		b.must(b.change(func(tx *store.Tx) error { _, err := b.manager.Delete(tx, "payerfsp", "data", "", "x"); return err }))
	}
	b.mustAdd(data)
	b.mustAdd(data)
	if got := decrypting(); !slices.Equal(got, []string{"data/2", "data/1"}) {
		t.Fatalf("superseded versions decrypt, found %v", got)
	}
	remove()
	if got := decrypting(); got != nil {
		t.Errorf("after the deletion: %v", got)
	}
	b.mustAdd(data)
	if got := decrypting(); !slices.Equal(got, []string{"data/3"}) {
		t.Errorf("a new key of the name has brought back %v", got)
	}
	remove()
	_, err := b.restore("data", 1)
	b.must(err)
	if got := decrypting(); !slices.Equal(got, []string{"data/4"}) {
		t.Errorf("after a restore of one version: %v", got)
	}
}
