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
