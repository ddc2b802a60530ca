package pki

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// maxIndex bounds the index; an entry has some 500 bytes.
const maxIndex = 32 << 20

// Record is one certificate in the index of a Directory.
type Record struct {
	// Service is what the certificate is for; its files are called so.
	Service string `json:"service"`
	// Serial is the serial number in hexadecimal digits.
	Serial string `json:"serial"`
	// Usage is server, client or both.
	Usage     string    `json:"usage,omitempty"`
	DNS       []string  `json:"dns,omitempty"`
	URIs      []string  `json:"uris,omitempty"`
	IPs       []string  `json:"ips,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Certificate and Key are the files it was written to.
	Certificate string      `json:"certificate"`
	Key         string      `json:"key"`
	Revoked     *Revocation `json:"revoked,omitempty"`
}

// Revocation says when and why a certificate was revoked (RFC 5280, section 5.3.1).
type Revocation struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// State is valid, revoked or expired.
func (r Record) State(now time.Time) string {
	switch {
	case r.Revoked != nil:
		return "revoked"
	case now.After(r.NotAfter):
		return "expired"
	}
	return "valid"
}

// Names are all subject alternative names.
func (r Record) Names() []string { return slices.Concat(r.DNS, r.URIs, r.IPs) }

// index is what the authority must not forget: without an entry a certificate could not be revoked.
type index struct {
	// ListNumber is the number of the last list of revoked certificates.
	ListNumber   int64    `json:"listNumber"`
	Certificates []Record `json:"certificates"`
}

// readIndex reads the index; a directory whose index is gone is not used, because its certificates could not be revoked.
func readIndex(name string) (index, error) {
	text, err := readBounded(name, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return index{}, fault.New(fault.State, "the index of the authority (%s) is missing; restore it from a backup", indexFile).Because(err)
	}
	if err != nil {
		return index{}, fault.New(fault.State, "the index of the authority cannot be read").Because(err)
	}
	var i index
	if err := json.Unmarshal(text, &i); err != nil {
		return index{}, fault.New(fault.State, "the index of the authority (%s) is damaged; restore it from a backup", indexFile).Because(err)
	}
	return i, nil
}

func (d *Directory) writeIndex() error {
	text, err := json.MarshalIndent(d.index, "", "  ")
	if err == nil {
		err = replace(d.file(indexFile), append(text, '\n'), private)
	}
	if err != nil {
		return unwritten(err)
	}
	return nil
}

// List gives every certificate that was issued, oldest first.
func (d *Directory) List() []Record { return slices.Clone(d.index.Certificates) }

// last is the newest entry of a service; nil if there is none.
func (d *Directory) last(service string) *Record {
	for i := len(d.index.Certificates) - 1; i >= 0; i-- {
		if d.index.Certificates[i].Service == service {
			return &d.index.Certificates[i]
		}
	}
	return nil
}

// serial writes a serial number as the index has it.
func serial(n *big.Int) string { return n.Text(16) }

// number reads a serial number; tools write it in capital letters, with leading zeros or with colons.
func number(text string) (*big.Int, bool) {
	return new(big.Int).SetString(strings.ReplaceAll(text, ":", ""), 16)
}
