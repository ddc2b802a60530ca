package ssm

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"io"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
)

// signingKey is a handle that signs.
type signingKey struct {
	publicKey
	signer crypto.Signer
}

// Sign makes crypto.Signer of it.
func (k *signingKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.signer.Sign(rand, digest, opts)
}

// decryptingKey is a handle that decrypts with RSA.
type decryptingKey struct {
	publicKey
	decrypter crypto.Decrypter
}

// Decrypt makes crypto.Decrypter of it.
func (k *decryptingKey) Decrypt(rand io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.decrypter.Decrypt(rand, ciphertext, opts)
}

// agreeingKey is a handle that agrees on secrets, for HPKE.
type agreeingKey struct {
	publicKey
	exchanger ecdh.KeyExchanger
}

// Exchanger is the private half.
func (k *agreeingKey) Exchanger() ecdh.KeyExchanger { return k.exchanger }

var (
	_ operation.Signer    = (*signingKey)(nil)
	_ operation.Decrypter = (*decryptingKey)(nil)
	_ operation.Exchanger = (*agreeingKey)(nil)
)

// parsePrivate makes the handle that the key's algorithm asks for, and no other: a key to decrypt with never signs.
func parsePrivate(handle publicKey, parsed any) (operation.Key, error) {
	switch handle.algorithm {
	case cpm.RSAOAEP256:
		if k, ok := parsed.(*rsa.PrivateKey); ok {
			return &decryptingKey{handle, k}, nil
		}
		return nil, fault.New(fault.Device, "the key cannot decrypt")
	case cpm.HPKEP256, cpm.HPKEX25519:
		return parseAgreeing(handle, parsed)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.Device, "the key cannot sign")
	}
	return &signingKey{handle, signer}, nil
}

// parseAgreeing takes the key's curve from the key; whoever seals to it compares that with the algorithm.
func parseAgreeing(handle publicKey, parsed any) (operation.Key, error) {
	switch k := parsed.(type) {
	case *ecdh.PrivateKey:
		return &agreeingKey{handle, k}, nil
	case *ecdsa.PrivateKey:
		if agreeing, err := k.ECDH(); err == nil {
			return &agreeingKey{handle, agreeing}, nil
		}
	}
	return nil, fault.New(fault.Device, "the key cannot agree on secrets")
}

// publicOf is the public half of a private key, encoded.
func publicOf(parsed any) ([]byte, error) {
	k, ok := parsed.(interface{ Public() crypto.PublicKey })
	if !ok {
		return nil, fault.New(fault.Device, "the key has no public half")
	}
	return x509.MarshalPKIXPublicKey(k.Public())
}
