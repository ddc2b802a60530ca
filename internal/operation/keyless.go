package operation

import (
	"cmp"
	"context"
	"crypto"

	// The hashes of the table register themselves.
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxRandom is how many random bytes one request may have.
const maxRandom = 65536

// digest hashes data (FIPS 180-4, FIPS 202).
func digest(_ context.Context, _ *Engine, _ *cpm.Request, q *cpmv1.DigestRequest) (*cpm.Result, error) {
	if q.Data == nil {
		return nil, fault.New(fault.Missing, "give the data; it may be empty")
	}
	name := cmp.Or(q.GetAlgorithm(), "SHA-256")
	h, ok := map[string]crypto.Hash{
		"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
		"SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
	}[name]
	if !ok {
		return nil, fault.New(fault.Invalid, "algorithm must be SHA-256, SHA-384, SHA-512, SHA3-256, SHA3-384 or SHA3-512")
	}
	state := h.New()
	state.Write(q.GetData())
	return answer(&cpmv1.DigestResponse{Digest: state.Sum(nil), Algorithm: name}), nil
}

// random gives random bytes of the module's source.
func random(_ context.Context, e *Engine, _ *cpm.Request, q *cpmv1.RandomRequest) (*cpm.Result, error) {
	if n := q.GetLength(); n == 0 || n > maxRandom {
		return nil, fault.New(fault.Invalid, "length must be 1 to %d bytes", maxRandom)
	}
	out, err := e.random(int(q.GetLength()))
	if err != nil {
		return nil, err
	}
	return answer(&cpmv1.RandomResponse{Random: out}), nil
}
