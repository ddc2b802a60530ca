package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

var errLost = errors.New("connection lost")

// settings are the names that a verified Load finds.
func settings(t *testing.T, s *store.Store) (names []string) {
	t.Helper()
	state, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range state.Settings {
		names = append(names, r.Name)
	}
	return names
}

func TestCommitWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	t.Parallel()
	commitLost(t, openFaulty)
}

func commitLost(t *testing.T, open func(*testing.T) (*store.Store, *faults)) {
	for _, c := range []struct {
		name   string
		really bool
		rows   int
		kind   error
	}{
		{"stored", true, 2, nil},
		{"not stored", false, 1, fault.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, f := open(t)
			f.commit = func() (bool, error) { f.commit = nil; return c.really, errLost }
			var told bool
			got, err := s.Change(t.Context(), store.Entry{RequestID: "r"}, func(tx *store.Tx) error {
				tx.AtEnd(func(committed bool) { told = committed })
				return putSetting("after")(tx)
			})
			if !errors.Is(err, c.kind) || told != c.really {
				t.Errorf("got %v, told %v", err, told)
			}
			if c.really && (got.Revision != 2 || len(got.Touched) != 1) {
				t.Errorf("got %v", got)
			}
			if n := settings(t, s); len(n) != c.rows {
				t.Errorf("the rows are %v", n)
			}
		})
	}
}

// Someone else's change has taken the revision that the lost one would have had.
func TestCommitThatAnotherTookThePlaceOfIsNotStored(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	path := s.File(t.Context())
	f.commit = func() (bool, error) {
		f.commit = nil
		f.begin = func() error { // the look-up: first let the other one through
			f.begin = nil
			other, err := store.Open(t.Context(), store.Config{Driver: "sqlite", DSN: path})
			if err != nil {
				return err
			}
			defer func() { _ = other.Close() }()
			other.Trust(storetest.MAC("faults"))
			_, err = other.Change(t.Context(), store.Entry{Action: "other"}, putSetting("other"))
			return err
		}
		return false, errLost
	}
	_, err := s.Change(t.Context(), store.Entry{Action: "mine"}, putSetting("mine"))
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if n := settings(t, s); len(n) != 2 || n[1] != "other" {
		t.Errorf("the rows are %v", n)
	}
}

func TestLookUpIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	failures := 0
	f.commit = func() (bool, error) {
		f.commit = nil
		f.begin = func() error {
			if failures++; failures > 2 {
				return nil
			}
			return errLost
		}
		return true, errLost
	}
	if _, err := s.Change(t.Context(), store.Entry{}, putSetting("after")); err != nil || failures != 3 {
		t.Errorf("got %v after %d look-ups", err, failures)
	}
}

func TestCommitThatCannotBeLookedUpIsUnknown(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	s.SettleWithin(20 * time.Millisecond)
	f.commit = func() (bool, error) {
		f.begin = func() error { return errLost }
		return true, errLost
	}
	committed := true
	_, err := s.Change(t.Context(), store.Entry{}, func(tx *store.Tx) error {
		tx.AtEnd(func(c bool) { committed = c })
		return putSetting("after")(tx)
	})
	if !errors.Is(err, fault.OutcomeUnknown) || committed {
		t.Errorf("got %v, told %v", err, committed)
	}
	f.begin, f.commit = nil, nil
	if n := settings(t, s); len(n) != 2 {
		t.Errorf("the rows are %v", n)
	}
}

func TestLookUpOutlivesTheCaller(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.commit = func() (bool, error) { f.commit = nil; cancel(); return true, errLost }
	if _, err := s.Change(ctx, store.Entry{}, putSetting("after")); err != nil {
		t.Errorf("got %v for a change that is stored", err)
	}
}

func TestTransientErrorsRunTheTransactionAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(f *faults, fail func() error)
		runs int
	}{
		{"begin", func(f *faults, fail func() error) { f.begin = fail }, 1},
		{"commit", func(f *faults, fail func() error) {
			f.commit = func() (bool, error) { err := fail(); return err == nil, err }
		}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, f := openFaulty(t)
			failures, runs := 0, 0
			c.set(f, func() error {
				if failures++; failures > 3 {
					return nil
				}
				return store.ErrTransient
			})
			got, err := s.Change(t.Context(), store.Entry{}, func(tx *store.Tx) error { runs++; return putSetting("after")(tx) })
			if err != nil || got.Revision != 2 || runs != c.runs {
				t.Errorf("got %v, %v after %d runs", got, err, runs)
			}
			if n := settings(t, s); len(n) != 2 {
				t.Errorf("the rows are %v", n)
			}
		})
	}
}

func TestTransientErrorOfTheFunctionRunsItAgain(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	runs := 0
	_, err := s.Change(t.Context(), store.Entry{}, func(tx *store.Tx) error {
		if runs++; runs < 3 {
			return store.ErrTransient
		}
		return putSetting("after")(tx)
	})
	if err != nil || runs != 3 {
		t.Errorf("got %v after %d runs", err, runs)
	}
}

func TestTransientErrorsEnd(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	attempts := 0
	f.begin = func() error { attempts++; return store.ErrTransient }
	_, err := s.Change(t.Context(), store.Entry{}, putSetting("after"))
	if !errors.Is(err, fault.Unavailable) || fault.From(err).RetryAfter == 0 || attempts != 10 {
		t.Errorf("got %v after %d attempts", err, attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.begin = func() error { cancel(); return store.ErrTransient }
	if _, err := s.Change(ctx, store.Entry{}, putSetting("after")); !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfTheDatabaseAreFaults(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t)
	f.begin = func() error { return errLost }
	_, err := s.Change(t.Context(), store.Entry{}, putSetting("after"))
	if !errors.Is(err, fault.Unavailable) || !errors.Is(err, errLost) || fault.From(err).Public != "the database is not available" {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, loadErr := s.Load(t.Context())
	_, termsErr := s.RootTerms(t.Context())
	for _, err := range []error{s.Ping(t.Context()), loadErr, termsErr} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v from a closed store", err)
		}
	}
}

func TestWaitForTheTurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Change(t.Context(), store.Entry{}, func(*store.Tx) error {
		cancel()
		_, err := s.Change(ctx, store.Entry{}, putSetting("inner"))
		return err
	})
	if !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
}
