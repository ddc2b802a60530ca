package fspiop

import (
	"errors"

	"github.com/mojaloop/cpm/internal/canon"
)

// Limits of what is read of a signature, checked before it is parsed. A protected header of 32,768 characters ("Signature"
// v1.1, table 1) and the signature of the longest key fit into the first; FSPIOP has about ten headers.
const (
	maxSignatureHeader = 64 << 10
	maxProtected       = 32 << 10
	maxMembers         = 64
)

// Causes of signature-malformed.
var (
	errTooLong        = errors.New("FSPIOP-Signature is too long")
	errNotTwoMembers  = errors.New("FSPIOP-Signature is not an object of signature and protectedHeader")
	errEmptySignature = errors.New("the signature is empty")
	errNoObject       = errors.New("the protected header is not an object")
	errManyMembers    = errors.New("the protected header has too many members")
	errTwice          = errors.New("two members of the protected header differ only in case")
	errNoAlgorithm    = errors.New("the protected header has no alg, or one that is no string")
	errNoMandatory    = errors.New("FSPIOP-URI, FSPIOP-HTTP-Method or FSPIOP-Source is missing, empty or no string")
)

// splitSignature reads the FSPIOP-Signature header: a JSON object of exactly two strings ("Signature" v1.1, table 1).
func splitSignature(header string) (protected string, signature []byte, err error) {
	if len(header) > maxSignatureHeader {
		return "", nil, errTooLong
	}
	doc, err := canon.Parse([]byte(header))
	if err != nil {
		return "", nil, err
	}
	if err = doc.Ambiguous(); err != nil {
		return "", nil, err
	}
	texts := make(map[string]string, 2)
	for name, value := range doc.Members() {
		text, ok := value.Text()
		if !ok || name != "signature" && name != "protectedHeader" {
			return "", nil, errNotTwoMembers
		}
		texts[name] = text
	}
	if len(texts) != 2 {
		return "", nil, errNotTwoMembers
	}
	signature, err = decodeBase64URL(texts["signature"])
	if err == nil && len(signature) == 0 {
		err = errEmptySignature
	}
	return texts["protectedHeader"], signature, err
}

// member is one member of a protected header.
type member struct {
	name   string
	text   string
	isText bool
}

// joseHeader is the protected header of a JWS, its members in their order.
type joseHeader []member

// parseHeader reads an encoded protected header (RFC 7515, section 5.2, steps 2 to 4). Names that differ only in case are
// refused like equal ones: they name one HTTP header.
func parseHeader(encoded string) (joseHeader, error) {
	text, err := decodeBase64URL(encoded)
	if err != nil {
		return nil, err
	}
	doc, err := canon.Parse(text)
	if err != nil {
		return nil, err
	}
	if !doc.IsObject() {
		return nil, errNoObject
	}
	if err = doc.Ambiguous(); err != nil {
		return nil, err
	}
	h := make(joseHeader, 0, 8)
	for name, value := range doc.Members() {
		m := member{name: name}
		m.text, m.isText = value.Text()
		if err = h.admit(m); err != nil {
			return nil, err
		}
		h = append(h, m)
	}
	if m := h.find(memberAlgorithm); m == nil || !m.isText {
		return nil, errNoAlgorithm
	}
	return h, nil
}

// admit says whether m may join the members; their number keeps the comparing short.
func (h joseHeader) admit(m member) error {
	if len(h) == maxMembers {
		return errManyMembers
	}
	for i := range h {
		if sameName(h[i].name, m.name) {
			return errTwice
		}
	}
	return nil
}

// find gives the member of exactly this name, or nil.
func (h joseHeader) find(name string) *member {
	for i := range h {
		if h[i].name == name {
			return &h[i]
		}
	}
	return nil
}

// text is the string of that name, or empty.
func (h joseHeader) text(name string) string {
	if m := h.find(name); m != nil {
		return m.text
	}
	return ""
}

// complete says whether the members are there that every FSPIOP signature has.
func (h joseHeader) complete() bool {
	return h.text(memberURI) != "" && h.text(memberMethod) != "" && h.text(memberSource) != ""
}

// extended says whether the header asks for an extension of JWS: there is none we understand, and RFC 7515, section 4.1.11
// wants such a signature refused. The payload of b64 (RFC 7797) is not encoded, so it means another signing input.
func (h joseHeader) extended() bool {
	for i := range h {
		if sameName(h[i].name, "crit") || sameName(h[i].name, "b64") {
			return true
		}
	}
	return false
}
