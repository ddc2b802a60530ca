package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// listBlock is the type of a list in PEM (RFC 7468, section 6).
const listBlock = "X509 CRL"

// maxLists bounds how many lists one file may have.
const maxLists = 64

// The causes for which Check refuses a certificate.
var (
	ErrRevoked     = errors.New("the certificate is revoked")
	ErrListExpired = errors.New("the list of revoked certificates of its authority has expired")
	ErrNoList      = errors.New("there is no list of revoked certificates of its authority")
)

// Revocations are the lists of revoked certificates (CRL, RFC 5280) of one or several authorities, each verified.
type Revocations struct{ lists map[issuer]*list }

// issuer is an authority as a list and a certificate chain both know it. Two authorities of one name have two keys.
type issuer struct{ subject, key string }

type list struct {
	authority              string
	thisUpdate, nextUpdate time.Time
	revoked                map[string]bool // serial numbers
}

// ReadRevocations reads a PEM file with one or several lists. Each must be signed by one of the authorities, say when the
// next one comes, and be complete: partial lists (RFC 5280, sections 5.2.4 and 5.2.5) are refused, because what they leave
// out would count as valid. Of two lists of an authority the later one counts.
func ReadRevocations(text []byte, authorities []*x509.Certificate) (*Revocations, error) {
	all := &Revocations{lists: map[issuer]*list{}}
	for n := 0; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if n == maxLists {
			return nil, fmt.Errorf("the file has more than %d lists", maxLists)
		}
		parsed, err := parseList(block)
		if err != nil {
			return nil, err
		}
		by, err := signer(parsed, authorities)
		if err != nil {
			return nil, err
		}
		if there := all.lists[by]; there == nil || parsed.ThisUpdate.After(there.thisUpdate) {
			all.lists[by] = newList(parsed)
		}
	}
	if len(all.lists) == 0 {
		return nil, errors.New("the file has no list of revoked certificates")
	}
	return all, nil
}

func parseList(block *pem.Block) (*x509.RevocationList, error) {
	if block.Type != listBlock {
		return nil, errors.New("the file has something else than lists of revoked certificates")
	}
	parsed, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		return nil, err
	}
	if parsed.NextUpdate.IsZero() {
		return nil, errors.New("a list does not say when the next one comes")
	}
	for _, e := range parsed.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("a list has a critical extension (%s): it is partial or of a kind that is not known", e.Id)
		}
	}
	for i := range parsed.RevokedCertificateEntries {
		for _, e := range parsed.RevokedCertificateEntries[i].Extensions {
			if e.Critical {
				return nil, fmt.Errorf("an entry of a list has a critical extension (%s)", e.Id)
			}
		}
	}
	return parsed, nil
}

// signer finds the authority whose key signed the list.
func signer(l *x509.RevocationList, authorities []*x509.Certificate) (issuer, error) {
	for _, a := range authorities {
		if string(a.RawSubject) == string(l.RawIssuer) && l.CheckSignatureFrom(a) == nil {
			return issuerOf(a), nil
		}
	}
	return issuer{}, errors.New("a list is not signed by any of the authorities")
}

func issuerOf(c *x509.Certificate) issuer {
	return issuer{string(c.RawSubject), string(c.RawSubjectPublicKeyInfo)}
}

func newList(parsed *x509.RevocationList) *list {
	l := &list{
		authority: parsed.Issuer.CommonName, thisUpdate: parsed.ThisUpdate, nextUpdate: parsed.NextUpdate,
		revoked: make(map[string]bool, len(parsed.RevokedCertificateEntries)),
	}
	for i := range parsed.RevokedCertificateEntries {
		l.revoked[string(parsed.RevokedCertificateEntries[i].SerialNumber.Bytes())] = true
	}
	return l
}

// Check says why a certificate with these verified chains is refused; nil if it is not. No chain may have a revoked
// certificate, and in one of them every certificate below the root needs a list of its issuer that has not expired.
func (r *Revocations) Check(chains [][]*x509.Certificate, now time.Time) error {
	accepted, why := false, ErrNoList
	for _, chain := range chains {
		switch err := r.checkChain(chain, now); {
		case err == nil:
			accepted = true
		case errors.Is(err, ErrRevoked):
			return err
		default:
			why = err
		}
	}
	if accepted {
		return nil
	}
	return why
}

func (r *Revocations) checkChain(chain []*x509.Certificate, now time.Time) error {
	for i := range len(chain) - 1 {
		l := r.lists[issuerOf(chain[i+1])]
		switch {
		case l == nil:
			return ErrNoList
		// Before the time: a revoked certificate is revoked whatever the list's age.
		case l.revoked[string(chain[i].SerialNumber.Bytes())]:
			return ErrRevoked
		case now.After(l.nextUpdate):
			return ErrListExpired
		}
	}
	return nil
}
