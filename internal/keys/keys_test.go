package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// bench is a key manager over a real store with a clock of its own.
type bench struct {
	t       *testing.T
	store   *store.Store
	ring    *seal.Keyring
	manager *Manager
	now     time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	rootKey := filepath.Join(dir, "root.key")
	b.must(seal.CreateRootKeyFile(rootKey))
	provider, err := seal.OpenRootKeyFile(rootKey)
	b.must(err)
	b.store, err = store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: filepath.Join(dir, "cpm.db")})
	b.must(err)
	t.Cleanup(func() { _ = b.store.Close() })
	b.ring, err = seal.Open(t.Context(), b.store, provider)
	b.must(err)
	b.manager = NewManager(b.ring, func() time.Time { return b.now })
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) change(f func(tx *store.Tx) error) error {
	_, err := b.store.Change(b.t.Context(), store.Entry{Action: "test", Actor: "test", At: b.now}, f)
	return err
}

func (b *bench) add(a Addition, private string) (ref cpm.KeyRef, err error) {
	if a.FSP == "" {
		a.FSP = "payerfsp"
	}
	if a.Use == "" {
		a.Use = cpm.UseSignature
	}
	err = b.change(func(tx *store.Tx) error {
		var p secret.Bytes
		if private != "" {
			p = secret.Take([]byte(private))
		}
		var err error
		ref, err = b.manager.Add(tx, a, p, "socket:uid:0")
		return err
	})
	return ref, err
}

func (b *bench) mustAdd(a Addition) cpm.KeyRef {
	b.t.Helper()
	ref, err := b.add(a, "")
	b.must(err)
	return ref
}

func (b *bench) index() *Index {
	b.t.Helper()
	state, err := b.store.Load(b.t.Context())
	b.must(err)
	b.must(b.ring.Load(state.KEKs))
	return NewIndex(state.Series, state.Objects)
}

func (b *bench) protect(name string, version uint32) (string, error) {
	b.t.Helper()
	found, _, err := b.index().Select(Wish{
		FSP: "payerfsp", Use: cpm.UseSignature, Half: cpm.PrivateHalf, Protect: true, Key: &cpmv1.KeySelector{Name: name, Version: version},
	}, b.now)
	if err != nil {
		return "", err
	}
	return found[0].String(), nil
}

func (b *bench) process() (found []string, unusable bool) {
	b.t.Helper()
	versions, unusable, err := b.index().Select(Wish{
		FSP: "payerfsp", Use: cpm.UseSignature, Half: cpm.PublicHalf, Overlap: DefaultOverlap,
	}, b.now)
	b.must(err)
	for _, v := range versions {
		found = append(found, v.String())
	}
	return found, unusable
}

func TestAnUpdateSupersedesAndOverlaps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	b.now = b.now.Add(time.Hour)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	if got, err := b.protect("", 0); err != nil || got != "jws/2" {
		t.Errorf("signs with %s %v", got, err)
	}
	_, err := b.protect("jws", 1)
	if !errors.Is(err, fault.State) {
		t.Errorf("a superseded version signs: %v", err)
	}
	if text := fault.From(err).Public; !strings.Contains(text, "deactivated, compromised") || !strings.HasSuffix(text, "; see: cpm key history FSP/NAME") {
		t.Errorf("the next step is missing: %s", text)
	}
	if got, _ := b.process(); !slices.Equal(got, []string{"jws/2", "jws/1"}) {
		t.Errorf("within the overlap %v verify", got)
	}
	b.now = b.now.Add(DefaultOverlap)
	if got, _ := b.process(); !slices.Equal(got, []string{"jws/2"}) {
		t.Errorf("after the overlap %v verify", got)
	}
	backups := b.index().Of("payerfsp", "jws")
	if len(backups) != 2 || backups[1].Backup() != "jws_v1_20260101T130000.000000Z" || !backups[0].Current || backups[1].Current {
		t.Errorf("the backup is %+v", backups)
	}
}

