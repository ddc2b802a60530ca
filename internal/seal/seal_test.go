package seal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

func TestEmptyStoreGetsItsFirstTerm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, _ := b.ring(t)
	now := state(t, s)
	if now.Revision != 1 || len(now.RootTerms) != 1 || now.RootTerms[0].Provider != "file" || now.RootTerms[0].State != "active" {
		t.Errorf("the state is %v", now)
	}
	again, _ := b.ring(t)
	if got := state(t, again); got.Revision != 1 {
		t.Errorf("opening changed the store: revision %d", got.Revision)
	}
}

func TestManyMayOpenOneEmptyStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stores := make([]*store.Store, 4)
	for i := range stores {
		stores[i] = b.store(t)
	}
	var wait sync.WaitGroup
	for _, s := range stores {
		p := b.provider(t)
		wait.Go(func() {
			if _, err := Open(t.Context(), s, p); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, s := range stores {
		if terms := state(t, s).RootTerms; len(terms) != 1 {
			t.Errorf("%d root terms", len(terms))
		}
	}
}

// overtaken is a provider that lets another process make the first term before its own answer.
type overtaken struct {
	Provider

	overtake func()
}

func (o overtaken) Wrap(ctx context.Context, plaintext secret.Bytes, aad []byte) ([]byte, error) {
	o.overtake()
	return o.Provider.Wrap(ctx, plaintext, aad)
}

func TestFirstTermOfAnotherProcessCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.store(t)
	var theirs *Keyring
	k, err := Open(t.Context(), s, overtaken{b.provider(t), func() { _, theirs = b.ring(t) }})
	if err != nil {
		t.Fatal(err)
	}
	if k.term != theirs.term || len(state(t, s).RootTerms) != 1 {
		t.Errorf("the terms are %x and %x", k.term, theirs.term)
	}
}

func TestWrongRootKeyIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ring(t)
	s := b.store(t)
	_, err := Open(t.Context(), s, newBench(t).provider(t))
	if !errors.Is(err, fault.Sealed) || !strings.Contains(fault.From(err).Public, "the root key does not open this database") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Load(t.Context()); !errors.Is(err, fault.Sealed) {
		t.Errorf("the store works all the same: %v", err)
	}
}

// named is a provider with another name.
type named struct {
	Provider

	name string
}

func (n named) Name() string { return n.name }

func TestTermsOfOtherProvidersAreLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ring(t)
	_, err := Open(t.Context(), b.store(t), named{b.provider(t), "token"})
	if !errors.Is(err, fault.Sealed) || !strings.Contains(fault.From(err).Public, "no root term of this database") {
		t.Errorf("got %v", err)
	}
}

// fickle is a provider whose answers are made up.
type fickle struct {
	wrap, unwrap error
	term         secret.Bytes
}

func (f fickle) Name() string { return "file" }

func (f fickle) Wrap(context.Context, secret.Bytes, []byte) ([]byte, error) { return nil, f.wrap }

func (f fickle) Unwrap(context.Context, []byte, []byte) (secret.Bytes, error) {
	return f.term, f.unwrap
}

func TestProvidersThatFail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.store(t)
	if _, err := Open(t.Context(), s, fickle{wrap: errOwn}); !errors.Is(err, errOwn) {
		t.Errorf("got %v", err)
	}
	b.ring(t)
	if _, err := Open(t.Context(), s, fickle{unwrap: errOwn}); !errors.Is(err, fault.Sealed) || !errors.Is(err, errOwn) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), s, fickle{term: secret.Take([]byte("short"))}); !errors.Is(err, fault.Sealed) {
		t.Errorf("got %v", err)
	}
}

