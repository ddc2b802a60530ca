// Package pki makes certificates for the links and ports of a small installation, and judges certificates. Authority and
// Leaf live in memory, for `cpm dev` and tests; Directory is an authority kept in a directory, behind `cpm pki`;
// Revocations are the lists of revoked certificates that a process follows. A hub that has an authority of its own needs
// only the last.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mojaloop/cpm/internal/secret"
)

// lifetime is how long certificates are valid.
const lifetime = 365 * 24 * time.Hour

// Authority signs certificates. Its key is never written.
type Authority struct{ certificate }

// Leaf is a certificate for server and client authentication.
type Leaf struct{ certificate }

// certificate is a certificate with its key.
type certificate struct {
	der    []byte
	parsed *x509.Certificate
	key    *ecdsa.PrivateKey
}

// NewAuthority makes an authority that is valid from now.
func NewAuthority(now time.Time, name string) (*Authority, error) {
	template, err := newTemplate(now, name, lifetime)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	c, err := sign(template, nil, elliptic.P256())
	return &Authority{c}, err
}

// Issue makes a leaf for DNS names on this machine's loopback addresses. Without names it has no subject alternative
// name but the addresses.
func (a *Authority) Issue(now time.Time, commonName string, names ...string) (*Leaf, error) {
	template, err := newTemplate(now, commonName, lifetime)
	if err != nil {
		return nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = names
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	c, err := sign(template, &a.certificate, elliptic.P256())
	return &Leaf{c}, err
}

func newTemplate(now time.Time, name string, valid time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(valid),
		BasicConstraintsValid: true,
	}, nil
}

// sign makes a key for the template and has the issuer sign it; without an issuer it signs itself.
func sign(template *x509.Certificate, issuer *certificate, curve elliptic.Curve) (certificate, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	if issuer == nil {
		issuer = &certificate{parsed: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.parsed, key.Public(), issuer.key)
	if err != nil {
		return certificate{}, err
	}
	parsed, err := x509.ParseCertificate(der)
	return certificate{der, parsed, key}, err
}

// PEM is the certificate as text.
func (c certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})
}

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.parsed)
	return p
}

// TLS is the leaf as crypto/tls takes it.
func (l *Leaf) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{l.der}, PrivateKey: l.key, Leaf: l.parsed}
}

// Write stores name.pem.
func (a *Authority) Write(dir, name string) error {
	return os.WriteFile(filepath.Join(dir, name+".pem"), a.PEM(), 0o600)
}

// Write stores name.pem and name.key (PKCS #8).
func (l *Leaf) Write(dir, name string) error {
	key, err := l.KeyPEM()
	if err != nil {
		return err
	}
	defer key.Destroy()
	return errors.Join(os.WriteFile(filepath.Join(dir, name+".pem"), l.PEM(), 0o600),
		os.WriteFile(filepath.Join(dir, name+".key"), key.Open(secret.Token{}), 0o600))
}

// KeyPEM is the private key as text (PKCS #8).
func (c certificate) KeyPEM() (secret.Bytes, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(der)
	return secret.Take(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// Fresh says whether the certificate in a file can be read and is valid for at least a day more.
func Fresh(file string, now time.Time) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	return err == nil && now.Add(24*time.Hour).Before(c.NotAfter)
}
