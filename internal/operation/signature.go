package operation

import (
	"context"
	"crypto"
	"slices"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// The encodings of ECDSA signatures.
const (
	encodingRaw = "raw" // r and s of fixed length (RFC 7518, section 3.4)
	encodingDER = "der" // ECDSA-Sig-Value (RFC 3279, section 2.2.3)
)

// signed is what a signature covers: a message, or its digest.
type signed struct{ data, digest []byte }

// sign makes a signature over data or a digest.
func sign(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.SignRequest) (*cpm.Result, error) {
	der, err := wantsDER(q.GetEncoding())
	if err != nil {
		return nil, err
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.State, "only the public half of this key is held")
	}
	algorithm, err := dataAlgorithm(key)
	if err != nil {
		return nil, err
	}
	var signature []byte
	switch in := q.GetInput().(type) {
	case *cpmv1.SignRequest_Data:
		signature, err = algorithm.Sign(e.rand, signer, in.Data)
	case *cpmv1.SignRequest_Digest:
		signature, err = algorithm.SignDigest(e.rand, signer, in.Digest)
	default:
		err = fault.New(fault.Missing, "give data or digest")
	}
	if err == nil && der {
		signature, err = algorithm.ToDER(signature)
	}
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.SignResponse{Signature: signature, Algorithm: algorithm.Name(), Key: identity(r.Keys[0])}), nil
}

// verify judges a signature with each of the FSP's keys. One that does not verify is an answer; no key to judge it with is none.
func verify(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.VerifyRequest) (*cpm.Result, error) {
	der, err := wantsDER(q.GetEncoding())
	if err != nil {
		return nil, err
	}
	in, err := signedInput(q)
	if err != nil {
		return nil, err
	}
	keys, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	algorithms, err := fitting(keys, in, r.Unusable)
	if err != nil {
		return nil, err
	}
	for i, a := range algorithms {
		if a.Name() != "" && verifies(a, keys[i].Public(), in, q.GetSignature(), der) {
			return answer(&cpmv1.VerifyResponse{Valid: proto.Bool(true), Algorithm: a.Name(), Key: identity(r.Keys[i])}), nil
		}
	}
	return answer(&cpmv1.VerifyResponse{Valid: proto.Bool(false)}), nil
}

func signedInput(q *cpmv1.VerifyRequest) (in signed, err error) {
	switch given := q.GetInput().(type) {
	case *cpmv1.VerifyRequest_Data:
		in.data = given.Data
	case *cpmv1.VerifyRequest_Digest:
		in.digest = given.Digest
		if in.digest == nil {
			in.digest = []byte{}
		}
	default:
		return in, fault.New(fault.Missing, "give data or digest")
	}
	if len(q.GetSignature()) == 0 {
		return in, fault.New(fault.Missing, "give the signature")
	}
	return in, nil
}

// fitting lists the algorithms of the keys; in place of one that cannot have signed such a digest is the empty one.
func fitting(keys []Key, in signed, unusable bool) ([]fspiop.Algorithm, error) {
	if len(keys) == 0 && unusable {
		return nil, fault.New(fault.State, "no version of this key may be used now: deleted, superseded, suspended, deactivated, compromised "+
			"or outside its dates; see: cpm key history FSP/NAME")
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.NotFound, "the FSP has no such key for this operation; add one with: cpm key add")
	}
	algorithms := make([]fspiop.Algorithm, len(keys))
	for i, k := range keys {
		a, err := dataAlgorithm(k)
		if err != nil {
			return nil, err
		}
		if in.digest == nil || a.Digest() != 0 && a.Digest() == len(in.digest) {
			algorithms[i] = a
		}
	}
	if !slices.ContainsFunc(algorithms, func(a fspiop.Algorithm) bool { return a.Name() != "" }) {
		return nil, fault.New(fault.Invalid, "no key of the FSP signs a digest of this length: give the data, or the digest of its key's hash")
	}
	return algorithms, nil
}

func verifies(a fspiop.Algorithm, public crypto.PublicKey, in signed, signature []byte, der bool) bool {
	if der {
		var ok bool
		if signature, ok = a.FromDER(signature); !ok {
			return false
		}
	}
	if in.digest != nil {
		return a.VerifyDigest(public, in.digest, signature)
	}
	return a.Verify(public, in.data, signature)
}

func wantsDER(encoding string) (bool, error) {
	switch encoding {
	case "", encodingRaw:
		return false, nil
	case encodingDER:
		return true, nil
	}
	return false, fault.New(fault.Invalid, "encoding must be raw or der")
}

func dataAlgorithm(k Key) (fspiop.Algorithm, error) {
	a, ok := fspiop.DataAlgorithmNamed(k.Algorithm())
	if !ok {
		return a, fault.New(fault.State, "the key's algorithm is not known")
	}
	return a, nil
}

// answer is the result of an operation that gives nothing but its message.
func answer(m proto.Message) *cpm.Result { return &cpm.Result{Payload: cpm.Payload{Message: m}} }
