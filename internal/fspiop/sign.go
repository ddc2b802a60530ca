package fspiop

import (
	"crypto"
	"io"
	"strings"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// Signed is what has to be sent for the signature to verify: these headers beside the message's own, and exactly this body.
type Signed struct {
	// Headers are fspiop-signature, fspiop-uri and fspiop-http-method.
	Headers map[string]string
	// Body is the bytes the signature covers; in raw form they are the message's own.
	Body []byte
	// Algorithm is its JOSE name.
	Algorithm string
}

// Sign makes the FSPIOP-Signature of a message of an FSP ("Signature" v1.1, section 3.2). The body is signed in sorted form,
// which an empty Form means too, or raw. The signature covers the method, the URI from the resource on, and the headers
// FSPIOP-Source, which must be fsp, FSPIOP-Destination, FSPIOP-Encryption and Date as far as they are there and not empty.
//
// A message that cannot be signed is Invalid, Missing or TooLarge. For the faults of the key see Algorithm.Sign.
func Sign(rand io.Reader, s crypto.Signer, a Algorithm, fsp string, m *Message, form Form) (*Signed, error) {
	p, err := describe(a, fsp, m)
	if err != nil {
		return nil, err
	}
	header := p.appendJSON(make([]byte, 0, 256))
	if base64url.EncodedLen(len(header)) > maxProtected {
		return nil, fault.New(fault.TooLarge, "the headers to be signed are too long")
	}
	body, err := bodyToSign(m.Body, form)
	if err != nil {
		return nil, err
	}
	input, dot := signingInput(header, body)
	signature, err := a.Sign(rand, s, input)
	if err != nil {
		return nil, err
	}
	return &Signed{
		Headers: map[string]string{
			headerSignature: signatureHeader(signature, input[:dot]), headerURI: p.uri, headerMethod: p.method,
		},
		Body: body, Algorithm: a.Name(),
	}, nil
}

// protected is what the protected header of a message says.
type protected struct{ algorithm, uri, method, source, destination, encryption, date string }

// describe collects and checks what the signature will cover besides the body.
func describe(a Algorithm, fsp string, m *Message) (*protected, error) {
	headers, ok := foldNames(m.Headers)
	if !ok {
		return nil, fault.New(fault.Invalid, "two header names differ only in case")
	}
	p := &protected{
		algorithm: a.Name(), uri: serviceURI(m.URI), method: m.Method, source: headers[headerSource],
		destination: headers[headerDestination], encryption: headers[headerEncryption], date: headers[headerDate],
	}
	if err := checkRequestLine(p, m); err != nil {
		return nil, err
	}
	switch {
	case p.source == "":
		return nil, fault.New(fault.Missing, "the header fspiop-source is missing")
	case p.source != fsp:
		return nil, fault.New(fault.Invalid, "the header fspiop-source must name the signing FSP")
	}
	for _, value := range [...]string{p.source, p.destination, p.encryption, p.date} {
		// HTTP takes spaces off both ends of a value, and the receiver would compare what is left.
		if !printable(value) || strings.TrimSpace(value) != value {
			return nil, fault.New(fault.Invalid, "a header to be signed is not printable ASCII, or has spaces around it")
		}
	}
	return p, nil
}

func checkRequestLine(p *protected, m *Message) error {
	switch {
	case m.Method == "":
		return fault.New(fault.Missing, "the method is missing")
	case !token(m.Method):
		return fault.New(fault.Invalid, "the method must be an HTTP method in upper case")
	case m.URI == "":
		return fault.New(fault.Missing, "the uri is missing")
	case p.uri == "" || p.uri[0] != '/':
		return fault.New(fault.Invalid, "the uri must have a path that begins with /")
	case !visible(m.URI) || strings.Contains(m.URI, "#"):
		return fault.New(fault.Invalid, "the uri must be visible ASCII without a fragment")
	}
	return nil
}

// appendJSON appends the protected header in the order of the deployed libraries.
func (p *protected) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"`+memberAlgorithm+`":`...)
	dst = canon.AppendString(dst, p.algorithm)
	for _, m := range [...]struct{ name, text string }{
		{memberURI, p.uri},
		{memberMethod, p.method},
		{memberSource, p.source},
		{memberDestination, p.destination},
		{memberEncryption, p.encryption},
		{memberDate, p.date},
	} {
		if m.text == "" {
			continue
		}
		dst = append(append(append(dst, `,"`...), m.name...), `":`...)
		dst = canon.AppendString(dst, m.text)
	}
	return append(dst, '}')
}

// bodyToSign is the body in the form asked for.
func bodyToSign(body []byte, form Form) ([]byte, error) {
	if len(body) == 0 {
		return nil, fault.New(fault.Missing, "the body is missing; requests without one are not signed")
	}
	switch form {
	case FormRaw:
		return body, nil
	case FormSorted, "":
		return sortedBody(body)
	default:
		return nil, fault.New(fault.Invalid, "the form must be sorted or raw")
	}
}

func sortedBody(body []byte) ([]byte, error) {
	doc, err := canon.Parse(body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body is not JSON; mend it or use form raw").Because(err)
	}
	if err = doc.Ambiguous(); err != nil {
		return nil, fault.New(fault.Invalid, "readers may disagree on what the body says; mend it or use form raw").Because(err)
	}
	return doc.AppendSorted(nil), nil
}

// signingInput is the JWS Signing Input (RFC 7515, section 5.1, step 5) and where the dot in it is.
func signingInput(header, body []byte) (input []byte, dot int) {
	dot = base64url.EncodedLen(len(header))
	input = make([]byte, 0, dot+1+base64url.EncodedLen(len(body)))
	input = append(base64url.AppendEncode(input, header), '.')
	return base64url.AppendEncode(input, body), dot
}

// signatureHeader is the value of FSPIOP-Signature; none of its characters needs escaping.
func signatureHeader(signature, encodedHeader []byte) string {
	const opening, middle, closing = `{"signature":"`, `","protectedHeader":"`, `"}`
	size := len(opening) + base64url.EncodedLen(len(signature)) + len(middle) + len(encodedHeader) + len(closing)
	text := append(make([]byte, 0, size), opening...)
	text = append(base64url.AppendEncode(text, signature), middle...)
	return string(append(append(text, encodedHeader...), closing...))
}
