package pki

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"
)

// maxBundle bounds a file with certificates; that of all public authorities has some 250 KB.
const maxBundle = 4 << 20

// maxCRL bounds a file with lists of revoked certificates; an entry has some 40 bytes.
const maxCRL = 16 << 20

// The roles a Life can have.
const (
	RoleOwn       = "own"       // a certificate of the own chain
	RoleAuthority = "authority" // a certificate whose holders are accepted
	RoleCRL       = "crl"       // a list of revoked certificates
)

// Life is the time in which a certificate or a list counts.
type Life struct {
	Role string
	// Subject is its name: the common name or, without one, the first DNS name or URI; of a list that of its authority.
	Subject string
	// Serial is the serial number of a certificate in hexadecimal digits.
	Serial      string
	From, Until time.Time
}

// The shares of a life after which somebody should do something, and the most they may be.
const (
	soonMost, criticalMost   = 30 * day, 7 * day
	soonShare, criticalShare = 3, 10
)

// Due says whether a life ends soon, and whether that is critical: in 30 and in 7 days, or for what is made for a short
// time in a third and in a tenth of it.
func (l Life) Due(now time.Time) (soon, critical bool) {
	whole, left := l.Until.Sub(l.From), l.Until.Sub(now)
	return left < min(soonMost, whole/soonShare), left < min(criticalMost, whole/criticalShare)
}

// LifeOf is the life of a certificate in a role.
func LifeOf(role string, c *x509.Certificate) Life {
	l := Life{Role: role, Subject: c.Subject.CommonName, Serial: serial(c.SerialNumber), From: c.NotBefore, Until: c.NotAfter}
	switch {
	case l.Subject != "":
	case len(c.DNSNames) > 0:
		l.Subject = c.DNSNames[0]
	case len(c.URIs) > 0:
		l.Subject = c.URIs[0].String()
	}
	return l
}

// Lives are those of the lists, the first to expire first.
func (r *Revocations) Lives() []Life {
	var all []Life
	if r == nil {
		return nil
	}
	for _, l := range r.lists {
		all = append(all, Life{Role: RoleCRL, Subject: l.authority, From: l.thisUpdate, Until: l.nextUpdate})
	}
	return ByEnd(all)
}

// ByEnd sorts lives, the first to end first.
func ByEnd(all []Life) []Life {
	slices.SortFunc(all, func(a, b Life) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Serial, b.Serial))
	})
	return all
}

// ReadBundle reads the certificates of a PEM file; there must be one.
func ReadBundle(file string) ([]*x509.Certificate, error) {
	text, err := readBounded(file, maxBundle)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("the file has no certificate")
	}
	return all, nil
}

// ReadRevocationsFile is ReadRevocations of a file.
func ReadRevocationsFile(file string, authorities []*x509.Certificate) (*Revocations, error) {
	text, err := readBounded(file, maxCRL)
	if err != nil {
		return nil, err
	}
	return ReadRevocations(text, authorities)
}
