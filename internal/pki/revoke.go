package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

const (
	// DefaultListLifetime is how long a list of revoked certificates counts.
	DefaultListLifetime = 30 * day
	maxListLifetime     = 366 * day
)

// List describes a list of revoked certificates (CRL) that was written.
type List struct {
	File       string    `json:"file"`
	Number     int64     `json:"number"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
	// Revoked counts its entries.
	Revoked int `json:"revoked"`
}

// reasons are the words of RFC 5280, section 5.3.1, that fit a service's certificate.
func reasons() map[string]int {
	return map[string]int{
		"unspecified": 0, "keyCompromise": 1, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5,
	}
}

// Reasons lists the words a revocation may give.
func Reasons() []string { return slices.Sorted(maps.Keys(reasons())) }

// Revoke revokes a service's certificates that are neither expired nor revoked: all of them, or the one with the serial
// number. They are on the list of revoked certificates only when it is written again.
func (d *Directory) Revoke(now time.Time, service, serialNumber, reason string) ([]Record, error) {
	if _, known := reasons()[reason]; !known {
		return nil, fault.New(fault.Invalid, "the reason is one of: %s", strings.Join(Reasons(), ", "))
	}
	if service != "" && d.last(service) == nil {
		return nil, fault.New(fault.NotFound, "the authority has issued nothing for this service; see what there is with: cpm pki list")
	}
	wanted, ok := number(serialNumber)
	if serialNumber != "" && !ok {
		return nil, fault.New(fault.Invalid, "a serial number is written in hexadecimal digits")
	}
	var revoked []Record
	for i := range d.index.Certificates {
		r := &d.index.Certificates[i]
		if r.State(now) != "valid" || (service != "" && r.Service != service) || (serialNumber != "" && serial(wanted) != r.Serial) {
			continue
		}
		r.Revoked = &Revocation{At: now.UTC().Truncate(time.Second), Reason: reason}
		revoked = append(revoked, *r)
	}
	if len(revoked) == 0 {
		return nil, fault.New(fault.State, "there is no valid certificate to revoke; see what there is with: cpm pki list")
	}
	return revoked, d.writeIndex()
}

// Publish writes crl.pem again: signed by the authority, with the next number, and valid for the lifetime.
func (d *Directory) Publish(now time.Time, valid time.Duration) (List, error) {
	if valid < time.Hour || valid > maxListLifetime {
		return List{}, fault.New(fault.Invalid, "a list of revoked certificates is valid for 1 to %d days", maxListLifetime/day)
	}
	authority, err := d.authority()
	if err != nil {
		return List{}, err
	}
	return d.publish(authority, now, valid)
}

func (d *Directory) publish(authority *certificate, now time.Time, valid time.Duration) (List, error) {
	d.index.ListNumber++
	// The number is used up before the list is there: no two lists ever have the same.
	if err := d.writeIndex(); err != nil {
		return List{}, err
	}
	entries := d.entries(now)
	template := &x509.RevocationList{
		Number: big.NewInt(d.index.ListNumber), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(valid), RevokedCertificateEntries: entries,
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, authority.parsed, authority.key)
	if err != nil {
		return List{}, fault.New(fault.Internal, "the list of revoked certificates cannot be made").Because(err)
	}
	if err := replace(d.file(listFile), pem.EncodeToMemory(&pem.Block{Type: listBlock, Bytes: der}), public); err != nil {
		return List{}, unwritten(err)
	}
	return List{
		File: absolute(d.file(listFile)), Number: d.index.ListNumber, Revoked: len(entries),
		ThisUpdate: template.ThisUpdate.UTC().Truncate(time.Second), NextUpdate: template.NextUpdate.UTC().Truncate(time.Second),
	}, nil
}

// entries are the revoked certificates. One that has expired stays on for the longest life of a list (RFC 5280, section
// 3.3, wants at least one list after the end).
func (d *Directory) entries(now time.Time) []x509.RevocationListEntry {
	var all []x509.RevocationListEntry
	for _, r := range d.index.Certificates {
		n, ok := number(r.Serial)
		if r.Revoked == nil || !ok || now.After(r.NotAfter.Add(maxListLifetime)) {
			continue
		}
		all = append(all, x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.Revoked.At, ReasonCode: reasons()[r.Revoked.Reason]})
	}
	return all
}
