package operation

import (
	"context"
	"crypto/subtle"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// mac makes a message authentication code.
func mac(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.MacRequest) (*cpm.Result, error) {
	if q.Data == nil {
		return nil, fault.New(fault.Missing, "give the data; it may be empty")
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	code, err := codeOf(key, q.GetData())
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.MacResponse{Mac: code, Algorithm: key.Algorithm(), Key: identity(r.Keys[0])}), nil
}

// macVerify judges a code with each of the FSP's keys. One that is wrong, or not whole, is an answer.
func macVerify(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.MacVerifyRequest) (*cpm.Result, error) {
	switch {
	case q.Data == nil:
		return nil, fault.New(fault.Missing, "give the data; it may be empty")
	case len(q.GetMac()) == 0:
		return nil, fault.New(fault.Missing, "give the mac")
	}
	keys, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		code, err := codeOf(key, q.GetData())
		if err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(code, q.GetMac()) == 1 {
			return answer(&cpmv1.MacVerifyResponse{Valid: proto.Bool(true), Algorithm: key.Algorithm(), Key: identity(r.Keys[i])}), nil
		}
	}
	return answer(&cpmv1.MacVerifyResponse{Valid: proto.Bool(false)}), nil
}

func codeOf(key Key, data []byte) ([]byte, error) {
	k, ok := key.(MACer)
	if !ok {
		return nil, fault.New(fault.State, "the key's algorithm makes no MACs")
	}
	return k.MAC(data)
}
