// Package seal protects keys at rest by envelope encryption: a root key (a provider) protects root terms, a term protects
// one key-encryption key per space, and that one protects each key version under a key of its own. It also gives the
// store the keyed hashes that make every row tamper-evident.
package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// errRefused is the only thing said of a blob that does not open.
var errRefused = errors.New("the sealed value cannot be opened")

// Keyring is an open root term and the key-encryption keys below it.
type Keyring struct {
	storeID [16]byte
	term    [16]byte
	macs    map[store.Purpose][]byte
	wrap    secret.Bytes

	mu   sync.RWMutex
	keks map[kekName]secret.Bytes
	// newest is the version a space seals with.
	newest map[string]int64
}

type kekName struct {
	space   string
	version int64
}

// The states of a root term.
const termActive = "active"

// Open opens the store's root term with the provider and makes the store trust its rows. On an empty store it makes the
// first term. A provider with another root key is fault.Sealed.
func Open(ctx context.Context, s *store.Store, p Provider) (*Keyring, error) {
	terms, err := s.RootTerms(ctx)
	if err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		return first(ctx, s, p)
	}
	for _, t := range terms {
		if t.State != termActive || t.Provider != p.Name() {
			continue
		}
		clear, err := p.Unwrap(ctx, t.Sealed, termAAD(s.ID(), t.ID))
		if err != nil {
			return nil, fault.New(fault.Sealed, "this root key does not open the database; give the key the database was made with").Because(err)
		}
		k, err := newRing(s.ID(), t.ID, clear)
		if err != nil {
			return nil, err
		}
		s.Trust(k.MAC)
		return k, nil
	}
	return nil, fault.New(fault.Sealed, "the database has no root term for this kind of root key")
}

// first makes the first term of an empty store.
func first(ctx context.Context, s *store.Store, p Provider) (*Keyring, error) {
	clear := make([]byte, keySize)
	_, _ = rand.Read(clear)
	term := store.RootTerm{Provider: p.Name(), State: termActive}
	_, _ = rand.Read(term.ID[:])
	var err error
	if term.Sealed, err = p.Wrap(ctx, secret.Take(clear), termAAD(s.ID(), term.ID)); err != nil {
		return nil, err
	}
	k, err := newRing(s.ID(), term.ID, secret.Take(clear))
	if err != nil {
		return nil, err
	}
	s.Trust(k.MAC)
	_, err = s.Change(ctx, store.Entry{Action: "store.create", Actor: "system", At: time.Now()}, func(tx *store.Tx) error {
		term.CreatedAt = tx.At()
		return tx.Put(&term)
	})
	return k, err
}

func termAAD(storeID, term [16]byte) []byte {
	return append(append([]byte("cpm root term v1"), storeID[:]...), term[:]...)
}

// newRing derives the working keys of a term, each for one purpose, and overwrites the term.
func newRing(storeID, term [16]byte, clear secret.Bytes) (*Keyring, error) {
	defer clear.Destroy()
	k := &Keyring{
		storeID: storeID, term: term, macs: map[store.Purpose][]byte{}, keks: map[kekName]secret.Bytes{}, newest: map[string]int64{},
	}
	derive := func(purpose string) ([]byte, error) {
		return hkdf.Key(sha256.New, clear.Open(secret.Token{}), storeID[:], "cpm v1 "+purpose, keySize)
	}
	row, err := derive("row mac")
	if err != nil {
		return nil, err
	}
	root, err := derive("root mac")
	if err != nil {
		return nil, err
	}
	wrap, err := derive("kek wrap")
	if err != nil {
		return nil, err
	}
	k.macs[store.RowMAC], k.macs[store.RootMAC], k.wrap = row, root, secret.Take(wrap)
	return k, nil
}

// MAC is HMAC-SHA-256 under the key of the purpose.
func (k *Keyring) MAC(purpose store.Purpose, data []byte) (mac [32]byte) {
	h := hmac.New(sha256.New, k.macs[purpose])
	h.Write(data)
	h.Sum(mac[:0])
	return mac
}

// Load takes in key-encryption keys as stored.
func (k *Keyring) Load(keks []store.KEK) error {
	for _, row := range keks {
		clear, err := k.unwrap(row)
		if err != nil {
			return fault.New(fault.State, "a stored key-encryption key cannot be opened").Because(err)
		}
		k.keep(row.Space, row.Version, clear)
	}
	return nil
}

func (k *Keyring) keep(space string, version int64, clear secret.Bytes) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keks[kekName{space, version}] = clear
	k.newest[space] = max(k.newest[space], version)
}

func (k *Keyring) unwrap(row store.KEK) (secret.Bytes, error) {
	aead, err := newAEAD(k.wrap.Open(secret.Token{}))
	if err != nil {
		return secret.Bytes{}, err
	}
	clear, err := aead.Open(nil, nil, row.Sealed, k.kekAAD(row))
	if err != nil {
		return secret.Bytes{}, errRefused
	}
	return secret.Take(clear), nil
}

func (k *Keyring) kekAAD(row store.KEK) []byte {
	aad := append([]byte("cpm kek v1"), k.storeID[:]...)
	aad = append(aad, row.Term[:]...)
	aad = binary.BigEndian.AppendUint64(aad, uint64(row.Version))
	return append(aad, row.Space...)
}

// kek is the key a space seals with. If there is none it is made in tx, and kept once tx is committed.
func (k *Keyring) kek(tx *store.Tx, space string) (int64, secret.Bytes, error) {
	rows, err := tx.KEKs(space)
	if err != nil {
		return 0, secret.Bytes{}, err
	}
	if len(rows) > 0 {
		newest := rows[len(rows)-1]
		clear, err := k.unwrap(newest)
		return newest.Version, clear, err
	}
	clear := make([]byte, keySize)
	_, _ = rand.Read(clear)
	row := store.KEK{Space: space, Version: 1, Term: k.term, CreatedAt: tx.At()}
	aead, err := newAEAD(k.wrap.Open(secret.Token{}))
	if err != nil {
		return 0, secret.Bytes{}, err
	}
	row.Sealed = aead.Seal(nil, nil, clear, k.kekAAD(row))
	kept := secret.Take(clear)
	tx.AtEnd(func(committed bool) {
		if committed {
			k.keep(space, row.Version, kept)
		}
	})
	return row.Version, kept, tx.Put(&row)
}
