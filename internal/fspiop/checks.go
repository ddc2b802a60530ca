package fspiop

import (
	"errors"
	"net/http"
)

func (v *verification) readHeaders() (Reason, error) {
	headers, ok := foldNames(v.message.Headers)
	if !ok {
		return ReasonHeaderMismatch, errors.New("two header names differ only in case")
	}
	v.headers = headers
	return "", nil
}

func (v *verification) readSignature() (Reason, error) {
	header := v.headers[headerSignature]
	if header == "" {
		return ReasonSignatureMissing, errors.New("there is no FSPIOP-Signature")
	}
	var err error
	if v.encoded, v.signature, err = splitSignature(header); err != nil {
		return ReasonSignatureMalformed, err
	}
	if v.protected, err = parseHeader(v.encoded); err != nil {
		return ReasonSignatureMalformed, err
	}
	if !v.protected.complete() {
		return ReasonSignatureMalformed, errNoMandatory
	}
	return "", nil
}

func (v *verification) chooseAlgorithm() (Reason, error) {
	var ok bool
	if v.algorithm, ok = allowed(v.protected.text(memberAlgorithm), v.policy); !ok {
		return ReasonAlgorithmRefused, errors.New("the algorithm is not in the policy, or not in the registry")
	}
	v.verdict.Algorithm = v.algorithm.Name()
	return "", nil
}

func (v *verification) refuseExtensions() (Reason, error) {
	if v.protected.extended() {
		return ReasonCritRefused, errors.New("the protected header has crit or b64")
	}
	return "", nil
}

func (v *verification) compareSource() (Reason, error) {
	signed := v.protected.text(memberSource)
	if signed != v.fsp || !v.is(headerSource, signed) {
		return ReasonSourceMismatch, errors.New("signed source, header and FSP are not all equal")
	}
	return "", nil
}

func (v *verification) compareMethod() (Reason, error) {
	signed := v.protected.text(memberMethod)
	if signed != v.message.Method || !v.isIfPresent(headerMethod, signed) {
		return ReasonMethodMismatch, errors.New("the signed method is not that of the request")
	}
	return "", nil
}

func (v *verification) compareURI() (Reason, error) {
	signed := v.protected.text(memberURI)
	if !covers(signed, v.message.URI) || !v.isIfPresent(headerURI, signed) {
		return ReasonURIMismatch, errors.New("the signed URI is not that of the request")
	}
	return "", nil
}

func (v *verification) compareDestination() (Reason, error) {
	if v.policy.UnprotectedDestination && v.protected.find(memberDestination) == nil {
		return "", nil
	}
	if !v.pair(memberDestination, headerDestination) {
		return ReasonDestinationMismatch, errors.New("signed destination and header are not equal")
	}
	return "", nil
}

func (v *verification) compareEncryption() (Reason, error) {
	if !v.pair(memberEncryption, headerEncryption) {
		return ReasonEncryptionMismatch, errors.New("signed FSPIOP-Encryption and header are not equal")
	}
	return "", nil
}

// compareOthers holds every member nobody has looked at against the header of its name. Members that bring a key of their
// own, or say where to fetch one, are refused even if there is such a header: keys come from the FSP's record alone.
func (v *verification) compareOthers() (Reason, error) {
	for i := range v.protected {
		m := &v.protected[i]
		switch m.name {
		case memberAlgorithm, memberURI, memberMethod, memberSource, memberDestination, memberEncryption, "typ", "cty", "kid":
			continue
		}
		header := lower(m.name)
		switch header {
		case "jwk", "jku", "x5c", "x5u", "x5t", "x5t#s256":
			return ReasonHeaderMismatch, errors.New("the protected header names a key")
		}
		if !m.isText || !v.is(header, m.text) {
			return ReasonHeaderMismatch, errors.New("a signed header is not that of the request")
		}
	}
	return "", nil
}

// judgeDate looks at the signed Date, which is equal to the header by now.
func (v *verification) judgeDate() (Reason, error) {
	if v.policy.DateWindow <= 0 {
		return "", nil
	}
	date := v.protected.find(memberDate)
	if date == nil {
		return ReasonDateOutsideWindow, errors.New("the Date is not signed")
	}
	signed, err := http.ParseTime(date.text)
	if err != nil {
		return ReasonDateOutsideWindow, errors.New("the signed Date is no HTTP date")
	}
	if v.now.Sub(signed).Abs() > v.policy.DateWindow {
		return ReasonDateOutsideWindow, errors.New("the signed Date is too far from now")
	}
	return "", nil
}

// is says whether the request has a header, by its lower-case name, of this value.
func (v *verification) is(name, value string) bool {
	got, ok := v.headers[name]
	return ok && got == value
}

// isIfPresent says the same, and yes when the request has no such header.
func (v *verification) isIfPresent(name, value string) bool {
	got, ok := v.headers[name]
	return !ok || got == value
}

// pair says whether a member and a header are both absent, or both present and equal. An empty header counts as absent:
// the deployed libraries do not sign it.
func (v *verification) pair(memberName, headerName string) bool {
	header := v.headers[headerName]
	m := v.protected.find(memberName)
	if m == nil {
		return header == ""
	}
	return m.isText && m.text != "" && m.text == header
}
