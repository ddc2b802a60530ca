package operation

import (
	"context"
	"errors"
	"io"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// encrypt gives a ciphertext that names its key: version, id of the key, and what the key's algorithm made of the plaintext.
// Version and id are authenticated too.
func encrypt(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.EncryptRequest) (*cpm.Result, error) {
	if q.Plaintext == nil {
		return nil, fault.New(fault.Missing, "give the plaintext; it may be empty")
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	ciphertext, err := e.seal(key, r.Keys[0].ID, q.GetPlaintext(), q.GetAssociatedData())
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.EncryptResponse{Ciphertext: ciphertext, Algorithm: key.Algorithm(), Key: identity(r.Keys[0])}), nil
}

// decrypt is its inverse. Whatever is wrong with a ciphertext has the same answer.
func decrypt(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.DecryptRequest) (*cpm.Result, error) {
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	plaintext, err := e.open(key, r.Keys[0].ID, q.GetCiphertext(), q.GetAssociatedData())
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.DecryptResponse{Plaintext: plaintext, Key: identity(r.Keys[0])}), nil
}

// rewrap decrypts with the last key and encrypts with the first; they are the same one if the ciphertext is already under the
// current version. The plaintext never leaves the module.
func rewrap(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.RewrapRequest) (*cpm.Result, error) {
	keys, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(keys) != 2 {
		return nil, fault.New(fault.Invalid, "the operation takes the current key and the one of the ciphertext")
	}
	plaintext, err := e.open(keys[1], r.Keys[1].ID, q.GetCiphertext(), q.GetAssociatedData())
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	ciphertext, err := e.seal(keys[0], r.Keys[0].ID, plaintext, q.GetAssociatedData())
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.RewrapResponse{Ciphertext: ciphertext, Algorithm: keys[0].Algorithm(), Key: identity(r.Keys[0])}), nil
}

// defaultDatakey is the length of a data key nobody gave a length for.
const defaultDatakey = 32

// datakey makes a key for the caller: in clear, unless only the encrypted one is wanted, and as a ciphertext for decrypt.
func datakey(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.DatakeyRequest) (*cpm.Result, error) {
	length := q.GetLength()
	switch length {
	case 0:
		length = defaultDatakey
	case 16, 24, 32, 64:
	default:
		return nil, fault.New(fault.Invalid, "length must be 16, 24, 32 or 64 bytes")
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	plaintext, err := e.random(int(length))
	if err != nil {
		return nil, err
	}
	ciphertext, err := e.seal(key, r.Keys[0].ID, plaintext, q.GetAssociatedData())
	if err != nil {
		return nil, err
	}
	out := &cpmv1.DatakeyResponse{Ciphertext: ciphertext, Algorithm: key.Algorithm(), Key: identity(r.Keys[0])}
	if q.GetWrappedOnly() {
		clear(plaintext)
	} else {
		out.Plaintext = plaintext
	}
	return answer(out), nil
}

func (e *Engine) random(length int) ([]byte, error) {
	out := make([]byte, length)
	if _, err := io.ReadFull(e.rand, out); err != nil {
		return nil, fault.New(fault.Device, "there is no randomness").Because(err)
	}
	return out, nil
}

// seal makes a ciphertext under a key.
func (e *Engine) seal(key Key, id cpm.KeyID, plaintext, associated []byte) ([]byte, error) {
	out := cpm.NewCiphertext(id, len(plaintext)+growth)
	var (
		body []byte
		err  error
	)
	switch k := key.(type) {
	case AEAD:
		body, err = k.Seal(plaintext, bound(out, associated))
	default:
		switch key.Algorithm() {
		case cpm.RSAOAEP256:
			body, err = e.sealOAEP(key.Public(), plaintext, bound(out, associated))
		case cpm.HPKEP256, cpm.HPKEX25519:
			body, err = sealHPKE(key, out, plaintext, associated)
		default:
			err = fault.New(fault.State, "the key's algorithm does not encrypt")
		}
	}
	if err != nil {
		return nil, err
	}
	return append(out, body...), nil
}

// growth is what the algorithms add at most: RSA-OAEP with a modulus of 16,384 bits.
const growth = 128

// open is the inverse of seal. The plaintext is never nil.
func (e *Engine) open(key Key, id cpm.KeyID, ciphertext, associated []byte) ([]byte, error) {
	named, ok := cpm.CiphertextKey(ciphertext)
	if !ok || named != id {
		return nil, notDecrypted(nil)
	}
	prefix, body := ciphertext[:cpm.CiphertextPrefix:cpm.CiphertextPrefix], ciphertext[cpm.CiphertextPrefix:]
	var (
		plaintext []byte
		err       error
	)
	switch k := key.(type) {
	case AEAD:
		plaintext, err = k.Open(body, bound(prefix, associated))
	case Decrypter:
		plaintext, err = e.openOAEP(k, body, bound(prefix, associated))
	case Exchanger:
		plaintext, err = openHPKE(k, prefix, body, associated)
	default:
		return nil, fault.New(fault.State, "only the public half of this key is held")
	}
	if err != nil {
		return nil, notDecrypted(err)
	}
	if plaintext == nil {
		plaintext = []byte{}
	}
	return plaintext, nil
}

// bound is what is authenticated beside the plaintext. The prefix has one length, so that nothing can pass from one part into
// the other.
func bound(prefix, associated []byte) []byte {
	out := make([]byte, 0, len(prefix)+len(associated))
	return append(append(out, prefix...), associated...)
}

// notDecrypted has one text for everything that is wrong with a ciphertext. What is wrong with a device keeps its own.
func notDecrypted(cause error) error {
	if f, ok := errors.AsType[*fault.Error](cause); ok && f.Kind != fault.Refused {
		return cause
	}
	return fault.New(fault.Refused, "%s", cpm.NotDecrypted).Because(cause)
}
