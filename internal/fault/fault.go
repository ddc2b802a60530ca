// Package fault has the error kinds of the CPM and the one table that says how each door shows them.
//
// An Error has two texts: Public is written on purpose for the caller and never holds input, key names the caller did
// not give, or another component's words; the cause stays here, for the log. Whatever is not an Error is Internal.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Error is a decline: its kind decides every code shown to a caller.
type Error struct {
	Kind Kind
	// Public is the text for the caller: what, why, what to do next.
	Public string
	// RetryAfter is how long the caller should wait before it tries again; 0 is unknown.
	RetryAfter time.Duration

	cause error
}

// New makes an Error of a kind. The format and its arguments become public text: give no input and no secrets.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Public: fmt.Sprintf(format, args...)}
}

// Because attaches the cause, which is logged and never sent.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Cause is what Because attached; nil if nothing was.
func (e *Error) Cause() error { return e.cause }

// After attaches when to try again.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error is the text for the log: kind, public text and cause.
func (e *Error) Error() string {
	text := e.Kind.String() + ": " + e.Public
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap lets errors.Is find both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// From finds the Error in err's chain; any other error becomes an Internal one with a constant public text.
// From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(Internal, "internal error, see the log under the request id").Because(err)
}
