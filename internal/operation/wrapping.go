package operation

import (
	"context"
	"errors"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// notUnwrapped is the one text for everything that is not unwrapped, whatever the reason.
const notUnwrapped = "the material cannot be unwrapped with a key of the FSP; the log has the reason under the request id"

// wrapMaterial wraps key material of the caller, as others can unwrap it: nothing is added to what the standard says.
func wrapMaterial(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.WrapRequest) (*cpm.Result, error) {
	if len(q.GetMaterial()) == 0 {
		return nil, fault.New(fault.Missing, "give the material to be wrapped")
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	var wrapped []byte
	switch k := key.(type) {
	case Wrapper:
		wrapped, err = k.Wrap(q.GetMaterial())
	default:
		if key.Algorithm() != cpm.RSAOAEP256 {
			return nil, fault.New(fault.State, "the key's algorithm does not wrap")
		}
		wrapped, err = e.sealOAEP(key.Public(), q.GetMaterial(), nil)
	}
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.WrapResponse{Wrapped: wrapped, Algorithm: key.Algorithm(), Key: identity(r.Keys[0])}), nil
}

// unwrapMaterial tries the FSP's keys: wrapped material does not say which one it needs.
func unwrapMaterial(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.UnwrapRequest) (*cpm.Result, error) {
	if len(q.GetWrapped()) == 0 {
		return nil, fault.New(fault.Missing, "give the wrapped material")
	}
	keys, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	failed := error(fault.New(fault.Refused, notUnwrapped))
	for i, key := range keys {
		material, err := e.unwrapWith(key, q.GetWrapped())
		if err == nil {
			return answer(&cpmv1.UnwrapResponse{Material: material, Key: identity(r.Keys[i])}), nil
		}
		if errors.Is(err, fault.Refused) {
			failed = fault.New(fault.Refused, notUnwrapped).Because(err)
			continue
		}
		return nil, err
	}
	return nil, failed
}

func (e *Engine) unwrapWith(key Key, wrapped []byte) ([]byte, error) {
	switch k := key.(type) {
	case Wrapper:
		return k.Unwrap(wrapped)
	case Decrypter:
		return e.openOAEP(k, wrapped, nil)
	}
	return nil, fault.New(fault.State, "the key's algorithm does not unwrap")
}
