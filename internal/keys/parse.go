package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/secret"
)

// pair is a key as it comes in: always the public half, perhaps the private one as PKCS #8.
type pair struct {
	public  crypto.PublicKey
	spki    []byte
	private secret.Bytes
	// certificate is the DER of the certificate the public half came in, if it did.
	certificate []byte
}

// generate makes a new private key for a JOSE algorithm; bits chooses the RSA modulus (0 is 2048).
func generate(algorithm string, bits int) (pair, error) {
	var (
		key crypto.Signer
		err error
	)
	switch algorithm {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		key, err = generateRSA(bits)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return pair{}, fault.New(fault.Invalid, "keys can be generated for: %v", fspiop.AlgorithmNames())
	}
	if err != nil {
		return pair{}, err
	}
	return newPair(key)
}

func generateRSA(bits int) (crypto.Signer, error) {
	switch bits {
	case 0:
		bits = 2048
	case 2048, 3072, 4096:
	default:
		return nil, fault.New(fault.Invalid, "an RSA key has 2048, 3072 or 4096 bits")
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

func newPair(key crypto.Signer) (pair, error) {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, fault.New(fault.Invalid, "this kind of key is not supported").Because(err)
	}
	p, err := publicPair(key.Public())
	p.private = secret.Take(private)
	return p, err
}

func publicPair(public crypto.PublicKey) (pair, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return pair{}, fault.New(fault.Invalid, "this kind of key is not supported").Because(err)
	}
	return pair{public: public, spki: spki}, nil
}

// parsePublic reads one PEM block: a public key (PKIX or PKCS #1) or a certificate, of which the key is taken.
func parsePublic(text []byte) (pair, error) {
	block, err := onlyBlock(text)
	if err != nil {
		return pair{}, err
	}
	var (
		public    crypto.PublicKey
		container []byte
	)
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public, container = certificate.PublicKey, block.Bytes
		}
	default:
		return pair{}, fault.New(fault.Invalid, "the PEM block must be PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE; give a private key as such")
	}
	if err != nil {
		return pair{}, fault.New(fault.Invalid, "the PEM block cannot be read as a public key").Because(err)
	}
	p, err := publicPair(public)
	p.certificate = container
	return p, err
}

// derSequence is the first byte of every key in DER, and of none in PEM.
const derSequence = 0x30

// parsePrivate reads PKCS #8 DER, or one PEM block: PKCS #8, PKCS #1 or SEC 1.
func parsePrivate(text secret.Bytes) (pair, error) {
	if der := text.Open(secret.Token{}); len(der) > 0 && der[0] == derSequence {
		key, err := x509.ParsePKCS8PrivateKey(der)
		return privatePair(key, err)
	}
	block, err := onlyBlock(text.Open(secret.Token{}))
	if err != nil {
		return pair{}, err
	}
	defer clear(block.Bytes)
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return pair{}, fault.New(fault.Invalid, "the PEM block must be PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, without a passphrase")
	}
	return privatePair(key, err)
}

// privatePair makes a pair of what a parser gave.
func privatePair(key any, err error) (pair, error) {
	if err != nil {
		return pair{}, fault.New(fault.Invalid, "the key cannot be read as a private key").Because(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return pair{}, fault.New(fault.Invalid, "this kind of key cannot sign")
	}
	return newPair(signer)
}

func onlyBlock(text []byte) (*pem.Block, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, fault.New(fault.Invalid, "the key must be one PEM block")
	}
	if again, _ := pem.Decode(rest); again != nil {
		return nil, fault.New(fault.Invalid, "the key must be one PEM block, there are more")
	}
	return block, nil
}
