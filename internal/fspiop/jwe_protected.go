package fspiop

import (
	"errors"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// FieldAlgorithm is the JOSE name of the only algorithm that wraps content keys in FSPIOP ("Encryption" v1.1, section 3.2,
// step 1; RFC 7518, section 4.3).
const FieldAlgorithm = cpm.RSAOAEP256

// The members of a JWE protected header that mean something here.
const (
	memberEncryptionMethod = "enc"
	memberCompression      = "zip"
	memberContentType      = "cty"

	compressionDeflate = "DEF"
)

// refused is the decline of everything that cryptography or policy forbids, always with the same text: a caller must not learn
// whether it was a content key or an authentication tag that was wrong. The log has the cause.
func refused(cause error) error {
	return fault.New(fault.Refused, "the encrypted fields were refused: by key, algorithm or policy; see the log").Because(cause)
}

// readProtected reads the protected header of a field as strictly as that of a signature, and refuses what is not expected:
// another algorithm, an extension, compression unless it is allowed, and every member that brings or names a key of its own.
// kid is a hint for recipients that look keys up by it; here it is not looked at.
func (f *encryptedField) readProtected(inflates bool) error {
	h, err := parseHeader(f.aad)
	if err != nil {
		return malformed("protected header: " + err.Error())
	}
	var known bool
	for _, m := range h {
		switch {
		case !m.isText:
			return refused(errors.New("a member of a JWE header is no string, crit or jwk for example"))
		case m.name == memberAlgorithm && m.text != FieldAlgorithm:
			return refused(errors.New("alg is not " + FieldAlgorithm))
		case m.name == memberEncryptionMethod:
			f.cipher, known = contentCipherNamed(m.text)
		case m.name == memberCompression && (m.text != compressionDeflate || !inflates):
			return refused(errors.New("zip is not DEF, or not allowed"))
		case m.name == memberCompression:
			f.zipped = true
		case m.name == memberContentType:
			f.contentType = m.text
		case m.name != memberAlgorithm && m.name != "typ" && m.name != "kid":
			return refused(errors.New("a JWE header has a member it must not have"))
		}
	}
	if !known {
		return refused(errors.New("enc is not A128GCM, A192GCM or A256GCM"))
	}
	return nil
}

// protectedOf is the encoded protected header of a field.
func protectedOf(c contentCipher, contentType string) string {
	text := canon.AppendString([]byte(`{"`+memberAlgorithm+`":"`+FieldAlgorithm+`","`+memberEncryptionMethod+`":`), c.name)
	if contentType != "" {
		text = canon.AppendString(append(text, `,"`+memberContentType+`":`...), contentType)
	}
	return base64url.EncodeToString(append(text, '}'))
}
