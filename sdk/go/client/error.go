package client

import (
	"context"
	"errors"
	"strconv"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// Kind classifies an Error. It is an error itself, so that errors.Is(err, client.Busy) works.
type Kind string

// The kinds a CPM declines with (docs/errors.md).
const (
	Invalid          Kind = "invalid"
	Missing          Kind = "missing"
	TooLarge         Kind = "too-large"
	Unauthenticated  Kind = "unauthenticated"
	Denied           Kind = "denied"
	NotFound         Kind = "not-found"
	Conflict         Kind = "conflict"
	State            Kind = "state"
	NotRouted        Kind = "not-routed"
	Unsupported      Kind = "unsupported"
	Refused          Kind = "refused"
	Device           Kind = "device"
	Busy             Kind = "busy"
	Unavailable      Kind = "unavailable"
	Sealed           Kind = "sealed"
	AuditUnavailable Kind = "audit-unavailable"
	Timeout          Kind = "timeout"
	OutcomeUnknown   Kind = "outcome-unknown"
	Internal         Kind = "internal"
)

// The kinds that only the client knows.
const (
	// Canceled is a call whose context was canceled.
	Canceled Kind = "canceled"
	// Closed is a call of a Client that was closed.
	Closed Kind = "closed"
	// Broken is an answer that is none: the other end does not speak this protocol.
	Broken Kind = "broken"
)

// Error makes a Kind usable with errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is why a call has no result.
type Error struct {
	Kind Kind
	// Code is the Mojaloop error code, four digits; empty if no CPM has said this.
	Code string
	// Text says what, why and what to do next.
	Text string
	// RequestID is the id under which the CPM's log knows the request; empty if no CPM has said this.
	RequestID string
	// RetryAfter is how long to wait before another attempt; 0 is not known.
	RetryAfter time.Duration

	cause error
	// unsent says that no CPM can have begun with the request.
	unsent bool
	// unsure says that a CPM that is Busy may have begun with it all the same.
	unsure bool
	// unbegun says that the CPM which ended the connection says that it has not begun with the request.
	unbegun bool
	// final says that it was tried for long enough.
	final bool
}

// Error is the text for a log.
func (e *Error) Error() string {
	text := "cpm: " + string(e.Kind) + ": " + e.Text
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap lets errors.Is find the kind and the cause, such as context.DeadlineExceeded.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// mostAdvice bounds how long a CPM may make a client wait.
const mostAdvice = time.Minute

// declined is the Error of a decline.
func declined(m *cpmv1.Error) *Error {
	i := m.GetErrorInformation()
	e := &Error{Kind: Internal, Code: i.GetErrorCode(), Text: i.GetErrorDescription(), RequestID: m.GetRequestId()}
	for _, x := range i.GetExtensionList().GetExtension() {
		switch x.GetKey() {
		case "kind":
			e.Kind = Kind(x.GetValue())
		case "retryAfterMs":
			e.RetryAfter = advice(x.GetValue())
		}
	}
	return e
}

// advice is the time a CPM says to wait, in milliseconds; 0 if it says none.
func advice(text string) time.Duration {
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(ms)*time.Millisecond, mostAdvice)
}

// ended is the Error of a call whose context has ended.
func ended(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	e := &Error{Kind: Canceled, Text: "the call's context was canceled", cause: cause}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind, e.Text = Timeout, "the call's deadline has passed"
	}
	return e
}

func newError(k Kind, text string, cause error) *Error {
	return &Error{Kind: k, Text: text, cause: cause}
}
