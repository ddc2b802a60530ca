package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// spare is the time between two lookings for goroutines of a stream that wait for a request, which are let go. It is long
// enough for a busy stream not to feel that they are made anew, and short enough for streams that were busy once not to add up.
const spare = 10 * time.Second

// session is one stream of requests and answers. One goroutine reads; others answer, each one request at a time, and also
// send the answer: gRPC gathers what several send into one write.
type session struct {
	door   *Door
	stream grpc.ServerStream
	ctx    context.Context
	work   context.Context // of what is done with the requests
	id     string
	caller cpm.Principal
	pace   *pace
	coming *arrival
	trace  cpm.TraceParent
	// window has one entry for each request under way; when it is full the stream is not read, and the caller's sending
	// stops by flow control.
	window    chan struct{}
	answering sync.WaitGroup
	// jobs go to the goroutines that answer; workers has one entry for each of them.
	jobs    chan *frame
	workers chan struct{}

	sending  sync.Mutex  // held while an answer is sent
	patience forbearance // with who does not read it

	state  sync.Mutex // guards what follows
	closed bool
	ids    map[uint64]struct{}
}

func (d *Door) session(stream grpc.ServerStream) *session {
	s := &session{
		door: d, stream: stream, ctx: stream.Context(), id: d.newID(), coming: arrivalOf(stream.Context()),
		trace:  traceOf(metadata.ValueFromIncomingContext(stream.Context(), "traceparent")),
		window: make(chan struct{}, d.limits.StreamWindow), ids: map[uint64]struct{}{},
		jobs: make(chan *frame), workers: make(chan struct{}, d.limits.StreamWindow),
	}
	s.patience.coming, s.patience.within, s.patience.over = s.coming, d.limits.WriteTimeout, s.abandon
	return s
}

// stream serves one stream until the caller ends it or the port closes.
func (d *Door) stream(_ any, stream grpc.ServerStream) error {
	s := d.session(stream)
	defer s.coming.leave()
	var done context.CancelFunc
	s.work, done = working(s.ctx)
	defer done()
	_ = stream.SetHeader(metadata.MD{"x-request-id": {s.id}})
	id, e := identityOf(s.ctx)
	s.caller, s.pace = id.principal, id.pace
	if e == nil {
		e = d.openCall(admission.CallerOf(s.caller))
	}
	if e != nil {
		s.answeredAll()
		return s.refuse(e)
	}
	if !s.coming.opens() {
		defer d.calls.Leave(admission.CallerOf(s.caller))
	}
	return s.run()
}

// run reads until the caller has no more or the port closes, and waits for the answers.
func (s *session) run() error {
	ended := make(chan error, 1)
	s.door.sessions.Go(func() { ended <- s.read() })
	tick := time.NewTicker(spare)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			s.answering.Wait()
			return err
		case <-s.door.closing:
			s.close()
			s.answering.Wait()
			s.answeredAll()
			return statusOf(shuttingDown(), s.id)
		case <-s.coming.refusing():
			s.close()
			s.settle()
			return s.refuse(s.coming.refusal())
		case <-tick.C:
			s.thin()
		}
	}
}

// settle waits, when nothing more is read, until what was begun is answered, and tells the caller so. The call ends without that
// when it takes too long, and when more comes meanwhile than gRPC may hold beside what is reserved.
func (s *session) settle() {
	done := make(chan struct{})
	s.door.sessions.Go(func() {
		s.answering.Wait()
		close(done)
	})
	patience := time.NewTimer(s.door.limits.WriteTimeout)
	defer patience.Stop()
	select {
	case <-done:
		s.answeredAll()
	case <-s.coming.flooding():
	case <-patience.C:
	case <-s.ctx.Done():
	}
}

// answeredAll says in the trailer that nothing else was begun than what is answered, so that all else may be sent again; not
// when an answer was given up, which ends the call's context.
func (s *session) answeredAll() {
	if s.ctx.Err() == nil {
		s.stream.SetTrailer(metadata.MD{"cpm-answered": {"all"}})
	}
}

// thin lets the goroutines go that wait for a request, so that a stream that is kept open keeps no more than it uses.
func (s *session) thin() {
	for {
		select {
		case s.jobs <- nil:
		default:
			return
		}
	}
}

// refuse declines the stream as a whole.
func (s *session) refuse(e *fault.Error) error {
	q := s.door.begin(GRPC, s.id, s.caller, s.pace)
	s.door.conclude(s.ctx, &q, e)
	s.stream.SetTrailer(adviceOf(e))
	return statusOf(e, s.id)
}

// read takes requests until the caller has no more.
func (s *session) read() error {
	caller := admission.CallerOf(s.caller)
	for {
		select {
		case s.window <- struct{}{}:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		f := &frame{caller: caller}
		s.coming.turned()
		s.coming.next()
		err := s.stream.RecvMsg(f)
		s.coming.turned()
		f.pledge = s.coming.claim(f.length)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case status.Code(err) == codes.Canceled:
			return err
		case err != nil:
			return s.refuse(notReceived(err))
		case !s.open():
			f.free()
			return nil
		}
		s.hand(f)
	}
}

// hand gives a request to a goroutine that waits for one, or to a new one while there are fewer than the window has room
// for. They are kept for a while because growing a new stack for each request costs as much as a tenth of a signature.
func (s *session) hand(f *frame) {
	select {
	case s.jobs <- f:
		return
	default:
	}
	select {
	case s.jobs <- f: // the window had room, so one of them is about to wait
	case s.workers <- struct{}{}: // or may leave instead: it was let go, or the call is over
		go s.serve(f)
	}
}

