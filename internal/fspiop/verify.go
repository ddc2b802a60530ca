package fspiop

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
)

// Verdict is what a verification found.
type Verdict struct {
	Valid bool
	// Reason is why the signature does not count; empty when it does.
	Reason Reason
	// Form is the form of the body the signature covers, when Valid. In another form than raw it covers the meaning of the
	// body received, not its bytes.
	Form Form
	// Algorithm is the JOSE name of the signature's algorithm, as soon as it was found to be allowed.
	Algorithm string
	// Key is the index of the key that verifies the signature, or -1.
	Key int
	// SigningInput is the SHA-256 of the signing input that verified, when Valid.
	SigningInput []byte
	// Cause says more of the Reason, for the log only.
	Cause error
}

// Verify judges the FSPIOP-Signature of a message of an FSP ("Signature" v1.1, section 3.3) under a policy, nil being
// DefaultPolicy, at a time. The keys are those of the FSP that may be used now; they are tried in their order.
//
// The checks run in this order, and the first that fails gives the Reason:
//
//  1. header-mismatch: two header names differ only in case, so that no later check knows which one is meant;
//  2. signature-missing: no FSPIOP-Signature, or an empty one;
//  3. signature-malformed: it is over 64 KiB, not a JSON object of exactly the strings signature and protectedHeader, one of
//     these is not strict base64url, or the protected header is not a JSON object (UTF-8, at most 64 deep), has two members
//     of one name in any case, more than 64 members, text readers may disagree on, no string alg, or no non-empty string
//     FSPIOP-URI, FSPIOP-HTTP-Method and FSPIOP-Source;
//  4. algorithm-refused: alg is not in the policy or not in the registry;
//  5. crit-refused: there is a member crit or b64;
//  6. source-mismatch: FSPIOP-Source, the header of that name and fsp are not all equal;
//  7. method-mismatch: FSPIOP-HTTP-Method is not the method, or not the header of that name when there is one;
//  8. uri-mismatch: FSPIOP-URI is neither path and query of the request nor their end from a resource on, or not the header
//     of that name when there is one;
//  9. destination-mismatch: FSPIOP-Destination and the header of that name are not both absent or both present and equal; an
//     empty header counts as absent, and the policy may accept a header that is not signed;
//  10. encryption-mismatch: the same of FSPIOP-Encryption, without exception;
//  11. header-mismatch: any other member but typ, cty and kid is not a string equal to the header of its name, or names a key;
//  12. date-outside-window: the policy has a window, and Date is not signed, no HTTP date, or too far from now either way;
//  13. key-unknown: there are no keys;
//  14. algorithm-refused: no key fits alg, or may be used with it;
//  15. body-ambiguous: the body as received does not verify, another form is allowed, and the body is JSON with duplicate
//     members, numbers that change as IEEE 754 doubles or half surrogate pairs, so that its canonical forms may say another
//     thing than the reader of the bytes will see;
//  16. signature-mismatch: no key verifies the signature over any allowed form of the body.
//
// What the body says, exp or nbf for example, has no meaning here. An empty body is tried as it is and has no other form.
func Verify(keys []Key, fsp string, m *Message, p *cpm.Policy, now time.Time) Verdict {
	if p == nil {
		p = DefaultPolicy()
	}
	v := verification{keys: keys, fsp: fsp, message: m, policy: p, now: now, verdict: Verdict{Key: -1}}
	for _, check := range checks {
		if reason, cause := check(&v); reason != "" {
			v.verdict.Reason, v.verdict.Cause = reason, cause
			return v.verdict
		}
	}
	v.verdict.Valid = true
	return v.verdict
}

// checks are the steps of a verification in the order of the documentation of Verify. Each finds what later ones need.
var checks = [...]func(*verification) (Reason, error){
	(*verification).readHeaders,
	(*verification).readSignature,
	(*verification).chooseAlgorithm,
	(*verification).refuseExtensions,
	(*verification).compareSource,
	(*verification).compareMethod,
	(*verification).compareURI,
	(*verification).compareDestination,
	(*verification).compareEncryption,
	(*verification).compareOthers,
	(*verification).judgeDate,
	(*verification).chooseKeys,
	(*verification).tryForms,
}

// verification is one run of the checks.
type verification struct {
	keys    []Key
	fsp     string
	message *Message
	policy  *cpm.Policy
	now     time.Time

	headers   map[string]string // by lower-case name
	encoded   string            // the protected header as it was signed
	protected joseHeader
	signature []byte
	algorithm Algorithm
	usable    []int    // indices of the keys the algorithm fits
	tried     [][]byte // forms of the body that did not verify
	input     []byte   // signing input of the form tried last

	verdict Verdict
}

// chooseKeys comes after everything that costs less than a signature.
func (v *verification) chooseKeys() (Reason, error) {
	if len(v.keys) == 0 {
		return ReasonKeyUnknown, errors.New("there is no key to verify with")
	}
	if v.usable = usable(v.keys, v.algorithm); len(v.usable) == 0 {
		return ReasonAlgorithmRefused, errors.New("the algorithm is not for any of the keys")
	}
	return "", nil
}

// tryForms looks for the form of the body that was signed. The other forms are made only when the one before did not
// verify, and only of a body that says the same to every reader.
func (v *verification) tryForms() (Reason, error) {
	body, p := v.message.Body, v.policy
	if p.Raw && v.try(FormRaw, body) {
		return "", nil
	}
	mismatch := errors.New("no key verifies the signature over any allowed form of the body")
	if len(body) == 0 || !p.Sorted && !p.Legacy {
		return ReasonSignatureMismatch, mismatch
	}
	doc, err := canon.Parse(body)
	if err != nil {
		return ReasonSignatureMismatch, err
	}
	if err = doc.Ambiguous(); err != nil {
		return ReasonBodyAmbiguous, err
	}
	if p.Sorted && v.try(FormSorted, doc.AppendSorted(nil)) || p.Legacy && v.try(FormLegacy, doc.AppendLegacy(nil)) {
		return "", nil
	}
	return ReasonSignatureMismatch, mismatch
}

// try says whether a key verifies the signature over text. A text that was tried before is not tried again.
func (v *verification) try(form Form, text []byte) bool {
	for _, before := range v.tried {
		if bytes.Equal(before, text) {
			return false
		}
	}
	v.tried = append(v.tried, text)
	v.input = slices.Grow(v.input[:0], len(v.encoded)+1+base64url.EncodedLen(len(text)))
	v.input = append(append(v.input, v.encoded...), '.')
	v.input = base64url.AppendEncode(v.input, text)
	digest := v.algorithm.digest(v.input)
	for _, i := range v.usable {
		if v.algorithm.scheme.verify(v.keys[i].Public, digest, v.signature) {
			sum := sha256.Sum256(v.input)
			v.verdict.Form, v.verdict.Key, v.verdict.SigningInput = form, i, sum[:]
			return true
		}
	}
	return false
}
