package operation

import (
	"crypto"
	"crypto/ecdh"
)

// A Key with a private half, or a secret one, is one of the following too. A hardware token can supply each of them; what it
// takes of the token is said beside it. Errors are faults: Refused for what is not authentic, Device for a key or device that
// fails. Everybody tells apart what a handle can do by these interfaces alone.

// Signer signs a digest, or for Ed25519 the message (C_Sign).
type Signer interface {
	Key
	crypto.Signer
}

// Decrypter decrypts what was encrypted to an RSA key; its options are *rsa.OAEPOptions (C_Decrypt).
type Decrypter interface {
	Key
	crypto.Decrypter
}

// Exchanger agrees on a secret with another key, for HPKE (C_DeriveKey).
type Exchanger interface {
	Key
	// Exchanger is the private half. A token derives with the key and gives back the shared secret alone.
	Exchanger() ecdh.KeyExchanger
}

// AEAD encrypts with authentication. The handle makes the nonce, as tokens do, so that nobody can bring one twice.
type AEAD interface {
	Key
	// Seal gives nonce, ciphertext and tag as one.
	Seal(plaintext, associated []byte) ([]byte, error)
	// Open is its inverse.
	Open(sealed, associated []byte) ([]byte, error)
}

// MACer makes message authentication codes, whole ones (C_Sign). Compare them in constant time.
type MACer interface {
	Key
	MAC(data []byte) ([]byte, error)
}

// Wrapper wraps key material of callers (C_Encrypt, C_Decrypt).
type Wrapper interface {
	Key
	Wrap(material []byte) ([]byte, error)
	Unwrap(wrapped []byte) ([]byte, error)
}
