package fspiop

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"io"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// Encrypted is what has to be sent instead of the body, and the header that goes with it.
type Encrypted struct {
	// Body is the body with a string in the place of each field; every other byte is as it was.
	Body []byte
	// Header is the value of FSPIOP-Encryption.
	Header string
}

// EncryptFields encrypts fields of a JSON body for the holder of a public key ("Encryption" v1.1, section 3.2). Each field has a
// content key and an IV of its own. enc is A128GCM, A192GCM or A256GCM, and empty A256GCM.
//
// Fields are dotted paths, at most 32, none within another. Objects, arrays, numbers, true, false and null are encrypted as
// compact JSON, strings as their bare characters. What the recipient could not tell apart by the rule of the specification is
// told in the protected header's cty: "json" of numbers and literals, "text/plain" of strings that begin with { or [. A
// recipient that does not look at it does what the specification says.
//
// A body or field that cannot be encrypted is Invalid, Missing or TooLarge; a key whose wrapped keys are longer than the 512
// characters of an encryptedKey is a State fault.
func EncryptFields(rand io.Reader, pub crypto.PublicKey, body []byte, fields []string, enc string) (*Encrypted, error) {
	key, err := wrappingKey(pub)
	if err != nil {
		return nil, err
	}
	if enc == "" {
		enc = "A256GCM"
	}
	c, ok := contentCipherNamed(enc)
	switch {
	case !ok:
		return nil, fault.New(fault.Invalid, "encryption must be A128GCM, A192GCM or A256GCM")
	case len(fields) == 0:
		return nil, fault.New(fault.Missing, "fields must name what is to be encrypted")
	case len(fields) > maxFields:
		return nil, fault.New(fault.TooLarge, "at most %d fields can be encrypted", maxFields)
	}
	if err = checkPaths(fields); err != nil {
		return nil, err
	}
	doc, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	return encryptAt(rand, key, c, doc, body, fields)
}

func encryptAt(rand io.Reader, key *rsa.PublicKey, c contentCipher, doc *canon.Document, body []byte, fields []string) (*Encrypted, error) {
	header := append(make([]byte, 0, 640*len(fields)), `{"encryptedFields":[`...)
	edits := make([]edit, 0, len(fields))
	for i, name := range fields {
		value, err := locate(doc, name)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			header = append(header, ',')
		}
		var ciphertext []byte
		if header, ciphertext, err = encryptField(rand, key, c, header, name, value); err != nil {
			return nil, err
		}
		start, end := value.Span()
		text := append(make([]byte, 0, base64url.EncodedLen(len(ciphertext))+2), '"')
		edits = append(edits, edit{start, end, append(base64url.AppendEncode(text, ciphertext), '"')})
	}
	return &Encrypted{Body: splice(body, edits), Header: string(append(header, "]}"...))}, nil
}

// encryptField appends a field's element to the header and gives its ciphertext.
func encryptField(
	rand io.Reader, key *rsa.PublicKey, c contentCipher, header []byte, name string, value canon.Value,
) (_, ciphertext []byte, err error) {
	plaintext, contentType, err := plaintextOf(value)
	if err != nil {
		return nil, nil, err
	}
	protected := protectedOf(c, contentType)
	cek := make([]byte, c.keySize)
	defer clear(cek)
	if _, err = io.ReadFull(rand, cek); err != nil {
		return nil, nil, err
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand, key, cek, nil)
	if err != nil {
		return nil, nil, err
	}
	iv, ciphertext, tag, err := seal(cek, plaintext, protected)
	if err != nil {
		return nil, nil, err
	}
	return appendElement(header, name, protected, wrapped, iv, tag), ciphertext, nil
}

// wrappingKey checks a recipient's key.
func wrappingKey(pub crypto.PublicKey) (*rsa.PublicKey, error) {
	if err := acceptsRSA(pub); err != nil {
		return nil, err
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok || base64url.EncodedLen(key.Size()) > maxEncryptedKey {
		return nil, fault.New(fault.State, "an encrypted key would exceed FSPIOP's 512 characters; use RSA-2048 or RSA-3072")
	}
	return key, nil
}
