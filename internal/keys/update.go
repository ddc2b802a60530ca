package keys

import (
	"encoding/pem"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// MaxUpdate bounds a signed key update in bytes.
const MaxUpdate = 64 << 10

// UpdateType is the typ of the JWS of a key update.
const UpdateType = "cpm-key-update+jwt"

// Bounds of a key update.
const (
	maxAhead = 10 * time.Minute // how far ahead exp may be
	minNonce = 16
	maxNonce = 64
	maxSeq   = 1<<53 - 1 // the largest whole number that every JSON reader keeps
)

// UpdateAction is what a key update wants.
type UpdateAction string

// The actions (specification, "Key Update Adapter", "Processing", 5). Add and Update are treated the same.
const (
	ActionAdd    UpdateAction = "Add"
	ActionUpdate UpdateAction = "Update"
	ActionDelete UpdateAction = "Delete"
)

// Update is a key update as it came: well-formed, but neither verified nor judged.
type Update struct {
	Action UpdateAction
	FSP    cpm.FSP
	Name   string
	// Use is what the new key is for; a Delete may leave it out.
	Use cpm.KeyUse
	// Algorithm is the JOSE algorithm the key is for; empty is the usual one of its type.
	Algorithm string
	// One of these three is the new key: a PEM public key, a PEM certificate with the chain to its CA perhaps, or a
	// compact JWE with the private or secret key.
	Key, Certificate, SealedKey string
	NotBefore, NotAfter         time.Time
	// Seq grows with every update of the FSP. Nonce is recorded with it.
	Seq     int64
	Nonce   string
	Expires time.Time

	proof  string
	jws    signed
	strong bool // the new key has been found strong and proven
}

// ParseUpdate reads a signed key update strictly: a compact JWS whose payload is one JSON object with the members of
// Update and no others, each of the right type and once. Faults: TooLarge, Invalid, Missing; all in the chain of a Rule.
func ParseUpdate(text []byte) (*Update, error) {
	if len(text) > MaxUpdate {
		return nil, breaks(RuleMalformed, fault.TooLarge, nil, "a key update has at most %d bytes", MaxUpdate)
	}
	jws, err := splitJWS(text, UpdateType)
	if err != nil {
		return nil, err
	}
	u := &Update{jws: jws}
	if err := u.readPayload(); err != nil {
		return nil, err
	}
	return u, u.check()
}

// check judges the members together, without knowing anything but the update.
func (u *Update) check() error {
	switch {
	case u.Action == "" || u.FSP == "" || u.Name == "" || u.Nonce == "" || u.Seq == 0 || u.Expires.IsZero():
		return breaks(RuleMalformed, fault.Missing, nil, "a key update has action, fsp, name, seq, nonce and exp")
	case u.Action == ActionDelete:
		return u.checkDelete()
	case u.Use == "":
		return breaks(RuleMalformed, fault.Missing, nil, "an Add or Update says the use of the key: one of %v", cpm.KeyUses())
	case u.sources() != 1:
		return breaks(RuleMalformed, fault.Missing, nil, "an Add or Update has exactly one of key, certificate and sealedKey")
	case u.SealedKey == "" && u.proof == "":
		return breaks(RuleProof, fault.Missing, nil, "proof is missing: a JWS by the new key that shows who holds it")
	case u.SealedKey != "" && (u.proof != "" || u.Use == cpm.UseUpdate):
		return malformed(nil, "a sealed private key needs no proof; the private half of an update key stays with the FSP")
	case !u.NotAfter.IsZero() && !u.NotBefore.Before(u.NotAfter):
		return malformed(nil, "the key must end after it begins")
	}
	return nil
}

func (u *Update) checkDelete() error {
	if u.sources() != 0 || u.proof != "" || u.Algorithm != "" || !u.NotBefore.IsZero() || !u.NotAfter.IsZero() {
		return malformed(nil, "a Delete has action, fsp, name, seq, nonce, exp and perhaps use, and nothing else")
	}
	return nil
}

// sources counts the forms the new key is given in.
func (u *Update) sources() (n int) {
	for _, s := range []string{u.Key, u.Certificate, u.SealedKey} {
		if s != "" {
			n++
		}
	}
	return n
}

// Signer is the name of the update key the JWS says it is signed with; empty is any.
func (u *Update) Signer() string { return u.jws.kid }

// Evidence is the signed update itself, for the record; nothing when a sealed key is part of it.
func (u *Update) Evidence() string {
	if u.SealedKey != "" {
		return ""
	}
	return u.jws.text()
}

// VerifiedBy finds the version that the update is signed with; nil if it is none of these.
func (u *Update) VerifiedBy(versions []*Version) *Version {
	for _, v := range versions {
		public, err := v.Public()
		if err == nil && u.jws.verifiedBy(public) {
			return v
		}
	}
	return nil
}

// CheckTime refuses an update outside of its time: it ends at exp, and that is soon.
func (u *Update) CheckTime(now time.Time) error {
	switch {
	case !now.Before(u.Expires):
		return breaks(RuleExpired, fault.Invalid, nil, "the key update has expired; sign it again with a later exp")
	case u.Expires.After(now.Add(maxAhead)):
		return breaks(RuleFarExpiry, fault.Invalid, nil, "the exp of the key update is more than %s ahead; sign it when you send it", maxAhead)
	}
	return nil
}

// Certified checks the certificate of the update by the rules, or that none is needed. The key ends with its certificate.
func (u *Update) Certified(r *CertificateRules, now time.Time) error {
	if u.Certificate == "" {
		switch block, _ := pem.Decode([]byte(u.Key)); {
		case block != nil && block.Type == "CERTIFICATE":
			return malformed(nil, "a certificate goes into the member certificate")
		case r.Required():
			return breaks(RuleCertificate, fault.Invalid, nil, "this CPM takes keys with a certificate only")
		}
		return nil
	}
	ends, err := r.Check(u.Certificate, u.FSP, u.Use, now)
	if err != nil {
		return err
	}
	u.NotAfter = earlier(u.NotAfter, ends)
	return nil
}

// Addition is the update as an Addition with the public half given; a sealed key goes beside it.
func (u *Update) Addition() Addition {
	public := u.Key
	if public == "" {
		public = leafOnly(u.Certificate)
	}
	return Addition{
		FSP: u.FSP, Name: u.Name, Use: u.Use, Public: public, Algorithm: u.Algorithm, NotBefore: u.NotBefore, NotAfter: u.NotAfter,
		Symmetric: u.SealedKey != "" && takesSecrets(u.Use, u.Algorithm),
		strong:    u.strong,
	}
}
