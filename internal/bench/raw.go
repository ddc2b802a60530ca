package bench

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The algorithms a key can have here, by their JOSE names (RFC 7518, section 3.1).
const (
	algorithmRS256 = "RS256"
	algorithmES256 = "ES256"
)

// primitive is bare cryptography of the standard library over a digest that is ready: the limit for everything around it.
type primitive struct {
	label  string
	sign   func() error
	verify func() error
}

// do is the primitive's part in an operation.
func (p primitive) do(operation string) func() error {
	if operation == opVerify {
		return p.verify
	}
	return p.sign
}

// newPrimitive makes the primitive of an algorithm with a fresh key, which is used for nothing else. The modulus of an RSA
// key has as many bits as that of the key it is compared with.
func newPrimitive(algorithm string, bits int) (primitive, error) {
	digest := sha256.Sum256([]byte("what is signed does not matter here"))
	if algorithm == algorithmES256 {
		return newECDSA(digest[:])
	}
	return newRSA(digest[:], bits)
}

func newRSA(digest []byte, bits int) (primitive, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return primitive{}, fmt.Errorf("make an RSA key: %w", err)
	}
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	if err != nil {
		return primitive{}, fmt.Errorf("sign with RSA: %w", err)
	}
	return primitive{
		label: fmt.Sprintf("RSA-%d PKCS1v15 SHA-256", bits),
		sign: func() error {
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
			return err
		},
		verify: func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, signature) },
	}, nil
}

func newECDSA(digest []byte) (primitive, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return primitive{}, fmt.Errorf("make a P-256 key: %w", err)
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		return primitive{}, fmt.Errorf("sign with P-256: %w", err)
	}
	return primitive{
		label: "ECDSA P-256 SHA-256",
		sign: func() error {
			_, err := ecdsa.SignASN1(rand.Reader, key, digest)
			return err
		},
		verify: func() error {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
				return errors.New("the primitive's own signature does not verify")
			}
			return nil
		},
	}, nil
}

// runRaw repeats a primitive on all cores.
func runRaw(ctx context.Context, duration time.Duration, do func() error) (*record, error) {
	r := &run{size: 1, duration: duration, tally: new(tally)}
	for range runtime.GOMAXPROCS(0) {
		r.callers = append(r.callers, rawCaller(do))
	}
	done := r.closed(ctx)
	if reasons := r.tally.failures(); len(reasons) > 0 {
		return nil, errors.New(reasons[0].Reason)
	}
	return done, nil
}

// rawCaller makes a primitive a caller, so that it is timed by the same loop as what it is compared with.
type rawCaller func() error

func (c rawCaller) call(context.Context) (int, error) {
	if err := c(); err != nil {
		return 1, err
	}
	return 0, nil
}

func (rawCaller) signed() []*cpmv1.ProcessRequest { return nil }
