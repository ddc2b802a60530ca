package command

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// Bounds of the members of a change.
const (
	maxSecret    = 64 << 10 // PEM of the largest RSA key is 13 KiB
	maxText      = 300      // FSP/key
	maxRequestID = 64
)

// decodeChange reads a change from its body. It keeps nothing of body: the caller clears it. The decoder works on the
// bytes as they are, so that the secret is copied once, into the place that destroys it.
func decodeChange(body []byte) (core.Change, error) {
	doc, err := object(body)
	if err != nil {
		return core.Change{}, err
	}
	var change core.Change
	for name, value := range doc.Members() {
		if err := decodeMember(&change, name, value); err != nil {
			change.Secret.Destroy()
			return core.Change{}, err
		}
	}
	if err := checkChange(change, len(body)); err != nil {
		change.Secret.Destroy()
		return core.Change{}, err
	}
	return change, nil
}

// object reads a body that is one JSON object with one meaning.
func object(body []byte) (*canon.Document, error) {
	doc, err := canon.Parse(body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body is one JSON object").Because(err)
	}
	if err := doc.Ambiguous(); err != nil {
		return nil, fault.New(fault.Invalid, "the body can be read in two ways").Because(err)
	}
	if !doc.IsObject() {
		return nil, fault.New(fault.Invalid, "the body is one JSON object")
	}
	return doc, nil
}

func checkChange(change core.Change, size int) error {
	if change.Action == "" {
		return fault.New(fault.Missing, "the change has no action")
	}
	return fits(change, size)
}

func decodeMember(change *core.Change, name string, value canon.Value) error {
	var err error
	switch name {
	case "action":
		change.Action, err = text(name, value, maxText)
	case "target":
		change.Target, err = text(name, value, maxText)
	case "document":
		change.Document, err = document(value)
	case "secret":
		change.Secret, err = secretBytes(value)
	case "expectRevision":
		change.ExpectRevision, err = revision(value)
	case "requestId":
		change.RequestID, err = requestID(value)
	default:
		err = fault.New(fault.Invalid, "a change has action, target, document, secret, expectRevision and requestId, and nothing else")
	}
	return err
}

func text(name string, value canon.Value, limit int) (string, error) {
	s, ok := value.Text()
	if !ok || len(s) > limit {
		return "", fault.New(fault.Invalid, "%s is a text of at most %d bytes", name, limit)
	}
	return s, nil
}

// requestID becomes part of log lines and records, hence the narrow alphabet.
func requestID(value canon.Value) (string, error) {
	s, _ := value.Text()
	if !validRequestID(s) {
		return "", fault.New(fault.Invalid, "requestId is 1 to %d letters, digits or . _ : -", maxRequestID)
	}
	return s, nil
}

func validRequestID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && bytes.IndexByte([]byte("._:-"), c) < 0 {
			return false
		}
	}
	return true
}

func document(value canon.Value) ([]byte, error) {
	if value.Kind() != canon.Object {
		return nil, fault.New(fault.Invalid, "document is an object")
	}
	return bytes.Clone(value.Raw()), nil
}

// secretBytes decodes the secret straight from the body: its only copy is the one that Destroy clears. An escape inside
// the text is refused, it would need a copy of its own.
func secretBytes(value canon.Value) (secret.Bytes, error) {
	if value.Kind() != canon.String {
		return secret.Bytes{}, fault.New(fault.Invalid, "secret is a text in base64")
	}
	raw := value.Raw()
	raw = raw[1 : len(raw)-1]
	if base64.StdEncoding.DecodedLen(len(raw)) > maxSecret {
		return secret.Bytes{}, fault.New(fault.TooLarge, "secret has at most %d bytes", maxSecret)
	}
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Strict().Decode(plain, raw)
	if err != nil {
		clear(plain)
		// The decoder's error is left out: it tells a position inside the secret.
		return secret.Bytes{}, fault.New(fault.Invalid, "secret is a text in base64")
	}
	return secret.Take(plain[:n]), nil
}

func revision(value canon.Value) (int64, error) {
	n, err := strconv.ParseInt(string(value.Raw()), 10, 64)
	if value.Kind() != canon.Number || err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "expectRevision is a whole number, 0 for any")
	}
	return n, nil
}
