package store_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// filled is a database with as many series, each with one object: one in ten private, of the size of RSA-2048.
func filled(b *testing.B, keys int) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Config{Driver: "sqlite", DSN: filepath.Join(b.TempDir(), "cpm.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	s.Trust(storetest.MAC("bench"))
	if _, err := s.Change(b.Context(), store.Entry{Action: "fill"}, func(tx *store.Tx) error { return fill(tx, keys) }); err != nil {
		b.Fatal(err)
	}
	return s
}

func fill(tx *store.Tx, keys int) error {
	for i := range keys {
		series := store.Series{Space: fmt.Sprintf("fsp-%03d", i%100), Name: fmt.Sprintf("key-%d", i), Use: "sig", Current: 1, CreatedAt: 1, UpdatedAt: 1, CreatedBy: "certificate:operator"}
		_, _ = rand.Read(series.ID[:])
		if err := tx.Put(&series); err != nil {
			return err
		}
		o := store.Object{
			Series: series.ID, Version: 1, Kind: "public", Algorithm: "RS256", Bits: 2048, Usage: "sig", State: "Active",
			ExpiryType: "none", CreatedAt: 1, UpdatedAt: 1, ActivatedAt: 1, CreatedBy: "certificate:operator", UpdatedBy: "certificate:operator",
			Public: make([]byte, 294),
		}
		_, _ = rand.Read(o.ID[:])
		if i%10 == 0 {
			o.Kind, o.Sealed = "private", make([]byte, 1320)
		}
		if err := tx.Put(&o); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkLoad10000Keys(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		state, err := s.Load(b.Context())
		if err != nil || len(state.Objects) != 10_000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut10000Keys(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		filled(b, 10_000)
	}
}

func BenchmarkChangeOfOneRow(b *testing.B) {
	s := filled(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.Change(b.Context(), store.Entry{Action: "one"}, func(tx *store.Tx) error {
			return tx.Put(&store.Setting{Name: "a"})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
