package keys

import (
	"bytes"
	"crypto"
	"encoding/base64"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// maxHeader bounds the encoded header of a JWS.
const maxHeader = 2 << 10

// signed is a JWS in compact serialization (RFC 7515, section 7.1), taken apart but not verified.
type signed struct {
	algorithm fspiop.Algorithm
	kid       string
	payload   []byte
	input     []byte // what the signature is over
	signature []byte
}

// splitJWS takes a compact JWS of one type apart. Its header has alg and typ, may have kid, and nothing else: whatever
// names a key, changes the meaning of the payload (b64) or must be understood (crit) is refused with all the rest.
func splitJWS(text []byte, typ string) (signed, error) {
	if bytes.Count(text, []byte{'.'}) != 2 {
		return signed{}, malformed(nil, "it must be a compact JWS: three parts with two dots between them")
	}
	end := bytes.LastIndexByte(text, '.')
	input := text[:end]
	header, payload, _ := bytes.Cut(input, []byte{'.'})
	if len(header) > maxHeader {
		return signed{}, malformed(nil, "the JWS header has at most %d characters", maxHeader)
	}
	s := signed{input: input}
	plain, err := unbase64(header)
	if err == nil {
		s.payload, err = unbase64(payload)
	}
	if err == nil {
		s.signature, err = unbase64(text[end+1:])
	}
	if err != nil {
		return signed{}, malformed(err, "each part of the JWS must be base64url without padding")
	}
	return s, s.readHeader(plain, typ)
}

func (s *signed) readHeader(plain []byte, typ string) error {
	doc, err := strictObject(plain)
	if err != nil {
		return breaks(RuleHeader, fault.Invalid, err, "the JWS header must be one JSON object that can be read in one way only")
	}
	var alg, is string
	for name, value := range doc.Members() {
		text, ok := value.Text()
		switch {
		case ok && name == "alg":
			alg = text
		case ok && name == "typ":
			is = text
		case ok && name == "kid" && cpm.ValidName(text):
			s.kid = text
		default:
			return breaks(RuleHeader, fault.Invalid, nil, "the JWS header has the texts alg, typ and perhaps kid (the name of the key), and nothing else")
		}
	}
	if is != typ {
		return breaks(RuleHeader, fault.Invalid, nil, "the typ of the JWS header must be %s", typ)
	}
	var known bool
	if s.algorithm, known = fspiop.AlgorithmNamed(alg); !known {
		return breaks(RuleHeader, fault.Invalid, nil, "the alg of the JWS header must be one of %v", fspiop.AlgorithmNames())
	}
	return nil
}

// verifiedBy says whether the signature is by the key, with an algorithm that fits the key.
func (s *signed) verifiedBy(public crypto.PublicKey) bool {
	return s.algorithm.Verify(public, s.input, s.signature)
}

// text is the compact JWS again.
func (s *signed) text() string {
	return string(s.input) + "." + base64.RawURLEncoding.EncodeToString(s.signature)
}

// strictObject reads one JSON object that every reader understands in the same way.
func strictObject(text []byte) (*canon.Document, error) {
	doc, err := canon.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Ambiguous(); err != nil {
		return nil, err
	}
	if !doc.IsObject() {
		return nil, fault.New(fault.Invalid, "not an object")
	}
	return doc, nil
}

// unbase64 accepts the one encoding there is of each octet string (RFC 7515, section 2); the standard decoder would skip
// line ends.
func unbase64(text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(bytes.IndexAny(text, "\r\n"))
	}
	return base64.RawURLEncoding.Strict().AppendDecode(nil, text)
}

func malformed(cause error, text string, args ...any) error {
	return breaks(RuleMalformed, fault.Invalid, cause, "the key update cannot be read: "+text, args...)
}
