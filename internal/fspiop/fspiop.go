// Package fspiop signs FSPIOP messages and verifies them: the FSPIOP-Signature header is a JSON Web Signature (RFC 7515)
// whose payload, the HTTP body, travels beside it (Mojaloop, "Signature" v1.1, sections 3.1 to 3.3).
//
// Signing covers exactly the bytes it gives back. Verifying is as tolerant as the deployed libraries need and no more: the
// body may have been serialised again on its way, so besides the bytes received two canonical forms are tried; everything
// else must be as the signature says, including what those libraries do not look at.
//
// A signature that does not verify is a Verdict with a Reason, never an error. Nothing of a message gets into a Reason, an
// error's public text or a Verdict's Cause.
//
// The files named jwe have the encryption of fields: the FSPIOP-Encryption header with the elements, the body with the
// ciphertexts (Mojaloop, "Encryption" v1.1). What it refuses by cryptography or policy is one fault with one text.
//
// The files named ilp have the packet, the condition and the fulfilment of transfers.
package fspiop

// Message is an HTTP request, the only kind of message FSPIOP signs.
type Message struct {
	// Method is that of the request line.
	Method string
	// URI is path and query of the request line; scheme and host may stand before them.
	URI string
	// Headers are the header fields, names in any case.
	Headers map[string]string
	// Body is the exact body. It is read, never changed.
	Body []byte
}

// Form is the text of a body that a signature covers.
type Form string

// The forms, in the order in which verification tries them.
const (
	// FormRaw is the bytes as they are, which is what the specification signs.
	FormRaw Form = "raw"
	// FormSorted is canonical JSON with sorted members (RFC 8785). Every deployed library accepts it.
	FormSorted Form = "sorted"
	// FormLegacy is canonical JSON with members in ECMAScript property order, which libraries of before April 2026 make of a
	// parsed body.
	FormLegacy Form = "legacy"
)

// The HTTP header fields of a signature, in the lower case of HTTP/2.
const (
	headerSignature   = "fspiop-signature"
	headerURI         = "fspiop-uri"
	headerMethod      = "fspiop-http-method"
	headerSource      = "fspiop-source"
	headerDestination = "fspiop-destination"
	headerEncryption  = "fspiop-encryption"
	headerDate        = "date"
)

// The members of the protected header. Their case is part of the name (RFC 7515, section 4).
const (
	memberAlgorithm   = "alg"
	memberURI         = "FSPIOP-URI"
	memberMethod      = "FSPIOP-HTTP-Method"
	memberSource      = "FSPIOP-Source"
	memberDestination = "FSPIOP-Destination"
	memberEncryption  = "FSPIOP-Encryption"
	memberDate        = "Date"
)
