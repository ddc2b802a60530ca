package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// MAC is HMAC-SHA256 under the key for the purpose. It is safe for concurrent use.
func (k *Keyring) MAC(purpose store.Purpose, data []byte) [32]byte {
	if purpose == store.RootMAC {
		return k.rootMAC.sum(data)
	}
	return k.rowMAC.sum(data)
}

// Fingerprints are MACs of a secret key of a space, that of the active root term first: equal keys of one space have equal ones,
// and who does not have the root key learns nothing from them, however short the secret. A fingerprint that was stored is one
// of them still after the term has changed.
func (k *Keyring) Fingerprints(space string, key secret.Bytes) [][]byte {
	data := appendText(make([]byte, 0, 4+len(space)+key.Len()), space)
	data = append(data, key.Open(secret.Token{})...)
	defer clear(data)
	active := k.prints[k.term].sum(data)
	all := [][]byte{active[:]}
	for id, print := range k.prints {
		if id != k.term {
			sum := print.sum(data)
			all = append(all, sum[:])
		}
	}
	return all
}

// macs computes HMACs under one key, with states that are used again: making one costs more than a short MAC.
type macs struct{ states sync.Pool }

type macState struct {
	hash hash.Hash
	out  [sha256.Size]byte
}

// macFor derives the key for a purpose. The key stays in the states, out of reach of Destroy.
func (k *Keyring) macFor(term secret.Bytes, purpose string) (*macs, error) {
	key, err := k.derive(term, purpose)
	if err != nil {
		return nil, err
	}
	return &macs{sync.Pool{New: func() any {
		return &macState{hash: hmac.New(sha256.New, key.Open(secret.Token{}))}
	}}}, nil
}

func (m *macs) sum(data []byte) [32]byte {
	s := m.states.Get().(*macState) //nolint:errcheck // the pool holds nothing else
	defer m.states.Put(s)
	s.hash.Reset()
	_, _ = s.hash.Write(data) // never fails
	s.hash.Sum(s.out[:0])
	return s.out
}
