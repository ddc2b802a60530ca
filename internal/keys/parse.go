package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// pair is a key as it comes in: the public half, and perhaps the private one as PKCS #8; or a secret key, which is its bytes
// and no public half.
type pair struct {
	public  crypto.PublicKey
	spki    []byte
	private secret.Bytes
	// certificate is the DER of the certificate the public half came in, if it did.
	certificate []byte
}

// secret says whether it is a secret key, which has no public half.
func (p pair) secret() bool { return p.public == nil }

func (p pair) kind() string {
	switch {
	case p.secret():
		return KindSecret
	case p.private.Len() > 0:
		return KindPrivate
	}
	return KindPublic
}

func (p pair) bits() int {
	switch k := p.public.(type) {
	case nil:
		return 8 * p.private.Len()
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	}
	return 256 // Ed25519, X25519
}

// generate makes the new private or secret key of an addition.
func generate(a Addition) (pair, error) {
	s, err := suiteNamed(a.Use, a.Generate)
	switch {
	case err != nil:
		return pair{}, err
	case s.secret():
		return generateSecret(s.made), nil
	}
	key, err := s.generate(a.Bits)
	return privatePair(key, err)
}

// halves is every private key of the standard library.
type halves interface{ Public() crypto.PublicKey }

func newPair(key halves) (pair, error) {
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
		return privatePair(key, unreadable(err))
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
	return privatePair(key, unreadable(err))
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Invalid, "the key cannot be read as a private key").Because(err)
}

// privatePair makes a pair of what a parser or a generator gave.
func privatePair(key any, err error) (pair, error) {
	if err != nil {
		return pair{}, err
	}
	private, ok := key.(halves)
	if !ok {
		return pair{}, fault.New(fault.Invalid, "this kind of key is not supported")
	}
	return newPair(private)
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
