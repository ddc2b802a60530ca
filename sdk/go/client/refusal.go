package client

import (
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The trailers of a stream that a CPM refuses: the time to wait in milliseconds, and that it has answered all it has begun.
const (
	pushback    = "grpc-retry-pushback-ms"
	answered    = "cpm-answered"
	answeredAll = "all"
)

// busyCode is the Mojaloop error code of a CPM that is busy.
const busyCode = "2005"

// end is how a stream has ended.
type end struct {
	err error
	// trailer is that of a stream whose end has been received.
	trailer metadata.MD
}

// lost is the error of a call without an answer on a stream that has ended.
func (x end) lost(c *call) *Error {
	unsent, all := !c.sent.Load(), slices.Contains(x.trailer.Get(answered), answeredAll)
	if e := x.refused(); e != nil {
		e.unsent, e.unsure = unsent, !unsent && !all
		return e
	}
	// gRPC itself ends a stream with an answer that it cannot read, and that one was begun.
	unbegun := all && x.declined() != nil
	return &Error{
		Kind: Unavailable, Text: "the connection to the CPM was lost before the answer", cause: reason(x.err), unsent: unsent, unbegun: unbegun,
	}
}

// declined is the decline with which a CPM has ended the stream, or nil.
func (x end) declined() *Error {
	s, _ := status.FromError(x.err)
	for _, detail := range s.Details() {
		if m, ok := detail.(*cpmv1.Error); ok {
			return declined(m)
		}
	}
	return nil
}

// refused is the decline with which a CPM that is busy has ended the stream, or nil. gRPC itself says ResourceExhausted of an
// answer that is too long, without any of this.
func (x end) refused() *Error {
	s, ok := status.FromError(x.err)
	if !ok || s.Code() != codes.ResourceExhausted {
		return nil
	}
	e, pushed := x.declined(), x.trailer.Get(pushback)
	switch {
	case e == nil && len(pushed) > 0:
		e = &Error{Kind: Busy, Code: busyCode, Text: s.Message()}
	case e == nil || e.Kind != Busy:
		return nil
	}
	if e.RetryAfter == 0 && len(pushed) > 0 {
		e.RetryAfter = advice(pushed[0])
	}
	return e
}
