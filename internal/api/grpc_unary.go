package api

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/fault"
)

// tapKey finds the tapped of a call in its context.
type tapKey struct{}

// tapped is what a handler can do about its call, which gRPC does not offer.
type tapped struct {
	// stop ends the reading of the call: nothing else interrupts a caller who announces a message and does not send it.
	stop context.CancelFunc
	// requests ends when accepted requests are waited for no longer.
	requests context.Context
	// arrival is what is on its way to the call, nil where nobody follows.
	arrival *arrival
}

// stoppable gives each call a context that its handler can end.
func stoppable(requests context.Context) tap.ServerInHandle {
	return func(ctx context.Context, i *tap.Info) (context.Context, error) {
		ctx, cancel := context.WithCancel(ctx)
		t := tapped{stop: cancel, requests: requests}
		if id, _ := identityOf(ctx); id.arrivals != nil {
			t.arrival = id.arrivals.begin(ctx, cancel, i.FullMethodName == cpmv1.CryptographicService_Stream_FullMethodName)
			if i.FullMethodName == cpmv1.CryptographicService_Batch_FullMethodName {
				t.arrival.isBatch()
			}
		}
		return context.WithValue(ctx, tapKey{}, t), nil
	}
}

// arrivalOf is what is on its way to a call. Its handler has to leave it.
func arrivalOf(call context.Context) *arrival {
	t, _ := call.Value(tapKey{}).(tapped)
	return t.arrival
}

// working is the context for what is done with a request of a call. It ends with the call, and when accepted requests are
// waited for no longer; the call itself goes on then, so that the decline can be sent.
func working(call context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(call)
	t, ok := call.Value(tapKey{}).(tapped)
	if !ok {
		return ctx, cancel
	}
	forget := context.AfterFunc(t.requests, cancel)
	return ctx, func() {
		forget()
		cancel()
	}
}

// rpc is a gRPC call with one request and one answer.
type rpc struct {
	inquiry
	door *Door
	ctx  context.Context
	in   frame
	// coming is what is on its way to the call, and then from it, nil where nobody follows.
	coming *arrival
	// kept is what is reserved of the request until there is an answer, and then for out.
	kept pledge
	out  sealed
}

// unary makes the handler of a method, of which serve is what it does with a request of at most so many bytes.
func (d *Door) unary(most int, serve func(*rpc) (proto.Message, *fault.Error)) grpc.MethodHandler {
	return func(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		x := &rpc{door: d, ctx: ctx, in: frame{most: most}, coming: arrivalOf(ctx)}
		defer func() { d.collection.after(x.in.decoded) }()
		defer x.in.free()
		defer x.coming.leave()
		id, e := identityOf(ctx)
		x.in.caller = admission.CallerOf(id.principal)
		x.kept = pledge{room: d.reading, caller: x.in.caller}
		x.inquiry = d.begin(GRPC, d.newID(), id.principal, id.pace)
		x.trace = traceOf(metadata.ValueFromIncomingContext(ctx, "traceparent"))
		_ = grpc.SetHeader(ctx, metadata.MD{"x-request-id": {x.id}})
		if e == nil {
			e = x.answer(receive, serve)
		}
		d.conclude(ctx, &x.inquiry, e)
		if e != nil {
			_ = grpc.SetTrailer(ctx, adviceOf(e))
			return nil, statusOf(e, x.id)
		}
		return &x.out, nil
	}
}

// answer makes the answer. It keeps the call open, and its bytes reserved, until they have been written.
func (x *rpc) answer(receive func(any) error, serve func(*rpc) (proto.Message, *fault.Error)) (e *fault.Error) {
	if e = x.door.openCall(x.in.caller); e != nil {
		return e
	}
	if !x.coming.opens() {
		defer x.door.calls.Leave(x.in.caller)
	}
	if e = x.door.admit(x.ctx, &x.inquiry); e != nil {
		return e
	}
	defer x.place.Leave()
	if e = x.receive(receive); e != nil {
		return e
	}
	if !x.door.gate.enter(GRPC) {
		return shuttingDown()
	}
	defer x.door.gate.leave(GRPC)
	ctx, done := working(x.ctx)
	defer done()
	x.ctx = ctx
	defer func() {
		if v := recover(); v != nil {
			e = x.door.panicked(x.ctx, x.id, v)
		}
	}()
	defer func() { x.kept.give() }()
	out, e := serve(x)
	if e != nil {
		return e
	}
	return x.seal(out)
}

// seal encodes the answer and reserves its bytes, in the place of those of the request.
func (x *rpc) seal(m proto.Message) *fault.Error {
	data, err := seal(m, x.door.buffers)
	if err != nil {
		return x.door.explain(x.ctx, &x.inquiry, err)
	}
	x.kept.cover(data)
	x.out.data = data
	x.coming.owe(data, &x.kept)
	return nil
}

// openCall takes one of the calls that may be open, which has to leave.
func (d *Door) openCall(c admission.Caller) *fault.Error {
	if !d.calls.Enter(c) {
		return admission.Decline(admission.Calls, time.Second, "too many calls at once, try again")
	}
	return nil
}

