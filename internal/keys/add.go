package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// Addition is a key to be taken in. Exactly one of Generate, Public and a private or secret key is given. A key of that name that
// is there already gets a new version (specification, "Key Updates": Add and Update are treated the same).
type Addition struct {
	FSP  cpm.FSP    `json:"fsp"`
	Name string     `json:"name"`
	Use  cpm.KeyUse `json:"use"`
	// Generate makes a private or secret key in the CPM for this algorithm, one of Algorithms(Use).
	Generate string `json:"generate,omitempty"`
	// Bits is the RSA modulus of a generated key.
	Bits int `json:"bits,omitempty"`
	// Public is a PEM public key or certificate.
	Public string `json:"public,omitempty"`
	// Algorithm is what an imported key is for, one of Algorithms(Use); empty is the first one that fits it.
	Algorithm string `json:"algorithm,omitempty"`
	// Symmetric says that the key beside the document is the bytes of a secret key.
	Symmetric bool      `json:"symmetric,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	// Policy is that of the key from now on; nil leaves it as it is.
	Policy *Policy `json:"policy,omitempty"`

	// strong says that CheckStrength has had Public already.
	strong bool
}

// Add stores a new version in tx. The private key, if one is given, is PEM text or PKCS #8 DER, a secret key its bytes; the
// caller destroys it.
func (m *Manager) Add(tx *store.Tx, a Addition, private secret.Bytes, actor string) (cpm.KeyRef, error) {
	p, algorithm, err := take(a, private)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	defer p.private.Destroy()
	now := m.now()
	series, err := m.series(tx, a, actor, now)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	versions, err := tx.Objects(series.ID)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	if err := returns(versions, m.has(series.Space, p)); err != nil {
		return cpm.KeyRef{}, err
	}
	return m.append(tx, series, versions, m.object(a, series, p, algorithm, actor, now), p.private)
}

// append seals and stores a new version in the place of those before.
func (m *Manager) append(
	tx *store.Tx, series *store.Series, before []store.Object, o *store.Object, private secret.Bytes,
) (cpm.KeyRef, error) {
	if o.Kind != KindPublic {
		var err error
		o.Sealed, err = m.ring.Seal(tx, series.Space, associated(o.ID, o.Version, o.Kind, series.Use, o.Algorithm), private)
		if err != nil {
			return cpm.KeyRef{}, err
		}
	}
	if err := m.supersede(tx, before, o); err != nil {
		return cpm.KeyRef{}, err
	}
	if err := tx.Put(series); err != nil {
		return cpm.KeyRef{}, err
	}
	return cpm.KeyRef{ID: cpm.KeyID(o.ID), Name: series.Name, Version: number(o.Version)}, tx.Put(o)
}

// Certified checks the certificate of the addition, if it has one, by the rules. The key ends with its certificate.
func (a *Addition) Certified(r *CertificateRules, now time.Time) error {
	block, _ := pem.Decode([]byte(a.Public))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	ends, err := r.Check(a.Public, a.FSP, a.Use, now)
	if err == nil {
		a.NotAfter = earlier(a.NotAfter, ends)
	}
	return err
}

// earlier is the earlier of two ends, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// take checks the addition and reads or makes the key.
func take(a Addition, private secret.Bytes) (pair, string, error) {
	switch {
	case !cpm.ValidName(a.Name):
		return pair{}, "", fault.New(fault.Invalid, "the key's name must be 1 to 128 visible characters without / \" \\")
	case !slices.Contains(cpm.KeyUses(), a.Use):
		return pair{}, "", fault.New(fault.Invalid, "the key's use must be one of %v", cpm.KeyUses())
	case !a.NotAfter.IsZero() && !a.NotBefore.Before(a.NotAfter):
		return pair{}, "", fault.New(fault.Invalid, "the key must end after it begins")
	}
	p, algorithm, err := source(a, private)
	if err != nil {
		return pair{}, "", err
	}
	if a.strong || a.Generate != "" || p.secret() {
		return p, algorithm, nil
	}
	if err := CheckStrength(p.public); err != nil {
		p.private.Destroy()
		return pair{}, "", err
	}
	return p, algorithm, nil
}

func source(a Addition, private secret.Bytes) (pair, string, error) {
	given := 0
	for _, there := range []bool{a.Generate != "", a.Public != "", private.Len() > 0} {
		if there {
			given++
		}
	}
	if given != 1 {
		return pair{}, "", fault.New(fault.Invalid, "give exactly one of: an algorithm to generate for, a public key, a private or secret key")
	}
	switch {
	case a.Generate != "":
		p, err := generate(a)
		return p, a.Generate, err
	case a.Symmetric && a.Public == "":
		return takeSecret(a, private)
	}
	return asymmetric(a, private)
}

// asymmetric reads a public or private key.
func asymmetric(a Addition, private secret.Bytes) (pair, string, error) {
	var (
		p   pair
		err error
	)
	if a.Public != "" {
		p, err = parsePublic([]byte(a.Public))
	} else {
		p, err = parsePrivate(private)
	}
	var s suite
	if err == nil {
		s, err = suiteFor(a.Use, a.Algorithm, p.public)
	}
	if err != nil {
		p.private.Destroy()
		f := fault.From(err)
		return pair{}, "", breaks(RuleKey, f.Kind, err, "%s", f.Public)
	}
	return p, s.name, nil
}

// series is the key's series with the new version as its current one; a deleted series becomes active again.
func (m *Manager) series(tx *store.Tx, a Addition, actor string, now time.Time) (*store.Series, error) {
	s, err := tx.SeriesNamed(string(a.FSP), a.Name)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = &store.Series{Space: string(a.FSP), Name: a.Name, Use: string(a.Use), CreatedAt: store.Micros(now), CreatedBy: actor}
		if _, err := rand.Read(s.ID[:]); err != nil {
			return nil, err
		}
	}
	if s.Use != string(a.Use) {
		return nil, fault.New(fault.State, "the key is there with use %s; a key never changes its use", s.Use)
	}
	if a.Policy != nil {
		if err := setPolicy(s, *a.Policy); err != nil {
			return nil, err
		}
	}
	s.Current++
	s.Deleted = false
	s.UpdatedAt, s.UpdatedBy = store.Micros(now), actor
	return s, nil
}

func (m *Manager) object(a Addition, s *store.Series, p pair, algorithm, actor string, now time.Time) *store.Object {
	o := &store.Object{
		Series: s.ID, Version: s.Current, Kind: p.kind(), Algorithm: algorithm, Bits: int64(p.bits()), Usage: s.Use,
		State: Active, ExpiryType: "none", CreatedAt: store.Micros(now), UpdatedAt: store.Micros(now),
		ActivatedAt: store.Micros(now), CreatedBy: actor, UpdatedBy: actor, Public: p.spki, Attrs: m.describe(s.Space, algorithm, p),
	}
	_, _ = rand.Read(o.ID[:])
	if a.NotBefore.After(now) {
		o.State, o.NotBefore = PreActive, store.Micros(a.NotBefore)
		o.ActivatedAt = o.NotBefore
	}
	if !a.NotAfter.IsZero() {
		o.ExpiryType, o.NotAfter = "date", store.Micros(a.NotAfter)
	}
	return o
}

// supersede marks the versions that the new one takes the place of, from its activation on. They stay as backup.
func (m *Manager) supersede(tx *store.Tx, versions []store.Object, by *store.Object) error {
	from := by.ActivatedAt
	for i := range versions {
		if versions[i].SupersededAt != 0 && versions[i].SupersededAt <= from {
			continue
		}
		versions[i].SupersededAt = from
		versions[i].UpdatedAt, versions[i].UpdatedBy = by.CreatedAt, by.CreatedBy
		if err := tx.Put(&versions[i]); err != nil {
			return err
		}
	}
	return nil
}

// returns refuses key material that was given up for good: what is compromised or destroyed never comes back, not even as a
// new version.
func returns(versions []store.Object, isIt func(*store.Object) bool) error {
	for i := range versions {
		switch versions[i].State {
		case Compromised, Destroyed, DestroyedCompromised:
			if isIt(&versions[i]) {
				return returning()
			}
		}
	}
	return nil
}

func returning() error {
	return breaks(RuleReturning, fault.State, nil, "this key was compromised or destroyed before; make a new one")
}

// has says of a version whether it is the key that comes in. The bytes of a destroyed secret key are gone, hence its
// fingerprint.
func (m *Manager) has(space string, p pair) func(*store.Object) bool {
	if !p.secret() {
		return func(o *store.Object) bool { return o.Kind != KindSecret && bytes.Equal(o.Public, p.spki) }
	}
	prints := m.ring.Fingerprints(space, p.private)
	return func(o *store.Object) bool {
		return slices.ContainsFunc(prints, func(print []byte) bool { return bytes.Equal(print, attrsOf(o).Fingerprint) })
	}
}
