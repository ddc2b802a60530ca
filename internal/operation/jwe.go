package operation

import (
	"context"
	"crypto"
	"unicode/utf8"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// jweEncrypt encrypts fields of a message for the FSP that will receive it.
func jweEncrypt(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.JweEncryptRequest) (*cpm.Result, error) {
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	if err = fieldKey(key); err != nil {
		return nil, err
	}
	encrypted, err := fspiop.EncryptFields(e.rand, key.Public(), content(q), q.GetFields(), q.GetEncryption())
	if err != nil {
		return nil, err
	}
	ref := r.Keys[0]
	out := &cpmv1.JweEncryptResponse{
		Headers:   map[string]string{"fspiop-encryption": encrypted.Header},
		Algorithm: fspiop.FieldAlgorithm, KeyVersion: ref.Version, Key: identity(ref),
	}
	if _, bytes := q.GetContent().(*cpmv1.JweEncryptRequest_BodyBase64); bytes {
		out.Content = &cpmv1.JweEncryptResponse_BodyBase64{BodyBase64: encrypted.Body}
	} else {
		out.Content = &cpmv1.JweEncryptResponse_Body{Body: string(encrypted.Body)}
	}
	return &cpm.Result{Payload: cpm.Payload{Message: out}}, nil
}

// jweDecrypt decrypts the fields of a message the FSP has received: all of them, or it is refused.
func jweDecrypt(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.JweDecryptRequest) (*cpm.Result, error) {
	handles, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	keys := make([]crypto.Decrypter, len(handles))
	for i, h := range handles {
		if err = fieldKey(h); err != nil {
			return nil, err
		}
		decrypter, ok := h.(Decrypter)
		if !ok {
			return nil, fault.New(fault.State, "only the public half of this key is held")
		}
		keys[i] = decrypter
	}
	m := &fspiop.Message{Headers: q.GetHeaders(), Body: content(q)}
	decrypted, err := fspiop.DecryptFields(keys, m, r.Policy)
	if err != nil {
		return nil, err
	}
	ref := r.Keys[decrypted.Key]
	out := &cpmv1.JweDecryptResponse{
		Fields: decrypted.Fields, Algorithm: fspiop.FieldAlgorithm, KeyVersion: ref.Version, Key: identity(ref),
	}
	if _, bytes := q.GetContent().(*cpmv1.JweDecryptRequest_BodyBase64); bytes || !utf8.Valid(decrypted.Body) {
		out.Content = &cpmv1.JweDecryptResponse_BodyBase64{BodyBase64: decrypted.Body}
	} else {
		out.Content = &cpmv1.JweDecryptResponse_Body{Body: string(decrypted.Body)}
	}
	return &cpm.Result{Payload: cpm.Payload{Message: out}}, nil
}

// fieldKey says whether a key is for the encryption of fields.
func fieldKey(k Key) error {
	if k.Algorithm() != fspiop.FieldAlgorithm {
		return fault.New(fault.State, "fields are encrypted with keys for RSA-OAEP-256; add one with use enc")
	}
	return nil
}