// receive waits for the request, as long as a caller may need to send it. When it fails, gRPC has answered already.
func (x *rpc) receive(receive func(any) error) *fault.Error {
	if t, ok := x.ctx.Value(tapKey{}).(tapped); ok {
		timer := time.AfterFunc(x.door.limits.ReadTimeout, t.stop)
		defer timer.Stop()
	}
	if e := x.coming.await(); e != nil {
		return e
	}
	if err := receive(&x.in); err != nil {
		if e := x.coming.refusal(); e != nil {
			return e
		}
		return notReceived(err)
	}
	x.in.pledge = x.coming.claim(x.in.length)
	x.arrival = x.door.now()
	return nil
}

// notReceived is the decline of a request that gRPC refused or that did not come.
func notReceived(err error) *fault.Error {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return fault.New(fault.TooLarge, "the message is too large").Because(err)
	case codes.Canceled, codes.DeadlineExceeded:
		return fault.New(fault.Timeout, "the request did not arrive in time").Because(err)
	default:
		return fault.New(fault.Invalid, "the request cannot be read").Because(err)
	}
}

func (d *Door) unaryProcess(x *rpc) (proto.Message, *fault.Error) {
	var in cpmv1.ProcessRequest
	if e := d.decode(&x.in, d.limits.Message, d.shapes.processRequest, &in); e != nil {
		return nil, e
	}
	out, e := d.processEnvelope(x.ctx, &x.inquiry, &in)
	if e != nil {
		return nil, e
	}
	return out, nil
}

// unaryBatch keeps the bytes of a batch reserved until there is an answer: those of an item are among the bytes in process only
// while it has its turn.
func (d *Door) unaryBatch(x *rpc) (proto.Message, *fault.Error) {
	if e := d.reserve(&x.in, d.limits.Batch, true); e != nil {
		return nil, e
	}
	x.kept, x.in.pledge = x.in.pledge, pledge{}
	var in cpmv1.BatchRequest
	if e := d.parse(&x.in, d.shapes.batchRequest, &in); e != nil {
		return nil, e
	}
	out := newMessages(len(in.GetItems()))
	if e := d.batch(x.ctx, &x.inquiry, in.GetItems(), out); e != nil {
		return nil, e
	}
	return out.BatchResponse, nil
}

// decode bounds and decodes a frame and gives its memory back.
func (d *Door) decode(f *frame, most int, s *shape, m proto.Message) *fault.Error {
	defer f.free()
	if e := d.reserve(f, most, false); e != nil {
		return e
	}
	return d.parse(f, s, m)
}

// reserve bounds a frame, and reserves its bytes if that was not done while it came.
func (d *Door) reserve(f *frame, most int, batch bool) *fault.Error {
	size := len(f.bytes())
	if max(size, f.length) > most {
		return tooLarge("the request has more than %d bytes", most)
	}
	if f.pledge.n > 0 {
		return nil
	}
	var ok bool
	if f.pledge, ok = reserve(d.reading, f.caller, size, batch, small); !ok {
		return tooMuchRead()
	}
	return nil
}

// parse decodes a frame that is small enough and gives its memory back.
func (d *Door) parse(f *frame, s *shape, m proto.Message) *fault.Error {
	defer f.free()
	if e := s.check(f.bytes()); e != nil {
		return e
	}
	f.decoded = len(f.bytes())
	if err := proto.Unmarshal(f.bytes(), m); err != nil {
		return fault.New(fault.Invalid, "the message is not one of cpm.v1").Because(errWire)
	}
	return nil
}

// statusOf is a decline as gRPC shows it: the code of its kind, the public text, and the Mojaloop error as a detail.
func statusOf(e *fault.Error, id string) error {
	s := status.New(e.Kind.Code().GRPC, e.Public)
	if detailed, err := s.WithDetails(protoadapt.MessageV1Of(e.Message(id))); err == nil {
		s = detailed
	}
	return s.Err()
}

// adviceOf says in a trailer when to try again: in seconds, as HTTP has it, and in milliseconds under the name that gRPC's
// own retries look for (gRFC A6). It is nil when that is not known.
func adviceOf(e *fault.Error) metadata.MD {
	if e.RetryAfter <= 0 {
		return nil
	}
	return metadata.MD{
		"retry-after":            {retryAfter(e)},
		"grpc-retry-pushback-ms": {strconv.FormatInt(e.RetryAfter.Milliseconds(), 10)},
	}
}

// unknownMethod declines calls of methods and services that do not exist; gRPC's own decline would echo the name.
func (d *Door) unknownMethod(_ any, s grpc.ServerStream) error {
	defer arrivalOf(s.Context()).leave()
	id, _ := identityOf(s.Context())
	q := d.begin(GRPC, d.newID(), id.principal, id.pace)
	e := fault.New(fault.Unsupported, "no such method")
	d.conclude(s.Context(), &q, e)
	return statusOf(e, q.id)
}
