package keys

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/pki"
)

// maxChain bounds the certificates of one update: the key's own, and those between it and its authority.
const maxChain = 6

// CertificatePolicy says when a certificate is good for a key. The zero policy takes any certificate as a mere container of
// its key.
type CertificatePolicy struct {
	// Authorities is a PEM bundle of the certificates that a chain may end in, and of authorities below those.
	Authorities string `json:"authorities"`
	// RevocationLists is a PEM bundle of certificate revocation lists (RFC 5280, section 5). If there is one, every
	// authority of a chain needs one that has not expired.
	RevocationLists string `json:"revocationLists,omitempty"`
	// ExtendedKeyUsages are object identifiers, one of which a certificate must have; none are asked for if empty.
	ExtendedKeyUsages []string `json:"extendedKeyUsages,omitempty"`
	// RequireName wants the FSP as common name or DNS name of the certificate.
	RequireName bool `json:"requireName,omitempty"`
	// Required refuses updates that bring a key without a certificate.
	Required bool `json:"required,omitempty"`
}

// CertificateRules are a CertificatePolicy that has been read. Nil rules take any certificate.
type CertificateRules struct {
	policy        CertificatePolicy
	roots, others *x509.CertPool
	revocations   *pki.Revocations
}

// ReadCertificatePolicy checks a policy. A policy without authorities can demand nothing.
func ReadCertificatePolicy(p CertificatePolicy) (*CertificateRules, error) {
	authorities, err := readCertificates(p.Authorities, 64)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	r := &CertificateRules{policy: p, roots: x509.NewCertPool(), others: x509.NewCertPool()}
	anchors := 0
	for _, a := range authorities {
		if !a.BasicConstraintsValid || !a.IsCA || a.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("authorities: %q may not sign certificates", a.Subject.CommonName)
		}
		if a.CheckSignatureFrom(a) == nil {
			anchors++
			r.roots.AddCert(a)
			continue
		}
		r.others.AddCert(a)
	}
	if anchors == 0 {
		return nil, errors.New("authorities: none of them is a root")
	}
	if p.RevocationLists != "" {
		if r.revocations, err = pki.ReadRevocations([]byte(p.RevocationLists), authorities); err != nil {
			return nil, fmt.Errorf("revocationLists: %w", err)
		}
	}
	return r, nil
}

// Required says whether an update must bring a certificate.
func (r *CertificateRules) Required() bool { return r != nil && r.policy.Required }

// Check judges the certificates of a key, the key's own first: chain to an authority, dates, key usage for the use, extended
// key usage, revocation, and the name if the policy asks for it. It returns when the certificate ends, or the zero time if there
// are no rules. Faults are in the chain of RuleCertificate.
func (r *CertificateRules) Check(text string, f cpm.FSP, use cpm.KeyUse, now time.Time) (ends time.Time, err error) {
	chain, err := readCertificates(text, maxChain)
	if err != nil {
		return ends, badCertificate(err, "it must be PEM: the certificate of the key, and after it at most %d others", maxChain-1)
	}
	if r == nil {
		return ends, nil
	}
	leaf := chain[0]
	options := x509.VerifyOptions{
		Roots: r.roots, Intermediates: r.others.Clone(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		return ends, badCertificate(err, "it has no valid chain to an authority of this CPM")
	}
	if r.revocations != nil {
		if err := r.revocations.Check(chains, now); err != nil {
			return ends, badCertificate(err, "it is revoked, or it is not known whether it is")
		}
	}
	return leaf.NotAfter, r.checkLeaf(leaf, f, use)
}

func (r *CertificateRules) checkLeaf(leaf *x509.Certificate, f cpm.FSP, use cpm.KeyUse) error {
	usage := x509.KeyUsageDigitalSignature
	if use == cpm.UseEncryption {
		usage = x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	}
	switch {
	case leaf.IsCA:
		return badCertificate(nil, "it is that of an authority")
	case leaf.KeyUsage&usage == 0:
		return badCertificate(nil, "its key usage does not allow the use %s", use)
	case len(r.policy.ExtendedKeyUsages) > 0 && !slices.ContainsFunc(extendedUsages(leaf), r.allows):
		return badCertificate(nil, "it has none of the extended key usages this CPM asks for")
	case r.policy.RequireName && leaf.Subject.CommonName != string(f) && !slices.Contains(leaf.DNSNames, string(f)):
		return badCertificate(nil, "neither its common name nor a DNS name is the FSP")
	}
	return nil
}

func (r *CertificateRules) allows(usage string) bool {
	return slices.Contains(r.policy.ExtendedKeyUsages, usage)
}

// extendedUsages lists the object identifiers of the extension (RFC 5280, section 4.2.1.12).
func extendedUsages(c *x509.Certificate) []string {
	var all []string
	for _, e := range c.Extensions {
		var ids []asn1.ObjectIdentifier
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37}) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &ids); err != nil || len(rest) > 0 {
			continue
		}
		for _, id := range ids {
			all = append(all, id.String())
		}
	}
	return all
}

// readCertificates reads PEM text that has certificates and nothing else.
func readCertificates(text string, most int) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" || len(all) == most {
			return nil, fmt.Errorf("there is something else than certificates, or there are more than %d", most)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no PEM certificate")
	}
	return all, nil
}

// leafOnly is the first PEM block of a text: the key's own certificate.
func leafOnly(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return text
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
}

func badCertificate(cause error, why string, args ...any) error {
	return breaks(RuleCertificate, fault.Invalid, cause, "the certificate is not good for this key: "+why, args...)
}
