package fault

import (
	"strconv"
	"unicode/utf8"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// Lengths of FSPIOP's errorInformation (API Definition v1.1, sections 7.4.2 and 7.4.4).
const (
	maxDescription = 128
	maxExtension   = 128
)

// InvalidSignature is the FSPIOP code of every verification that failed.
const InvalidSignature = "3105"

// Message is the body every door answers e with.
func (e *Error) Message(requestID string) *cpmv1.Error {
	return &cpmv1.Error{ErrorInformation: e.Information(), RequestId: requestID}
}

// Information is e as FSPIOP's errorInformation; extensionList carries the kind, and in milliseconds when to try again if
// that is known: items of batches and streams have no header that could say so.
func (e *Error) Information() *cpmv1.ErrorInformation {
	c := e.Kind.Code()
	i := information(c.FSPIOP, c.Title, e.Public, "kind", c.Name)
	if e.RetryAfter > 0 {
		i.ExtensionList.Extension = append(i.ExtensionList.Extension, &cpmv1.Extension{
			Key: "retryAfterMs", Value: strconv.FormatInt(e.RetryAfter.Milliseconds(), 10),
		})
	}
	return i
}

// SignatureInformation is the 3105 answer for a reason word of the verification.
func SignatureInformation(reason string) *cpmv1.ErrorInformation {
	return information(InvalidSignature, "Invalid signature", reason, "reason", reason)
}

func information(code, title, text, key, value string) *cpmv1.ErrorInformation {
	if text != "" {
		title += " - " + text
	}
	return &cpmv1.ErrorInformation{
		ErrorCode:        code,
		ErrorDescription: clip(title, maxDescription),
		ExtensionList: &cpmv1.ExtensionList{Extension: []*cpmv1.Extension{
			{Key: key, Value: clip(value, maxExtension)},
		}},
	}
}

// clip cuts s to at most n bytes without cutting a character in two.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
