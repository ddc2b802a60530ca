package ssm

import (
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/symmetric"
)

// The handles of secret keys: they have no public half.
type (
	gcmKey struct {
		publicKey
		*symmetric.GCM
	}
	hmacKey struct {
		publicKey
		*symmetric.HMAC
	}
	cmacKey struct {
		publicKey
		*symmetric.CMAC
	}
	kwKey struct {
		publicKey
		*symmetric.KW
	}
	kwpKey struct {
		publicKey
		*symmetric.KWP
	}
)

var (
	_ operation.AEAD    = (*gcmKey)(nil)
	_ operation.MACer   = (*hmacKey)(nil)
	_ operation.MACer   = (*cmacKey)(nil)
	_ operation.Wrapper = (*kwKey)(nil)
	_ operation.Wrapper = (*kwpKey)(nil)
)

// parseSecret makes a handle of a secret key and overwrites its bytes: from here on only what is derived from them is needed,
// such as the round keys of AES. That lies in the garbage-collected heap; dropping it leaves it to the collector.
func parseSecret(m cpm.Material) (operation.Key, error) {
	algorithm, known := symmetric.AlgorithmNamed(m.Algorithm)
	if !known {
		return nil, fault.New(fault.Device, "the adapter does not know the key's algorithm")
	}
	defer m.Private.Destroy()
	if m.Use == cpm.UseILP {
		return parseILP(m, algorithm)
	}
	working, err := algorithm.New(m.Use, m.Private.Open(secret.Token{}))
	if err != nil {
		return nil, fault.New(fault.Device, "the adapter cannot read the key").Because(err)
	}
	handle := publicKey{algorithm: m.Algorithm, use: m.Use}
	switch w := working.(type) {
	case *symmetric.GCM:
		return &gcmKey{handle, w}, nil
	case *symmetric.HMAC:
		return &hmacKey{handle, w}, nil
	case *symmetric.CMAC:
		return &cmacKey{handle, w}, nil
	case *symmetric.KW:
		return &kwKey{handle, w}, nil
	case *symmetric.KWP:
		return &kwpKey{handle, w}, nil
	}
	return nil, fault.New(fault.Device, "the adapter does not know the key's algorithm")
}
