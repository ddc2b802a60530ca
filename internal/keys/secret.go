package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// ShortSecret is the length in bytes below which a secret can be found by trying.
const ShortSecret = 16

// SecretFormat says how a file writes the bytes of a secret key.
type SecretFormat string

// The formats. Raw takes the file as it is, a line end too; the others take white space around the text away.
const (
	RawSecret    SecretFormat = "raw"
	Base64Secret SecretFormat = "base64"
	HexSecret    SecretFormat = "hex"
)

// SecretFormats lists the formats.
func SecretFormats() []SecretFormat { return []SecretFormat{RawSecret, Base64Secret, HexSecret} }

// ReadSecret decodes a secret key of 1 to 512 bytes. Base64 is that of RFC 4648, section 4 or 5, with or without padding. The
// text is destroyed, unless it is the key itself; the caller owns the result. Faults say nothing of the text.
func ReadSecret(format SecretFormat, text secret.Bytes) (secret.Bytes, error) {
	out, err := decodeSecret(format, text)
	if err == nil && (out.Len() == 0 || out.Len() > maxSecretKey) {
		err = fault.New(fault.Invalid, "a secret key has 1 to %d bytes", maxSecretKey)
	}
	if err == nil && isPEM(out) {
		err = fault.New(fault.Invalid, "this is a PEM file and no secret key; give a private or public key as such")
	}
	if err != nil {
		text.Destroy()
		out.Destroy()
		return secret.Bytes{}, err
	}
	return out, nil
}

func decodeSecret(format SecretFormat, text secret.Bytes) (secret.Bytes, error) {
	var decode func(dst, src []byte) (int, error)
	encoded := bytes.TrimSpace(text.Open(secret.Token{}))
	switch format {
	case RawSecret:
		return text, nil
	case Base64Secret:
		decode = base64For(encoded).Decode
	case HexSecret:
		decode = hex.Decode
	default:
		return secret.Bytes{}, fault.New(fault.Invalid, "the format of a secret key is one of %v", SecretFormats())
	}
	defer text.Destroy()
	plain := make([]byte, len(encoded))
	n, err := decode(plain, encoded)
	if err != nil {
		clear(plain)
		// The decoder's error is left out: it tells characters and positions of the secret.
		return secret.Bytes{}, fault.New(fault.Invalid, "the secret key is not written in %s", format)
	}
	return secret.Take(plain[:n]), nil
}

// base64For chooses alphabet and padding by what the text has. Bits after the last byte must be zero; line breaks do
// not count.
func base64For(text []byte) *base64.Encoding {
	e := base64.StdEncoding
	if bytes.ContainsAny(text, "-_") {
		e = base64.URLEncoding
	}
	if !bytes.HasSuffix(text, []byte("=")) {
		e = e.WithPadding(base64.NoPadding)
	}
	return e.Strict()
}

// isPEM finds the file that was given in the place of another.
func isPEM(s secret.Bytes) bool {
	return bytes.HasPrefix(s.Open(secret.Token{}), []byte("-----BEGIN "))
}

// takeSecret judges a secret key that comes in. The pair has a copy of its bytes.
func takeSecret(a Addition, key secret.Bytes) (pair, string, error) {
	s, err := secretSuite(a.Use, a.Algorithm, key.Len())
	switch {
	case err != nil:
		return pair{}, "", err
	case isPEM(key):
		return pair{}, "", fault.New(fault.Invalid, "this is a PEM file and no secret key; give a private or public key as such")
	case a.Use != cpm.UseILP && oneByteOnly(key):
		return pair{}, "", breaks(RuleWeak, fault.Invalid, nil, "all bytes of the secret key are equal; make a new one")
	}
	return pair{private: secret.Take(bytes.Clone(key.Open(secret.Token{})))}, s.name, nil
}

// oneByteOnly finds keys that were never filled.
func oneByteOnly(s secret.Bytes) bool {
	b := s.Open(secret.Token{})
	return len(b) > 0 && len(bytes.TrimLeft(b, string(b[0]))) == 0
}

func generateSecret(length int) pair {
	b := make([]byte, length)
	_, _ = rand.Read(b) // never fails
	return pair{private: secret.Take(b)}
}

// checkValue is the key check value of an AES key: the first three bytes of its CMAC over one block of zeros, in hexadecimal
// (ANSI X9.24-1:2017, annex A). The older one, an encrypted block of zeros, would tell a part of the key that GCM authenticates
// with. Other secret keys have none: a short one could be found by it.
func checkValue(algorithm string, key secret.Bytes) string {
	if !strings.HasPrefix(algorithm, "A") {
		return ""
	}
	block, err := aes.NewCipher(key.Open(secret.Token{}))
	if err != nil {
		return ""
	}
	b := make([]byte, aes.BlockSize)
	block.Encrypt(b, b)
	double(b) // the subkey for a whole last block (NIST SP 800-38B, section 6.1), which zeros do not change
	block.Encrypt(b, b)
	return strings.ToUpper(hex.EncodeToString(b[:3]))
}

// double multiplies by x in the field of CMAC.
func double(b []byte) {
	carry := b[0] >> 7
	for i := range b {
		b[i] <<= 1
		if i+1 < len(b) {
			b[i] |= b[i+1] >> 7
		}
	}
	b[len(b)-1] ^= 0x87 * carry
}

// attrs is the JSON document of a version's specific details.
type attrs struct {
	// Certificate is the DER of the certificate the key came in.
	Certificate []byte `json:"certificate,omitempty"`
	// Fingerprint tells equal secret keys of an FSP apart from others. It is a MAC under the root key: without that it tells
	// nothing of the key, however short.
	Fingerprint []byte `json:"fingerprint,omitempty"`
	// CheckValue is shown to operators.
	CheckValue string `json:"checkValue,omitempty"`
	// Deleted says that the version was there when its key was deleted: a later Add of the key does not bring it back.
	Deleted bool `json:"deleted,omitempty"`
}

// mark writes whether the version was deleted with its key.
func mark(o *store.Object, deleted bool) {
	a := attrsOf(o)
	if a.Deleted != deleted {
		a.Deleted = deleted
		o.Attrs, _ = json.Marshal(a) // texts and bytes always can be written
	}
}

func attrsOf(o *store.Object) attrs {
	var a attrs
	if len(o.Attrs) == 0 || json.Unmarshal(o.Attrs, &a) != nil {
		return attrs{}
	}
	return a
}

// describe writes what is kept of a key besides its bytes.
func (m *Manager) describe(space, algorithm string, p pair) []byte {
	a := attrs{Certificate: p.certificate}
	if p.secret() {
		a.Fingerprint, a.CheckValue = m.ring.Fingerprints(space, p.private)[0], checkValue(algorithm, p.private)
	}
	if a.Certificate == nil && a.Fingerprint == nil {
		return nil
	}
	text, _ := json.Marshal(a) // texts and bytes always can be written
	return text
}

// same says whether two versions of a key have the same material.
func same(a, b *store.Object) bool {
	if a.Kind == KindSecret || b.Kind == KindSecret {
		print := attrsOf(a).Fingerprint
		return len(print) > 0 && bytes.Equal(print, attrsOf(b).Fingerprint)
	}
	return bytes.Equal(a.Public, b.Public)
}
