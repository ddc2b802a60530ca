package seal

import (
	"errors"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

func TestSealedKeysOpenInThisAndTheNextProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, k := b.ring(t)
	one, two := sealOne(t, s, k, "payerfsp"), sealOne(t, s, k, "payeefsp")
	if keks := state(t, s).KEKs; len(keks) != 2 || keks[0].Version != 1 || keks[0].CreatedAt != store.Micros(entry().At) {
		t.Errorf("the KEKs are %v", keks)
	}
	_, next := b.ring(t)
	for _, ring := range []*Keyring{k, next} {
		opens(t, ring, "payerfsp", one)
		opens(t, ring, "payeefsp", two)
	}
}

func TestEmptyBytesCanBeSealed(t *testing.T) {
	t.Parallel()
	s, k := newBench(t).ring(t)
	var blob []byte
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) (err error) {
		blob, err = k.Seal(tx, "f", ad(), secret.Bytes{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open("f", ad(), blob); err != nil || got.Len() != 0 {
		t.Error(got.Len(), err)
	}
}

func TestOneTransactionMakesOneKEK(t *testing.T) {
	t.Parallel()
	s, k := newBench(t).ring(t)
	blobs := make([][]byte, 3)
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) (err error) {
		for i := range blobs {
			if blobs[i], err = k.Seal(tx, "f", ad(), clearBytes()); err != nil {
				return err
			}
			// Not before the commit: nobody may seal with a KEK that is then rolled back.
			got, openErr := k.Open("f", ad(), blobs[i])
			refuses(t, got, openErr, "before the commit")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		opens(t, k, "f", blob)
	}
	if n := len(state(t, s).KEKs); n != 1 {
		t.Errorf("%d KEKs", n)
	}
}

func TestKEKOfARolledBackTransactionIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, k := b.ring(t)
	var lost []byte
	var key secret.Bytes
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) (err error) {
		if lost, err = k.Seal(tx, "f", ad(), clearBytes()); err != nil {
			return err
		}
		key = k.staged[stage{tx, "f"}].key
		return errOwn
	})
	if !errors.Is(err, errOwn) {
		t.Fatal(err)
	}
	if len(k.staged) != 0 || len(k.spaces) != 0 || key.Len() != 0 {
		t.Errorf("%d staged, %d spaces, a key of %d bytes are left", len(k.staged), len(k.spaces), key.Len())
	}
	blob := sealOne(t, s, k, "f")
	opens(t, k, "f", blob)
	got, err := k.Open("f", ad(), lost)
	refuses(t, got, err, "sealed with the forgotten KEK")
	_, next := b.ring(t)
	opens(t, next, "f", blob)
}

// A KEK that another process made is not in this ring yet.
func TestKEKsOfOtherProcessesAreUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, first := b.ring(t)
	two, second := b.ring(t)
	theirs := sealOne(t, one, first, "f")
	got, err := second.Open("f", ad(), theirs)
	refuses(t, got, err, "before the KEK is known")
	ours := sealOne(t, two, second, "f")
	opens(t, second, "f", theirs)
	opens(t, first, "f", ours)
	if n := len(state(t, two).KEKs); n != 1 {
		t.Errorf("%d KEKs", n)
	}
}

func TestLoadMayBeRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, k := b.ring(t)
	blob := sealOne(t, s, k, "f")
	keks := state(t, s).KEKs
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 20 {
				if err := k.Load(keks); err != nil {
					t.Error(err)
				}
				opens(t, k, "f", blob)
			}
		})
	}
	wait.Wait()
}

func TestNewestKEKSeals(t *testing.T) {
	t.Parallel()
	s, k := newBench(t).ring(t)
	old := sealOne(t, s, k, "f")
	_, err := s.Change(t.Context(), entry(), func(tx *store.Tx) error {
		row := store.KEK{Space: "f", Version: 7, Term: k.term}
		row.Sealed, _ = seal(k.terms[k.term], 7, kekContext(k.store, k.term, "f"), random())
		return tx.Put(&row)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Load(state(t, s).KEKs); err != nil {
		t.Fatal(err)
	}
	blob := sealOne(t, s, k, "f")
	if version, ok := sealedBy(blob); version != 7 || !ok {
		t.Errorf("sealed with version %d", version)
	}
	opens(t, k, "f", blob)
	opens(t, k, "f", old)
}

func TestKEKsThatDoNotBelongAreRefused(t *testing.T) {
	t.Parallel()
	s, k := newBench(t).ring(t)
	sealOne(t, s, k, "f")
	good := state(t, s).KEKs[0]
	_, other := newBench(t).ring(t)
	for what, alter := range map[string]func(*store.KEK){
		"space":   func(r *store.KEK) { r.Space = "g" },
		"version": func(r *store.KEK) { r.Version = 2 },
		"huge":    func(r *store.KEK) { r.Version += 1 << 32 },
		"term":    func(r *store.KEK) { r.Term[0] ^= 1 },
		"sealed":  func(r *store.KEK) { r.Sealed = append([]byte{}, r.Sealed[:len(r.Sealed)-1]...) },
		"empty":   func(r *store.KEK) { r.Sealed = nil },
		"another store's": func(r *store.KEK) {
			r.Sealed, _ = seal(other.terms[other.term], 1, kekContext(other.store, other.term, "f"), random())
		},
		"too short": func(r *store.KEK) {
			r.Sealed, _ = seal(k.terms[k.term], 1, kekContext(k.store, k.term, "f"), secret.Take(make([]byte, 16)))
		},
	} {
		row := good
		alter(&row)
		row2 := good
		row2.Space = good.Space
		fresh := newKeyring(k.store)
		fresh.terms, fresh.term = k.terms, k.term
		if err := fresh.Load([]store.KEK{row2, row}); !errors.Is(err, fault.Sealed) {
			t.Errorf("%s: got %v", what, err)
		}
		if len(fresh.spaces) != 0 {
			t.Errorf("%s: some KEKs were taken in spite of the error", what)
		}
	}
}

func TestSealFailsWithItsTransaction(t *testing.T) {
	t.Parallel()
	s, k := newBench(t).ring(t)
	var ended *store.Tx
	if _, err := s.Change(t.Context(), entry(), func(tx *store.Tx) error { ended = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Seal(ended, "f", ad(), clearBytes()); err == nil {
		t.Error("a transaction that is over was used")
	}
}