// serve answers requests until it is let go or the call is over.
func (s *session) serve(f *frame) {
	defer func() { <-s.workers }()
	for f != nil {
		s.answer(f)
		select {
		case f = <-s.jobs:
		case <-s.ctx.Done():
			return
		}
	}
}

// open counts a request that is to be answered, unless the stream is closed.
func (s *session) open() bool {
	s.state.Lock()
	defer s.state.Unlock()
	if s.closed {
		return false
	}
	s.answering.Add(1)
	return true
}

func (s *session) close() {
	s.state.Lock()
	defer s.state.Unlock()
	s.closed = true
}

// answer gives one request its answer.
func (s *session) answer(f *frame) {
	defer s.answering.Done()
	defer func() { <-s.window }()
	q := s.door.begin(GRPC, s.id, s.caller, s.pace)
	id := streamID(f.bytes())
	q.id, q.trace = s.requestID(id), s.trace
	s.send(&q, s.result(&q, id, f))
}

// reply is an answer that has been encoded, and what is reserved for it unless it is small.
type reply struct {
	sealed
	kept *pledge
}

// requestID is that of one request of the stream.
func (s *session) requestID(id uint64) string {
	var room [64]byte
	return string(strconv.AppendUint(append(append(room[:0], s.id...), '-'), id, 10))
}

// result is what a request is answered with. Drain waits for that, and not for callers to read it.
func (s *session) result(q *inquiry, id uint64, f *frame) *reply {
	accepted := s.door.gate.enter(GRPC)
	if accepted {
		defer s.door.gate.leave(GRPC)
	}
	r := &reply{}
	out, e := s.perform(q, id, f, accepted)
	if e == nil {
		e = s.seal(q, f.caller, &cpmv1.StreamResponse{Id: id, Response: out}, r)
	}
	s.door.conclude(s.ctx, q, e)
	if e != nil {
		r.data, _ = seal(&cpmv1.StreamResponse{Id: id, Response: packDecline(e, q.id)}, s.door.buffers)
	}
	return r
}

func (s *session) perform(q *inquiry, id uint64, f *frame, accepted bool) (out *cpmv1.ProcessResponse, e *fault.Error) {
	defer func() { s.door.collection.after(f.decoded) }()
	defer f.free()
	defer func() {
		if v := recover(); v != nil {
			out, e = nil, s.door.panicked(s.ctx, q.id, v)
		}
	}()
	if !accepted {
		return nil, shuttingDown()
	}
	if e := s.door.admit(s.ctx, q); e != nil {
		return nil, e
	}
	if !s.claim(id) {
		return nil, fault.New(fault.Invalid, "the id is 0 or that of another request under way")
	}
	defer s.release(id)
	var in cpmv1.StreamRequest
	if e := s.door.decode(f, s.door.limits.Message, s.door.shapes.streamRequest, &in); e != nil {
		return nil, e
	}
	if own := cpm.ParseTraceParent(in.GetTraceparent()); own != "" {
		q.trace = own
	}
	work := s.work
	if ms := in.GetTimeoutMs(); ms > 0 {
		var done context.CancelFunc
		work, done = context.WithTimeout(work, time.Duration(ms)*time.Millisecond)
		defer done()
	}
	return s.door.processEnvelope(work, q, in.GetRequest())
}

// claim takes an id for the time its request is under way.
func (s *session) claim(id uint64) bool {
	s.state.Lock()
	defer s.state.Unlock()
	if _, taken := s.ids[id]; taken || id == 0 {
		return false
	}
	s.ids[id] = struct{}{}
	return true
}

func (s *session) release(id uint64) {
	s.state.Lock()
	defer s.state.Unlock()
	delete(s.ids, id)
}

// send sends an answer and leaves its place. When it cannot be sent, the caller is gone.
//
// Answers that wait for those before them to be read keep their places. It is left as soon as it is an answer's turn: a caller
// that has it must be able to ask for more.
func (s *session) send(q *inquiry, r *reply) {
	defer r.kept.give()
	s.sending.Lock()
	defer s.sending.Unlock()
	q.place.Leave()
	if r.data == nil {
		return
	}
	s.patience.begin()
	defer s.patience.end()
	s.coming.owe(r.data, r.kept)
	_ = s.stream.SendMsg(&r.sealed)
}

// abandon ends a stream whose caller does not read, as Canceled, which gRPC says by itself.
func (s *session) abandon() {
	if t, ok := s.ctx.Value(tapKey{}).(tapped); ok {
		t.stop()
	}
	s.door.unread(s.ctx, "stream", s.caller, slog.String("requestId", s.id), obs.TraceID(s.trace.ID()))
}

// seal encodes an answer and reserves its bytes. Nobody else would recover from a panic there.
func (s *session) seal(q *inquiry, c admission.Caller, out *cpmv1.StreamResponse, r *reply) (e *fault.Error) {
	defer func() {
		if v := recover(); v != nil {
			e = s.door.panicked(s.ctx, q.id, v)
		}
	}()
	data, err := seal(out, s.door.buffers)
	if err != nil {
		return s.door.explain(s.ctx, q, err)
	}
	if data.Len() > small {
		r.kept = &pledge{room: s.door.reading, caller: c}
		r.kept.cover(data)
	}
	r.data = data
	return nil
}

// streamID finds the id of a StreamRequest, which a decline needs too when the request cannot be decoded. It is 0 when
// there is none.
func streamID(in []byte) uint64 {
	for len(in) > 0 {
		number, wire, n := protowire.ConsumeTag(in)
		if n < 0 {
			return 0
		}
		if number == 1 && wire == protowire.VarintType {
			id, _ := protowire.ConsumeVarint(in[n:])
			return id
		}
		size := protowire.ConsumeFieldValue(number, wire, in[n:])
		if size < 0 {
			return 0
		}
		in = in[n+size:]
	}
	return 0
}
