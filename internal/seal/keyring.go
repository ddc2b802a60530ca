package seal

import (
	"errors"
	"math"
	"sync"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// Keyring holds the opened keys of a store's hierarchy, down to the KEKs of the spaces. It is safe for concurrent use.
type Keyring struct {
	store           [16]byte
	term            [16]byte // the active one
	terms           map[[16]byte]secret.Bytes
	rowMAC, rootMAC *macs
	// prints are the keys of fingerprints, one for each term.
	prints map[[16]byte]*macs

	mu     sync.RWMutex
	spaces map[string]*space
	// staged are KEKs that a transaction made or met; they come into spaces when it is committed and are destroyed
	// when it is not.
	staged map[stage]kek
}

// space has the KEKs of one space, by version. The newest seals.
type space struct {
	keys   map[uint32]secret.Bytes
	newest uint32
}

type kek struct {
	version uint32
	key     secret.Bytes
}

type stage struct {
	tx    *store.Tx
	space string
}

// Load opens KEKs that were read from the store, those of State.KEKs. What is in the ring already stays. KEKs that do not
// open are an error, and none is taken.
func (k *Keyring) Load(keks []store.KEK) error {
	opened := make([]kek, 0, len(keks))
	for _, row := range keks {
		one, err := k.unwrap(row)
		if err != nil {
			for _, o := range opened {
				o.key.Destroy()
			}
			return err
		}
		opened = append(opened, one)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, row := range keks {
		k.add(row.Space, opened[i])
	}
	return nil
}

// Seal seals a private or secret key for a space, within the transaction that stores it. A space without a KEK gets one
// in the same transaction. The caller keeps clear.
func (k *Keyring) Seal(tx *store.Tx, space string, ad AD, clear secret.Bytes) ([]byte, error) {
	key, err := k.sealing(tx, space)
	if err != nil {
		return nil, err
	}
	return seal(key.key, key.version, objectContext(k.store, ad), clear)
}

// Open opens what Seal made for the same space and AD. The caller owns the result. Every failure has one text.
func (k *Keyring) Open(space string, ad AD, blob []byte) (secret.Bytes, error) {
	version, ok := sealedBy(blob)
	if !ok {
		return secret.Bytes{}, errOpen()
	}
	k.mu.RLock()
	var key secret.Bytes
	if s := k.spaces[space]; s != nil {
		key = s.keys[version]
	}
	k.mu.RUnlock()
	if key.Len() == 0 {
		return secret.Bytes{}, errOpen()
	}
	return unseal(key, objectContext(k.store, ad), blob)
}

// sealing finds the KEK to seal with: in the ring, among those this transaction staged, in the database, or a new one.
func (k *Keyring) sealing(tx *store.Tx, name string) (kek, error) {
	k.mu.RLock()
	s, staged := k.spaces[name], k.staged[stage{tx, name}]
	k.mu.RUnlock()
	if s != nil {
		return kek{s.newest, s.keys[s.newest]}, nil
	}
	if staged.key.Len() != 0 {
		return staged, nil
	}
	rows, err := tx.KEKs(name)
	if err != nil {
		return kek{}, err
	}
	var found kek
	if n := len(rows); n > 0 {
		found, err = k.unwrap(rows[n-1])
	} else {
		found, err = k.make(tx, name)
	}
	if err != nil {
		return kek{}, err
	}
	k.stage(tx, name, found)
	return found, nil
}

// stage keeps a KEK for the rest of a transaction that may yet be rolled back.
func (k *Keyring) stage(tx *store.Tx, name string, key kek) {
	at := stage{tx, name}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.staged[at] = key
	tx.AtEnd(func(committed bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.staged, at)
		if committed {
			k.add(name, key)
		} else {
			key.key.Destroy()
		}
	})
}

// add takes a KEK into the ring, which holds mu. The first of a version stays: others may be using it.
func (k *Keyring) add(name string, key kek) {
	s := k.spaces[name]
	if s == nil {
		s = &space{keys: map[uint32]secret.Bytes{}}
		k.spaces[name] = s
	}
	if _, there := s.keys[key.version]; there {
		key.key.Destroy()
		return
	}
	s.keys[key.version] = key.key
	s.newest = max(s.newest, key.version)
}

// make makes the first KEK of a space.
func (k *Keyring) make(tx *store.Tx, name string) (kek, error) {
	fresh := kek{1, random()}
	sealed, err := seal(k.terms[k.term], fresh.version, kekContext(k.store, k.term, name), fresh.key)
	if err == nil {
		err = tx.Put(&store.KEK{Space: name, Version: int64(fresh.version), Term: k.term, Sealed: sealed, CreatedAt: tx.At()})
	}
	if err != nil {
		fresh.key.Destroy()
	}
	return fresh, err
}

// unwrap opens a KEK. Its version is in the box, too.
func (k *Keyring) unwrap(row store.KEK) (kek, error) {
	version, ok := sealedBy(row.Sealed)
	wrapping, known := k.terms[row.Term]
	if !ok || !known || int64(version) != row.Version || row.Version < 1 || row.Version > math.MaxUint32 {
		return kek{}, errKEK(errors.New("no such root term, or not the version it says"))
	}
	key, err := unseal(wrapping, kekContext(k.store, row.Term, row.Space), row.Sealed)
	if err != nil || key.Len() != keyBytes {
		return kek{}, errKEK(err)
	}
	return kek{version, key}, nil
}

func errKEK(cause error) error {
	return fault.New(fault.Sealed, "a key-encryption key cannot be opened with this root key").Because(cause)
}
