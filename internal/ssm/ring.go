package ssm

import (
	"context"
	"crypto"
	"crypto/x509"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/secret"
)

// ring holds keys by reference. A key is parsed at its first use (an RSA private key costs 0.15 ms) and kept.
type ring struct {
	mu   sync.RWMutex
	keys map[cpm.KeyID]*held
}

// held is one key.
type held struct {
	mu       sync.Mutex
	material cpm.Material
	parsed   operation.Key
}

// key parses at the first call. A key dropped before that is gone.
func (h *held) key() (operation.Key, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parsed != nil {
		return h.parsed, nil
	}
	k, err := parse(h.material)
	if err == nil {
		h.parsed = k
	}
	return k, err
}

func (h *held) destroy() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.material.Private.Destroy()
	h.parsed = nil
}

func newRing() *ring { return &ring{keys: map[cpm.KeyID]*held{}} }

func (r *ring) put(m cpm.Material) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[m.Ref.ID] = &held{material: m}
}

// Key finds and parses a key.
func (r *ring) Key(_ context.Context, ref cpm.KeyRef) (operation.Key, error) {
	h, ok := r.find(ref.ID)
	if !ok {
		return nil, fault.New(fault.Unavailable, "the adapter does not hold the key").Because(cpm.ErrKeyNotHeld)
	}
	return h.key()
}

func (r *ring) find(id cpm.KeyID) (*held, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h, ok := r.keys[id]
	return h, ok
}

// describe gives algorithm and size of a key that is held, to judge the cost before the work begins. The size is that of an RSA
// modulus, judged by the length of the public half, which needs no parsing.
func (r *ring) describe(ref cpm.KeyRef) (algorithm string, bits int) {
	h, ok := r.find(ref.ID)
	if !ok {
		return "", 0
	}
	return h.material.Algorithm, 8 * (len(h.material.Public) - spkiAround)
}

// spkiAround is what a SubjectPublicKeyInfo of RSA has beside the modulus, in bytes.
const spkiAround = 38

func (r *ring) drop(ids ...cpm.KeyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if h, ok := r.keys[id]; ok {
			h.destroy()
			delete(r.keys, id)
		}
	}
}

func (r *ring) dropAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.keys {
		h.destroy()
	}
	clear(r.keys)
}

// publicKey is a handle that verifies.
type publicKey struct {
	algorithm string
	use       cpm.KeyUse
	public    crypto.PublicKey
}

func (k *publicKey) Algorithm() string        { return k.algorithm }
func (k *publicKey) Use() cpm.KeyUse          { return k.use }
func (k *publicKey) Public() crypto.PublicKey { return k.public }

// parse makes a handle and overwrites the encoded private key: from here on only the parsed one is needed. A parsed key
// lies in the garbage-collected heap and cannot be overwritten; dropping it leaves that to the collector.
func parse(m cpm.Material) (operation.Key, error) {
	if len(m.Public) == 0 {
		return parseSecret(m)
	}
	public, err := x509.ParsePKIXPublicKey(m.Public)
	if err != nil {
		return nil, fault.New(fault.Device, "the adapter cannot read the key").Because(err)
	}
	handle := publicKey{m.Algorithm, m.Use, public}
	if m.Private.Len() == 0 {
		return &handle, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(m.Private.Open(secret.Token{}))
	m.Private.Destroy()
	if err != nil {
		return nil, fault.New(fault.Device, "the adapter cannot read the key").Because(err)
	}
	return parsePrivate(handle, parsed)
}