func TestTamperedTermsAreRefused(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]fault.Kind{
		`UPDATE root_terms SET sealed = x'00'`:                           fault.Sealed,
		`UPDATE root_terms SET id = x'00112233445566778899aabbccddeeff'`: fault.Sealed,
		`UPDATE root_terms SET state = 'retired'`:                        fault.Sealed,
		`UPDATE root_terms SET provider = 'token'`:                       fault.Sealed,
		`UPDATE store SET id = x'00112233445566778899aabbccddeeff'`:      fault.Sealed,
		`DELETE FROM root_terms`:                                         fault.State,
		`UPDATE root_terms SET created_at = 0`:                           fault.State,
		// As if the store were empty: the change that makes the first term meets the old changes, or Load the old rows.
		`DELETE FROM root_terms; UPDATE revision SET n = 0, root = x'', mac = x''`:                      fault.Conflict,
		`DELETE FROM root_terms; DELETE FROM changes; UPDATE revision SET n = 0, root = x'', mac = x''`: fault.State,
		`INSERT INTO settings VALUES ('a', x'', 1, x'` + strings.Repeat("00", 32) + `')`:                fault.State,
		`DELETE FROM changes`:  fault.State,
		`DELETE FROM revision`: fault.State,
		`UPDATE revision SET mac = x'` + strings.Repeat("00", 32) + `'`:                         fault.State,
		`DELETE FROM root_terms; UPDATE revision SET mac = x'` + strings.Repeat("00", 32) + `'`: fault.State,
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s, k := b.ring(t)
			sealOne(t, s, k, "payerfsp")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := storetest.Raw(t, b.database).ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
			again := b.store(t)
			_, err := Open(t.Context(), again, b.provider(t))
			if err == nil {
				_, err = again.Load(t.Context())
			}
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestMACsDifferByPurposeAndStore(t *testing.T) {
	t.Parallel()
	_, a := newBench(t).ring(t)
	_, b := newBench(t).ring(t)
	seen := map[[32]byte]bool{}
	for _, mac := range [][32]byte{
		a.MAC(store.RowMAC, nil), a.MAC(store.RootMAC, nil), a.MAC(store.RowMAC, []byte{0}), a.MAC(store.RootMAC, []byte{0}),
		b.MAC(store.RowMAC, nil), b.MAC(store.RootMAC, nil),
	} {
		if seen[mac] {
			t.Errorf("%x came twice", mac)
		}
		seen[mac] = true
	}
	for range 3 {
		if !seen[a.MAC(store.RowMAC, nil)] || !seen[a.MAC(store.RootMAC, []byte{0})] {
			t.Error("a MAC is not the same again")
		}
	}
}

// The database outlives every release, so what is derived from a term must never change. The expected values are from an
// independent computation (Python's hmac and cryptography modules).
func TestDerivedKeysStayTheSame(t *testing.T) {
	t.Parallel()
	k := newKeyring([16]byte{0: 0xaa, 15: 0xbb})
	term := make([]byte, keyBytes)
	for i := range term {
		term[i] = byte(i)
	}
	if err := k.addTerm([16]byte{1}, secret.Take(term), true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got  [32]byte
		want string
	}{
		{k.MAC(store.RowMAC, []byte("row")), "58e56ef82d02f76e43bea13c6e817caec3656e5732b9867df1aaaf8056ae6a20"},
		{k.MAC(store.RootMAC, []byte("root")), "eac1f6cef525bbc7acb9568622e2f3c37979fbea6ef5896084fa3058379b92c7"},
		{[32]byte(k.terms[[16]byte{1}].Open(secret.Token{})), "5b500a8bc97e9a3add770b1e21d95801d5300bc9ee94d126dba15ed21315ce21"},
	} {
		if hex.EncodeToString(c.got[:]) != c.want {
			t.Errorf("got %x, want %s", c.got, c.want)
		}
	}
}

func TestNothingClearReachesTheDisk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, k := b.ring(t)
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) error {
		blob, err := k.Seal(tx, "payerfsp", ad(), clearBytes())
		if err != nil {
			return err
		}
		return errors.Join(tx.Put(&store.Series{ID: [16]byte{9}}), tx.Put(&store.Object{ID: ad().Object, Series: [16]byte{9}, Sealed: blob}))
	})
	if err != nil {
		t.Fatal(err)
	}
	row := state(t, s).Objects[0]
	opens(t, k, "payerfsp", row.Sealed)
	secrets := map[string][]byte{
		"the key": []byte(clearText), "the KEK": k.spaces["payerfsp"].keys[1].Open(secret.Token{}),
		"the wrapping key": k.terms[k.term].Open(secret.Token{}),
	}
	files, err := filepath.Glob(b.database + "*")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	found := false
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for what, s := range secrets {
			if bytes.Contains(content, s) {
				t.Errorf("%s is in %s", what, filepath.Base(f))
			}
		}
		found = found || bytes.Contains(content, row.Sealed)
	}
	if !found {
		t.Error("not even the sealed bytes are there: the search proves nothing")
	}
}
