// Package seal keeps private keys at rest: nothing of them is stored but ciphertext, and the keys for that are stored in
// no place together.
//
//	root key (provider: a file; later passphrase, shares, token, KMIP)
//	└ root term            32 random bytes, sealed by the root key       table root_terms
//	  ├ row mac, root mac  derived (HKDF-SHA256), handed to the store
//	  └ wrapping key       derived
//	    └ KEK of a space   32 random bytes, sealed by the wrapping key   table keks
//	      └ box            AES-256-GCM under a key derived for this box alone
//
// A box binds what it holds to the store, the object, its version, kind, use and algorithm: moved to any other row it
// does not open. Names are not bound, so that things can be renamed. See box for the bytes.
package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// keyBytes is the length of every key and of a root term (AES-256, HMAC-SHA256).
const keyBytes = 32

// active is the state of the root term in use.
const active = "active"

// Provider holds a root key and never gives it out.
type Provider interface {
	// Name is stored beside what the provider wrapped, to find it again.
	Name() string
	// Wrap seals a root term, bound to aad. The caller keeps plaintext.
	Wrap(ctx context.Context, plaintext secret.Bytes, aad []byte) ([]byte, error)
	// Unwrap opens what Wrap made with the same aad. The caller owns the result.
	Unwrap(ctx context.Context, blob, aad []byte) (secret.Bytes, error)
}

// Open unseals the store's root term with the provider, or makes the first one if the store is empty, and lets the store
// trust its macs. KEKs come later, by Load. A key that does not open the store is fault.Sealed.
func Open(ctx context.Context, s *store.Store, p Provider) (*Keyring, error) {
	terms, err := s.RootTerms(ctx)
	if err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		k, err := create(ctx, s, p)
		if err == nil {
			return k, nil
		}
		// Another process may have been faster; then its term counts.
		if terms, _ = s.RootTerms(ctx); len(terms) == 0 {
			return nil, err
		}
	}
	k, err := openTerms(ctx, s, p, terms)
	if err != nil {
		return nil, err
	}
	s.Trust(k.MAC)
	return k, nil
}

// create makes the first root term. On a store that is not empty, whose terms were removed, the change fails, because
// the revision's mac is not from the new term.
func create(ctx context.Context, s *store.Store, p Provider) (*Keyring, error) {
	row := store.RootTerm{Provider: p.Name(), State: active, CreatedAt: store.Micros(time.Now())}
	_, _ = rand.Read(row.ID[:]) // never fails
	term := random()
	defer term.Destroy()
	sealed, err := p.Wrap(ctx, term, termContext(s.ID(), row.ID))
	if err != nil {
		return nil, err
	}
	row.Sealed = sealed
	k := newKeyring(s.ID())
	if err := k.addTerm(row.ID, term, true); err != nil {
		return nil, err
	}
	s.Trust(k.MAC)
	e := store.Entry{
		Action: "root-term.create", Target: hex.EncodeToString(row.ID[:]), RequestID: hex.EncodeToString(row.ID[:]),
		Actor: cpm.Principal{Kind: cpm.PrincipalSystem, Name: "seal"}.String(), At: store.Time(row.CreatedAt),
	}
	_, err = s.Change(ctx, e, func(tx *store.Tx) error { return tx.Put(&row) })
	return k, err
}

// openTerms opens the terms that the provider wrapped. One of them is active and gives the macs; the others only unwrap
// KEKs. The rows are not verified yet: a wrong one does not open, or gives macs that fail at the next Load.
func openTerms(ctx context.Context, s *store.Store, p Provider, terms []store.RootTerm) (*Keyring, error) {
	k := newKeyring(s.ID())
	for _, row := range terms {
		if row.Provider != p.Name() {
			continue
		}
		term, err := p.Unwrap(ctx, row.Sealed, termContext(s.ID(), row.ID))
		if err != nil {
			return nil, fault.New(fault.Sealed, "the root key does not open this database; give the root key it was made with").Because(err)
		}
		err = k.addTerm(row.ID, term, row.State == active)
		term.Destroy()
		if err != nil {
			return nil, err
		}
	}
	if k.rowMAC == nil {
		return nil, fault.New(fault.Sealed, "no root term of this database is for this kind of root key").
			Because(errors.New("provider " + p.Name()))
	}
	return k, nil
}

func newKeyring(id [16]byte) *Keyring {
	return &Keyring{
		store: id, terms: map[[16]byte]secret.Bytes{}, spaces: map[string]*space{}, staged: map[stage]kek{}, prints: map[[16]byte]*macs{},
	}
}

// addTerm derives the keys of a term. The caller keeps the term.
func (k *Keyring) addTerm(id [16]byte, term secret.Bytes, active bool) error {
	if term.Len() != keyBytes {
		return fault.New(fault.Sealed, "the root term has the wrong length")
	}
	wrapping, err := k.derive(term, "cpm kek wrapping 1")
	if err != nil {
		return err
	}
	k.terms[id] = wrapping
	if k.prints[id], err = k.macFor(term, "cpm key fingerprint 1"); err != nil {
		return err
	}
	if !active {
		return nil
	}
	k.term = id
	if k.rowMAC, err = k.macFor(term, "cpm row mac 1"); err != nil {
		return err
	}
	k.rootMAC, err = k.macFor(term, "cpm root mac 1")
	return err
}

// derive makes a key for one purpose (RFC 5869), different in each store.
func (k *Keyring) derive(term secret.Bytes, purpose string) (secret.Bytes, error) {
	b, err := hkdf.Key(sha256.New, term.Open(secret.Token{}), k.store[:], purpose, keyBytes)
	return secret.Take(b), err
}

func random() secret.Bytes {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails
	return secret.Take(b)
}