func TestAVersionFromLaterOnTakesOverThen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	start := b.now.Add(time.Hour)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256", NotBefore: start, NotAfter: start.Add(time.Hour)})
	for _, c := range []struct {
		at      time.Time
		signs   string
		verify  []string
		nothing bool
	}{
		{start.Add(-time.Second), "jws/1", []string{"jws/1"}, false},
		{start, "jws/2", []string{"jws/2", "jws/1"}, false},
		{start.Add(DefaultOverlap), "jws/2", []string{"jws/2"}, false},
		{start.Add(time.Hour), "", nil, true},
	} {
		b.now = c.at
		if got, _ := b.protect("", 0); got != c.signs {
			t.Errorf("at %s signs %q, want %q", c.at, got, c.signs)
		}
		if got, unusable := b.process(); !slices.Equal(got, c.verify) || unusable != c.nothing {
			t.Errorf("at %s verify %v %v, want %v", c.at, got, unusable, c.verify)
		}
	}
}

func TestADeletedKeyIsUsedNeverAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	remove := func() error {
		return b.change(func(tx *store.Tx) error { _, err := b.manager.Delete(tx, "payerfsp", "jws", "", "x"); return err })
	}
	b.must(remove())
	if _, err := b.protect("", 0); !errors.Is(err, fault.State) {
		t.Errorf("a deleted key signs: %v", err)
	}
	if got, unusable := b.process(); len(got) != 0 || !unusable {
		t.Errorf("a deleted key verifies: %v %v", got, unusable)
	}
	if err := remove(); !errors.Is(err, fault.State) {
		t.Errorf("deleted twice: %v", err)
	}
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	if got, _ := b.process(); !slices.Equal(got, []string{"jws/2"}) {
		t.Errorf("after another Add %v verify", got)
	}
	err := b.change(func(tx *store.Tx) error { _, err := b.manager.Delete(tx, "payerfsp", "other", "", "x"); return err })
	if !errors.Is(err, fault.NotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestAnotherKeyDoesNotChangeWhatSignsUnasked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "second-by-name", Generate: "ES256"})
	b.now = b.now.Add(time.Second)
	b.mustAdd(Addition{Name: "a-later-one", Generate: "EdDSA"})
	if got, err := b.protect("", 0); err != nil || got != "second-by-name/1" {
		t.Errorf("signs with %s %v", got, err)
	}
	if got, err := b.protect("a-later-one", 0); err != nil || got != "a-later-one/1" {
		t.Errorf("signs with %s %v", got, err)
	}
	if got, _ := b.process(); len(got) != 2 {
		t.Errorf("verify %v", got)
	}
}

func TestTheNewestKeyVerifiesFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 4 {
		b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
		b.now = b.now.Add(time.Second)
	}
	if got, _ := b.process(); !slices.Equal(got, []string{"jws/4", "jws/3", "jws/2", "jws/1"}) {
		t.Errorf("verify %v", got)
	}
}

func TestReasonsThereIsNoKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.protect("", 0); !errors.Is(err, fault.NotFound) {
		t.Errorf("no key: %v", err)
	}
	if got, unusable := b.process(); len(got) != 0 || unusable {
		t.Errorf("no key: %v %v", got, unusable)
	}
	_, public := pemPair(t)
	b.mustAdd(Addition{Name: "theirs", Public: public})
	if _, err := b.protect("", 0); !errors.Is(err, fault.State) || !strings.Contains(err.Error(), "public half") {
		t.Errorf("a public key: %v", err)
	}
	b.mustAdd(Addition{Name: "enc", Use: cpm.UseEncryption, Generate: "RSA-OAEP-256"})
	if _, err := b.protect("enc", 0); !errors.Is(err, fault.State) || !strings.Contains(err.Error(), "another use") {
		t.Errorf("a key of another use: %v", err)
	}
}

func TestMaterialOpensWhatWasAdded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	private, public := pemPair(t)
	if _, err := b.add(Addition{Name: "mine"}, private); err != nil {
		t.Fatal(err)
	}
	b.mustAdd(Addition{Name: "theirs", Public: public})
	for _, v := range b.index().Of("payerfsp", "") {
		m, err := b.manager.Material(t.Context(), v)
		b.must(err)
		if (v.Ref.Name == "mine") != (m.Private.Len() > 0) || m.Algorithm != "ES256" {
			t.Errorf("%s: %+v", v, m)
		}
		if m.Private.Len() > 0 {
			if _, err := x509.ParsePKCS8PrivateKey(m.Private.Open(secret.Token{})); err != nil {
				t.Error(err)
			}
		}
	}
	stolen := *b.index().Of("payerfsp", "mine")[0]
	stolen.Row.Algorithm = "RS256"
	if _, err := b.manager.Material(t.Context(), &stolen); err == nil {
		t.Error("a sealed key opens for another record")
	}
}

func TestWeakAndWrongKeysAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	private, public := pemPair(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakPublic, err := x509.MarshalPKIXPublicKey(weak.Public())
	b.must(err)
	for name, c := range map[string]struct {
		a       Addition
		private string
	}{
		"RSA-1024":             {Addition{Public: block("PUBLIC KEY", weakPublic)}, ""},
		"RSA-1024 private":     {Addition{}, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak))},
		"nothing":              {Addition{}, ""},
		"two":                  {Addition{Generate: "ES256", Public: public}, ""},
		"no PEM":               {Addition{Public: "hello"}, ""},
		"two blocks":           {Addition{Public: public + public}, ""},
		"private as public":    {Addition{Public: private}, ""},
		"public as private":    {Addition{}, public},
		"damaged":              {Addition{Public: block("PUBLIC KEY", []byte("x"))}, ""},
		"damaged private":      {Addition{}, block("PRIVATE KEY", []byte("x"))},
		"unknown algorithm":    {Addition{Public: public, Algorithm: "HS256"}, ""},
		"foreign algorithm":    {Addition{Public: public, Algorithm: "RS256"}, ""},
		"generate none":        {Addition{Generate: "none"}, ""},
		"generate 1024 bits":   {Addition{Generate: "RS256", Bits: 1024}, ""},
		"bad name":             {Addition{Name: "a/b", Generate: "ES256"}, ""},
		"bad use":              {Addition{Use: "sign", Generate: "ES256"}, ""},
		"ends before it began": {Addition{Generate: "ES256", NotBefore: b.now, NotAfter: b.now}, ""},
	} {
		if c.a.Name == "" {
			c.a.Name = "k"
		}
		if _, err := b.add(c.a, c.private); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.mustAdd(Addition{Name: "k", Generate: "ES256"})
	if _, err := b.add(Addition{Name: "k", Use: cpm.UseDataSignature, Generate: "ES256"}, ""); !errors.Is(err, fault.State) {
		t.Errorf("a key changed its use: %v", err)
	}
}

func TestEveryAlgorithmCanBeGenerated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, bits := range map[string]int64{"RS256": 2048, "PS256": 2048, "ES256": 256, "ES384": 384, "EdDSA": 256} {
		b.mustAdd(Addition{Name: name, Generate: name})
		v := b.index().Of("payerfsp", name)[0]
		if v.Row.Bits != bits || v.Row.Algorithm != name || !v.Private() {
			t.Errorf("%s: %+v", name, v.Row)
		}
	}
}

func TestWithEqualsANewIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	b.mustAdd(Addition{FSP: "payeefsp", Name: "jws", Generate: "ES256"})
	old := b.index()
	var touched []store.Ref
	commit, err := b.store.Change(t.Context(), store.Entry{Action: "t", Actor: "t", At: b.now.Add(time.Second)}, func(tx *store.Tx) error {
		_, err := b.manager.Add(tx, Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"}, secret.Bytes{}, "t")
		return err
	})
	b.must(err)
	touched = commit.Touched
	fresh, _, err := b.store.Reload(t.Context(), touched)
	b.must(err)
	patched, whole := old.With(fresh.Series, fresh.Objects), b.index()
	if patched.Len() != whole.Len() || patched.Len() != 3 {
		t.Errorf("%d versions, a new index has %d", patched.Len(), whole.Len())
	}
	for _, f := range []cpm.FSP{"payerfsp", "payeefsp"} {
		a, z := patched.Of(f, ""), whole.Of(f, "")
		for i := range z {
			if a[i].Ref != z[i].Ref || a[i].Current != z[i].Current || a[i].Row.SupersededAt != z[i].Row.SupersededAt {
				t.Errorf("%s: %+v, want %+v", f, a[i], z[i])
			}
		}
	}
	if n := len(old.Of("payerfsp", "")); n != 1 {
		t.Errorf("the old index has changed: %d", n)
	}
}

func pemPair(t *testing.T) (private, public string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", pkcs8), block("PUBLIC KEY", spki)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
