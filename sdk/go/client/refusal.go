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

// lost is the error of a call without an answer on a stream that has ended.
func (s *stream) lost(c *call, end error) *Error {
	trailer := s.grpc.Trailer()
	if e := refused(end, trailer); e != nil {
		e.unsent = !c.sent.Load()
		e.unsure = !e.unsent && !slices.Contains(trailer.Get(answered), answeredAll)
		return e
	}
	return &Error{
		Kind: Unavailable, Text: "the connection to the CPM was lost before the answer", cause: reason(end), unsent: !c.sent.Load(),
	}
}

// refused is the decline with which a CPM that is busy has ended a stream, or nil. gRPC itself says ResourceExhausted of an
// answer that is too long, without any of this.
func refused(end error, trailer metadata.MD) *Error {
	s, ok := status.FromError(end)
	if !ok || s.Code() != codes.ResourceExhausted {
		return nil
	}
	var e *Error
	for _, detail := range s.Details() {
		if m, ok := detail.(*cpmv1.Error); ok {
			e = declined(m)
		}
	}
	pushed := trailer.Get(pushback)
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
