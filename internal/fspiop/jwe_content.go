package fspiop

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/mojaloop/cpm/internal/canon"
)

// Lengths in octets (RFC 7518, section 5.3). The examples of the FSPIOP specification have an IV of 16 octets.
const (
	usualIV   = 12
	exampleIV = 16
	tagSize   = 16
)

// maxInflated bounds what the compressed fields of one message may become together.
const maxInflated = 5 << 20

var (
	errNotOpened = errors.New("no key unwraps a field's content key such that its authentication tag is right")
	errInflated  = errors.New("a compressed field is malformed or becomes too long")
	errNoText    = errors.New("a decrypted field is not what its cty says, or no text readers agree on")
)

// contentCipher is a content encryption algorithm of JWE.
type contentCipher struct {
	name    string
	keySize int
}

// contentCiphers are those of FSPIOP ("Encryption" v1.1, section 3.2, step 9).
var contentCiphers = [...]contentCipher{{"A128GCM", 16}, {"A192GCM", 24}, {"A256GCM", 32}}

func contentCipherNamed(name string) (contentCipher, bool) {
	for _, c := range contentCiphers {
		if c.name == name {
			return c, true
		}
	}
	return contentCipher{}, false
}

// seal encrypts with an IV of its own choice.
func seal(cek, plaintext []byte, aad string) (iv, ciphertext, tag []byte, err error) {
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, nil, nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, nil, nil, err
	}
	sealed := gcm.Seal(nil, nil, plaintext, []byte(aad)) //nolint:gosec // the nonce is random and comes with the ciphertext
	end := len(sealed) - tagSize
	return sealed[:usualIV], sealed[usualIV:end], sealed[end:], nil
}

// open decrypts, or fails with an error that is always the same.
func open(cek, iv, ciphertext, tag []byte, aad string) ([]byte, error) {
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, errNotOpened
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil || len(tag) != tagSize {
		return nil, errNotOpened
	}
	sealed := append(append(make([]byte, 0, len(ciphertext)+tagSize), ciphertext...), tag...)
	plaintext, err := gcm.Open(sealed[:0], iv, sealed, []byte(aad))
	if err != nil {
		return nil, errNotOpened
	}
	return plaintext, nil
}

// inflate undoes DEFLATE (RFC 7516, section 4.1.3), up to a number of octets.
func inflate(compressed []byte, limit int) ([]byte, error) {
	source := bytes.NewReader(compressed)
	stream := flate.NewReader(source)
	text, err := io.ReadAll(io.LimitReader(stream, int64(limit)+1))
	if err != nil || len(text) > limit || source.Len() > 0 {
		return nil, errInflated
	}
	return text, nil
}

// The content types (RFC 7516, section 4.1.12) that say what the text alone does not. Without one, the recipient takes what
// begins with { or [ and is JSON for JSON, and everything else for a string: that is the rule of the specification.
const (
	typeJSON = "json" // short for application/json
	typeText = "text/plain"
)

// plaintextOf is what is encrypted of a value: the bare characters of a string, or compact JSON. The content type is given only
// where the recipient's rule would make another value of it: of numbers, literals, and strings that look like JSON.
func plaintextOf(v canon.Value) (plaintext []byte, contentType string, err error) {
	if text, ok := v.Text(); ok {
		if looksLikeJSON([]byte(text)) {
			contentType = typeText
		}
		return []byte(text), contentType, nil
	}
	var compact bytes.Buffer
	if err = json.Compact(&compact, v.Raw()); err != nil {
		return nil, "", err
	}
	if v.Kind() != canon.Object && v.Kind() != canon.Array {
		contentType = typeJSON
	}
	return compact.Bytes(), contentType, nil
}

func looksLikeJSON(text []byte) bool { return len(text) > 0 && (text[0] == '{' || text[0] == '[') }

// valueOf is the JSON of a decrypted field.
func valueOf(plaintext []byte, contentType string) ([]byte, error) {
	if !utf8.Valid(plaintext) {
		return nil, errNoText
	}
	mustBeJSON := contentType == typeJSON || contentType == "application/json"
	if mustBeJSON || contentType != typeText && looksLikeJSON(plaintext) {
		doc, err := canon.Parse(plaintext)
		switch {
		case err == nil && doc.AmbiguousCopied() == nil:
			return plaintext, nil
		case err == nil || mustBeJSON:
			return nil, errNoText
		}
	}
	return canon.AppendString(make([]byte, 0, len(plaintext)+2), string(plaintext)), nil
}
