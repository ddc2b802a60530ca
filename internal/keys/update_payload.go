package keys

import (
	"slices"
	"strconv"
	"time"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
)

// readPayload reads the members of the JWS payload.
func (u *Update) readPayload() error {
	doc, err := strictObject(u.jws.payload)
	if err != nil {
		return malformed(err, "the payload must be one JSON object that can be read in one way only")
	}
	for name, value := range doc.Members() {
		if err := u.readMember(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *Update) readMember(name string, value canon.Value) error {
	switch name {
	case "seq", "exp":
		return u.readNumber(name, value)
	}
	text, ok := value.Text()
	if !ok {
		return malformed(nil, "seq and exp are whole numbers, all other members are texts")
	}
	switch name {
	case "key":
		u.Key = text
	case "certificate":
		u.Certificate = text
	case "sealedKey":
		u.SealedKey = text
	case "proof":
		u.proof = text
	default:
		return u.readText(name, text)
	}
	if text == "" {
		return malformed(nil, "key, certificate, sealedKey and proof are left out, not empty")
	}
	return nil
}

// readText reads the members that have an alphabet or a form of their own.
func (u *Update) readText(name, text string) error {
	var ok bool
	switch name {
	case "action":
		u.Action = UpdateAction(text)
		ok = u.Action == ActionAdd || u.Action == ActionUpdate || u.Action == ActionDelete
	case "fsp":
		u.FSP = cpm.FSP(text)
		ok = u.FSP.Valid()
	case "name":
		u.Name = text
		ok = cpm.ValidName(text)
	case "use":
		u.Use = cpm.KeyUse(text)
		ok = slices.Contains(cpm.KeyUses(), u.Use)
	case "algorithm":
		u.Algorithm = text
		ok = knownAlgorithm(text)
	case "nonce":
		u.Nonce = text
		ok = validNonce(text)
	case "notBefore":
		u.NotBefore, ok = date(text)
	case "notAfter":
		u.NotAfter, ok = date(text)
	default:
		return malformed(nil, "the payload has action, fsp, name, use, algorithm, key, certificate, sealedKey, proof, notBefore, "+
			"notAfter, seq, nonce and exp, and nothing else")
	}
	if !ok {
		return malformed(nil, "action is Add, Update or Delete; fsp and name are 1 to 128 visible characters without / \" \\; "+
			"use is one of %v, and algorithm one that this use allows; nonce is %d to %d letters, digits, - or _; notBefore and notAfter are like 2026-01-31T12:00:00Z",
			cpm.KeyUses(), minNonce, maxNonce)
	}
	return nil
}

// validNonce wants characters of base64url, so that no nonce has two spellings.
func validNonce(s string) bool {
	if len(s) < minNonce || len(s) > maxNonce {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func date(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	return t.UTC(), err == nil && t.Year() >= 1971 && t.Year() < 10000
}

// readNumber reads seq, and exp in seconds since 1970 (RFC 7519, section 2, NumericDate).
func (u *Update) readNumber(name string, value canon.Value) error {
	n, err := strconv.ParseInt(string(value.Raw()), 10, 64)
	if value.Kind() != canon.Number || err != nil || n < 1 || n > maxSeq {
		return malformed(nil, "seq and exp are whole numbers from 1 to 2^53-1; exp is seconds since 1970")
	}
	if name == "seq" {
		u.Seq = n
		return nil
	}
	u.Expires = time.Unix(n, 0).UTC()
	return nil
}
