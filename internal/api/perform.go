package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// inquiry is one request on its way through a port.
type inquiry struct {
	port    Port
	id      string
	caller  cpm.Principal
	trace   cpm.TraceParent
	arrival time.Time
	// operation is nil until it is known.
	operation *operation
	// logged says that a decline, if there is one, has been logged; counted that Metrics heard of the answer.
	logged, counted bool
	// place is what the request takes of what its caller may have under way.
	place *admission.Place
	// pace is that of the connection it came on; price is what a decline as busy costs there.
	pace  *pace
	price time.Duration
}

// begin makes the inquiry of a request that arrives now.
func (d *Door) begin(p Port, id string, caller cpm.Principal, on *pace) inquiry {
	return inquiry{port: p, id: id, caller: caller, arrival: d.now(), pace: on, price: priceOf(p)}
}

// admit lets a request in whose caller is known, or declines it. Who is let in has to leave the place.
func (d *Door) admit(ctx context.Context, q *inquiry) *fault.Error {
	var e *fault.Error
	if q.place, e = d.admission.Admit(ctx, q.caller); e != nil {
		q.logged = true
	}
	return e
}

// process performs one operation. It is the only way from either port to the Processor.
func (d *Door) process(ctx context.Context, q *inquiry, fsp cpm.FSP, m proto.Message) (proto.Message, *fault.Error) {
	size, e := d.limits.inspect(m)
	if e == nil && !fsp.Valid() {
		e = fault.New(fault.Invalid, "the name of the FSP cannot be one")
	}
	if e != nil {
		return nil, e
	}
	// From here on the Processor logs its own declines.
	q.logged = true
	result, err := d.call(ctx, &cpm.Request{
		ID: q.id, FSP: fsp, Operation: q.operation.Operation, Caller: q.caller, Trace: q.trace,
		Arrival: q.arrival, Size: size, Payload: cpm.Payload{Message: m},
	})
	if err != nil {
		return nil, d.explain(ctx, q, err)
	}
	return d.unwrap(ctx, q, result)
}

// call calls the Processor and makes an error of a panic, so that one request cannot end the others.
func (d *Door) call(ctx context.Context, r *cpm.Request) (result *cpm.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, d.panicked(ctx, r.ID, v)
		}
	}()
	return d.processor.Process(ctx, r)
}

// panicked logs a recovered panic and gives its decline. A value that is not the run time's own may hold input, so that
// only its type is logged, and the stack, which has addresses only.
func (d *Door) panicked(ctx context.Context, id string, v any) *fault.Error {
	what := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	d.log.LogAttrs(ctx, slog.LevelError, "panic in a request", obs.Event("port.panic"),
		slog.String("requestId", id), slog.String("panic", what), slog.String("stack", string(debug.Stack())))
	return fault.From(errors.New("panic"))
}

// explain gives the decline of the Processor's error. Declines made on purpose were logged where they were made.
func (d *Door) explain(ctx context.Context, q *inquiry, err error) *fault.Error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	d.log.LogAttrs(ctx, slog.LevelError, "operation failed", obs.Event("port.failed-operation"), slog.String("requestId", q.id), slog.String("error", err.Error()))
	return fault.From(err)
}

// unwrap gives the result's message, which must be the operation's.
func (d *Door) unwrap(ctx context.Context, q *inquiry, r *cpm.Result) (proto.Message, *fault.Error) {
	if r == nil {
		return nil, d.explain(ctx, q, errors.New("neither result nor error"))
	}
	fresh := q.operation.NewResponse()
	m, err := cpm.Decode(r.Payload, fresh)
	if err != nil || m.ProtoReflect().Descriptor() != fresh.ProtoReflect().Descriptor() {
		return nil, d.explain(ctx, q, errors.New("the result is not of the operation"))
	}
	return m, nil
}

// conclude logs a decline that nobody else can know of and tells Metrics, each once; e is nil for a result. An answer that cannot be
// counted is one all the same.
func (d *Door) conclude(ctx context.Context, q *inquiry, e *fault.Error) {
	defer func() {
		if v := recover(); v != nil {
			_ = d.panicked(ctx, q.id, v)
		}
	}()
	if e != nil && !q.logged {
		q.logged = true
		d.logDecline(ctx, q, e)
	}
	if q.counted {
		return
	}
	q.counted = true
	a := Answer{Port: q.port, Took: d.now().Sub(q.arrival)}
	if q.operation != nil {
		a.Operation = q.operation.Operation
	}
	if e != nil {
		a.Declined, a.Kind = true, e.Kind
		if e.Kind == fault.Busy {
			d.charge(ctx, q, e)
		}
	}
	d.metrics.Answered(a)
}

// worthALine is how long a caller has to pay for that to be said: by then the callers behind it notice.
const worthALine = time.Second

// charge makes the connection pay for a decline as busy. Once a second it says who is kept from being read for long.
func (d *Door) charge(ctx context.Context, q *inquiry, e *fault.Error) {
	why := admission.ReasonOf(e)
	if ofTheDoor(why) {
		return
	}
	pays := q.pace.declined(q.price, aboutFSP(why))
	if pays < worthALine {
		return
	}
	skipped, ok := d.sampler.Pass("paused")
	if !ok {
		return
	}
	d.log.LogAttrs(ctx, slog.LevelWarn, "the connections of a caller are not read for a while, because it asks for too much", obs.Event("port.paused"),
		slog.String("port", string(q.port)), slog.String("caller", callerName(q.caller)), slog.String("address", q.caller.Address),
		obs.Duration(pays), skippedLines(skipped))
}

// aboutFSP says that a limit of the FSP was the reason, which the caller may have met with one of many it asks for.
func aboutFSP(r admission.Reason) bool { return r == admission.FSPRate || r == admission.FSPMany }

// ofTheDoor says that what all callers share at the door was the reason, which may be others' doing.
func ofTheDoor(r admission.Reason) bool { return r == admission.Reading || r == admission.Calls }

// logDecline logs of those who ask for too much one in a second.
func (d *Door) logDecline(ctx context.Context, q *inquiry, e *fault.Error) {
	var skipped uint64
	if e.Kind == fault.Busy {
		var ok bool
		if skipped, ok = d.sampler.Pass(e.Public); !ok {
			return
		}
	}
	d.log.LogAttrs(ctx, slog.LevelWarn, "request declined at the port", obs.Event("port.declined"),
		slog.String("requestId", q.id), slog.String("port", string(q.port)), slog.String("kind", e.Kind.String()),
		slog.String("caller", callerName(q.caller)), slog.String("address", q.caller.Address),
		slog.String("error", e.Error()), obs.TraceID(q.trace.ID()), skippedLines(skipped))
}

// skippedLines says how many lines like this one were not written; no attribute for none.
func skippedLines(n uint64) slog.Attr {
	if n == 0 {
		return slog.Attr{}
	}
	return slog.Uint64("skipped", n)
}

// traceOf takes the values of the header traceparent; two of them are none.
func traceOf(values []string) cpm.TraceParent {
	if len(values) != 1 {
		return ""
	}
	return cpm.ParseTraceParent(values[0])
}

// callerName is a caller as the log has it, also one that is not known.
func callerName(p cpm.Principal) string {
	if p.Kind == "" {
		return "unknown"
	}
	return p.String()
}
