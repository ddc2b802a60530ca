package keyupdate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of what callers send, in bytes and pieces.
const (
	maxUpdate  = 64 << 10
	maxBatch   = 4 << 20
	maxUpdates = 100
)

// Action is what a key update does (specification, "Key Update Adapter", step 5).
type Action string

// The actions; Add and Update are treated the same.
const (
	Add    Action = "Add"
	Update Action = "Update"
	Delete Action = "Delete"
)

// readAction finds the action in the payload of a compact JWS (RFC 7515, section 7.1) whose signature nobody has looked at.
// What is no key update is Invalid, Missing or TooLarge.
func readAction(jws []byte) (Action, error) {
	if len(jws) > maxUpdate {
		return "", tooLarge(maxUpdate)
	}
	header, rest, found := bytes.Cut(jws, []byte("."))
	payload, signature, again := bytes.Cut(rest, []byte("."))
	if !found || !again || bytes.IndexByte(signature, '.') >= 0 {
		return "", fault.New(fault.Invalid, "a key update is one JWS in compact form: three parts joined by dots")
	}
	for _, part := range [][]byte{header, signature} {
		if _, err := decodePart(part); err != nil {
			return "", err
		}
	}
	plain, err := decodePart(payload)
	if err != nil {
		return "", err
	}
	return actionOf(plain)
}

// decodePart takes the one encoding there is of a part: base64url without padding, without line ends, no bits left over.
func decodePart(part []byte) ([]byte, error) {
	if len(part) == 0 || bytes.ContainsAny(part, "\r\n") {
		return nil, notBase64URL()
	}
	plain := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
	if _, err := base64.RawURLEncoding.Strict().Decode(plain, part); err != nil {
		return nil, notBase64URL()
	}
	return plain, nil
}

func notBase64URL() error {
	return fault.New(fault.Invalid, "the parts of a JWS are base64url without padding, and none is empty")
}

func actionOf(payload []byte) (Action, error) {
	doc, err := object(payload, "the payload of a key update is one JSON object")
	if err != nil {
		return "", err
	}
	for name, value := range doc.Members() {
		if name == "action" {
			text, _ := value.Text()
			return knownAction(Action(text))
		}
	}
	return "", fault.New(fault.Missing, "the key update has no action; it is Add, Update or Delete")
}

func knownAction(a Action) (Action, error) {
	switch a {
	case Add, Update, Delete:
		return a, nil
	}
	return "", fault.New(fault.Invalid, "the action of a key update is Add, Update or Delete")
}

// object reads a text that is one JSON object with one meaning.
func object(text []byte, otherwise string) (*canon.Document, error) {
	doc, err := canon.Parse(text)
	if err == nil {
		err = doc.Ambiguous()
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s", otherwise).Because(err)
	}
	if !doc.IsObject() {
		return nil, fault.New(fault.Invalid, "%s", otherwise)
	}
	return doc, nil
}

// readBatch takes the updates out of a batch; each is judged by itself later. It reads by tokens, so that nothing but the
// one shape there is costs memory.
func readBatch(body []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	for _, want := range []json.Token{json.Delim('{'), "updates", json.Delim('[')} {
		if t, err := d.Token(); err != nil || t != want {
			return nil, noBatch(err)
		}
	}
	updates, err := readTexts(d)
	if err != nil {
		return nil, err
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if t, err := d.Token(); err != nil || t != want {
			return nil, noBatch(err)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(updates) == 0 {
		return nil, noBatch(err)
	}
	return updates, nil
}

// readTexts reads the texts up to the end of an array.
func readTexts(d *json.Decoder) ([]string, error) {
	var all []string
	for d.More() {
		t, err := d.Token()
		text, ok := t.(string)
		switch {
		case err != nil || !ok:
			return nil, noBatch(err)
		case len(all) == maxUpdates:
			return nil, fault.New(fault.TooLarge, "a batch has at most %d updates", maxUpdates)
		}
		all = append(all, text)
	}
	return all, nil
}

func noBatch(cause error) error {
	return fault.New(fault.Invalid, `a batch is {"updates":["<jws>",…]} with 1 to %d updates and nothing else`, maxUpdates).Because(cause)
}

func tooLarge(limit int) error {
	return fault.New(fault.TooLarge, "the request has more than %d bytes", limit)
}
