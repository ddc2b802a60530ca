package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of import keys.
const (
	importLife      = 10 * time.Minute
	maxImportsAsker = 4  // of one asker for one FSP at a time
	maxImportsFSP   = 32 // for one FSP at a time
	maxImports      = 4096
)

// ImportKey is the public half of a key that a private key can be sealed to, once.
type ImportKey struct {
	ID string
	// JWK is the key as JSON (RFC 7517): EC on P-256, for ECDH-ES+A256KW.
	JWK     []byte
	Expires time.Time
}

// Imports holds the import keys that are out. They live in this process's memory alone: a sealed key must come back to the
// CPM that gave the import key, and a restart forgets them all.
type Imports struct {
	now func() time.Time

	mu  sync.Mutex
	out map[string]importKey
	// decoys open nothing. The same bounds hold for them, so that these do not tell them apart, but they take no other's
	// place.
	decoys map[string]importKey
}

type importKey struct {
	fsp     cpm.FSP
	asker   string
	private *ecdsa.PrivateKey
	expires time.Time
}

// NewImports makes an empty Imports.
func NewImports(now func() time.Time) *Imports {
	return &Imports{now: now, out: map[string]importKey{}, decoys: map[string]importKey{}}
}

// New makes an import key for one update of an FSP. The asker, whoever that is, has a few at a time, so that nobody takes
// all the places of an FSP. fault.Busy if there are too many.
func (i *Imports) New(f cpm.FSP, asker string) (ImportKey, error) {
	private, k, err := i.fresh()
	if err != nil {
		return ImportKey{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.room(i.out, f, asker); err != nil {
		return ImportKey{}, err
	}
	if len(i.out) >= maxImports {
		return ImportKey{}, tooManyImports()
	}
	i.out[k.ID] = importKey{f, asker, private, k.Expires}
	return k, nil
}

// Decoy is like New, but its key opens nothing: for an FSP of which the asker must not learn that it is not known.
func (i *Imports) Decoy(f cpm.FSP, asker string) (ImportKey, error) {
	private, k, err := i.fresh()
	if err != nil {
		return ImportKey{}, err
	}
	wipe(private)
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.room(i.decoys, f, asker); err != nil {
		return ImportKey{}, err
	}
	for id := range i.decoys {
		if len(i.decoys) < maxImports {
			break
		}
		delete(i.decoys, id) // whoever invents names must not end the answers to others
	}
	i.decoys[k.ID] = importKey{f, asker, private, k.Expires}
	return k, nil
}

func (i *Imports) fresh() (*ecdsa.PrivateKey, ImportKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, ImportKey{}, err
	}
	k, err := i.describe(private)
	return private, k, err
}

func (i *Imports) describe(private *ecdsa.PrivateKey) (ImportKey, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	k := ImportKey{ID: hex.EncodeToString(id[:]), Expires: i.now().Add(importLife)}
	jwk := jose.JSONWebKey{Key: private.Public(), KeyID: k.ID, Algorithm: string(jose.ECDH_ES_A256KW), Use: "enc"}
	var err error
	k.JWK, err = jwk.MarshalJSON()
	return k, err
}

// room forgets what has expired in a table and says whether the FSP and the asker have a place there.
func (i *Imports) room(table map[string]importKey, f cpm.FSP, asker string) error {
	now, ofFSP, ofAsker := i.now(), 0, 0
	for id, k := range table {
		switch {
		case !now.Before(k.expires):
			wipe(k.private)
			delete(table, id)
		case k.fsp == f && k.asker == asker:
			ofAsker++
			ofFSP++
		case k.fsp == f:
			ofFSP++
		}
	}
	if ofFSP >= maxImportsFSP || ofAsker >= maxImportsAsker {
		return tooManyImports()
	}
	return nil
}

func tooManyImports() error {
	return fault.New(fault.Busy, "too many import keys are out; use one of them, or wait until they expire").After(importLife)
}

// take gives the FSP's import key out for its one use; nil if there is none.
func (i *Imports) take(f cpm.FSP, id string) *ecdsa.PrivateKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	k, there := i.out[id]
	if !there || k.fsp != f {
		return nil
	}
	delete(i.out, id)
	if !i.now().Before(k.expires) {
		wipe(k.private)
		return nil
	}
	return k.private
}

// wipe overwrites the private half; the big integer holds the only copy that is reachable.
func wipe(k *ecdsa.PrivateKey) {
	//lint:ignore SA1019 deprecated for arithmetic, and the only way to the words of the number
	clear(k.D.Bits()) //nolint:staticcheck // deprecated for arithmetic, and the only way to the words of the number
}

// Len is the number of import keys that are held, expired ones included.
func (i *Imports) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.out)
}
