package fspiop

// Reason says in one word why a signature does not count. The words are part of the interface.
type Reason string

// The reasons.
const (
	ReasonSignatureMissing    Reason = "signature-missing"    // there is no FSPIOP-Signature
	ReasonSignatureMalformed  Reason = "signature-malformed"  // it cannot be read, or lacks a mandatory member
	ReasonAlgorithmRefused    Reason = "algorithm-refused"    // not allowed, not known, or not for any of the keys
	ReasonKeyUnknown          Reason = "key-unknown"          // there is no key to verify with
	ReasonKeyNotUsable        Reason = "key-not-usable"       // there is one, but not now; decided by the core
	ReasonURIMismatch         Reason = "uri-mismatch"         // FSPIOP-URI is not that of the request
	ReasonMethodMismatch      Reason = "method-mismatch"      // FSPIOP-HTTP-Method is not that of the request
	ReasonSourceMismatch      Reason = "source-mismatch"      // FSPIOP-Source is not that of the request or the FSP
	ReasonDestinationMismatch Reason = "destination-mismatch" // FSPIOP-Destination is not that of the request
	ReasonHeaderMismatch      Reason = "header-mismatch"      // another protected header is not that of the request
	ReasonEncryptionMismatch  Reason = "encryption-mismatch"  // FSPIOP-Encryption is not that of the request
	ReasonCritRefused         Reason = "crit-refused"         // it asks for an extension of JWS
	ReasonDateOutsideWindow   Reason = "date-outside-window"  // the signed Date is missing or too far from now
	ReasonReplayed            Reason = "replayed"             // it was seen before; decided by the core
	ReasonBodyAmbiguous       Reason = "body-ambiguous"       // the body has no canonical form to be trusted
	ReasonSignatureMismatch   Reason = "signature-mismatch"   // no key verifies it over any allowed form of the body
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{
		ReasonSignatureMissing, ReasonSignatureMalformed, ReasonAlgorithmRefused, ReasonKeyUnknown, ReasonKeyNotUsable,
		ReasonURIMismatch, ReasonMethodMismatch, ReasonSourceMismatch, ReasonDestinationMismatch, ReasonHeaderMismatch,
		ReasonEncryptionMismatch, ReasonCritRefused, ReasonDateOutsideWindow, ReasonReplayed, ReasonBodyAmbiguous,
		ReasonSignatureMismatch,
	}
}
