package seal

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

var errOwn = errors.New("the function's own error")

// bench is a database with its root-key file.
type bench struct {
	database, rootKey string
}

func newBench(t testing.TB) bench {
	t.Helper()
	dir := t.TempDir()
	b := bench{filepath.Join(dir, "cpm.db"), filepath.Join(dir, "root.key")}
	if err := CreateRootKeyFile(b.rootKey); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bench) provider(t testing.TB) Provider {
	t.Helper()
	p, err := OpenRootKeyFile(b.rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b bench) store(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: b.database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ring opens store and ring and loads the KEKs.
func (b bench) ring(t testing.TB) (*store.Store, *Keyring) {
	t.Helper()
	s := b.store(t)
	k, err := Open(t.Context(), s, b.provider(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Load(state(t, s).KEKs); err != nil {
		t.Fatal(err)
	}
	return s, k
}

func state(t testing.TB, s *store.Store) *store.State {
	t.Helper()
	all, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func entry() store.Entry {
	return store.Entry{Action: "test", At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
}

const clearText = "a private key, PKCS #8, that must not be seen"

func clearBytes() secret.Bytes { return secret.Take([]byte(clearText)) }

func ad() AD {
	return AD{Object: [16]byte{1, 15: 2}, Version: 3, Kind: "private", Use: "sig", Algorithm: "RS256"}
}

// sealOne seals the clear text for a space in a Change of its own.
func sealOne(t testing.TB, s *store.Store, k *Keyring, space string) []byte {
	t.Helper()
	var blob []byte
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) (err error) {
		blob, err = k.Seal(tx, space, ad(), clearBytes())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func opens(t testing.TB, k *Keyring, space string, blob []byte) {
	t.Helper()
	got, err := k.Open(space, ad(), blob)
	if err != nil || !got.Equal(clearBytes()) {
		t.Errorf("a sealed key does not open: %v", err)
	}
}

// refuses wants the constant answer.
func refuses(t testing.TB, got secret.Bytes, err error, what string) {
	t.Helper()
	if !errors.Is(err, fault.Internal) || err.Error() != "internal: sealed bytes cannot be opened" || got.Len() != 0 {
		t.Errorf("%s: got %d bytes and %v", what, got.Len(), err)
	}
}
