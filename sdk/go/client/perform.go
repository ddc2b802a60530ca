package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// Pauses before a request is sent again. What a CPM says itself of when to try again is waited at least.
const (
	firstRetry, longestRetry = 20 * time.Millisecond, 2 * time.Second
)

// verify remembers what it has seen, if the FSP has a replay window.
const verify = "jws_verify"

// once lists the operations that are not sent again when it is not known whether they were done. Those of messages are
// several operations for the CPM, counted and recorded one by one; a message verified twice may be called replayed.
func once() []string { return []string{"message_protect", "message_open", verify} }

// retrySafe has every operation, by its member of ProcessRequest, and whether it may be sent again.
func retrySafe() map[string]bool {
	all := map[string]bool{}
	fields := operations(new(cpmv1.ProcessRequest), "operation").Fields()
	for i := range fields.Len() {
		all[string(fields.Get(i).Name())] = true
	}
	for _, name := range once() {
		all[name] = false
	}
	return all
}

func operations(m proto.Message, group protoreflect.Name) protoreflect.OneofDescriptor {
	return m.ProtoReflect().Descriptor().Oneofs().ByName(group)
}

// Do performs one operation: the request names the FSP and, by the member that is set, the operation. The response has the
// member of the operation. An error is always an *Error.
//
// A CPM that is Busy is asked again after the time it says, and a connection that is lost is replaced, as often as
// Config.Attempts allows and ctx has time for. What may have been done is sent again only if it may be done twice.
func (c *Client) Do(ctx context.Context, r *cpmv1.ProcessRequest) (*cpmv1.ProcessResponse, error) {
	q, e := c.prepare(ctx, r)
	if e != nil {
		return nil, e
	}
	if !c.enter() {
		return nil, errClosed()
	}
	defer c.leave()
	patience := time.Now().Add(c.config.Wait)
	for attempt := 1; ; attempt++ {
		response, e := c.attempt(ctx, q)
		if e == nil {
			return response, nil
		}
		if e.unsent && e.Kind == Unavailable && time.Now().Before(patience) {
			attempt-- // it was none
			continue
		}
		pause, again := q.again(e, attempt)
		if !again || attempt >= c.config.Attempts || !c.pause(ctx, pause) {
			return nil, e
		}
	}
}

// inquiry is one request on its way.
type inquiry struct {
	// way is its FSP, and its member of ProcessRequest and ProcessResponse.
	way
	request []byte
	trace   string
	safe    bool
	// last is where the last attempt was sent.
	last *lane
}

// prepare checks and encodes a request.
func (c *Client) prepare(ctx context.Context, r *cpmv1.ProcessRequest) (*inquiry, *Error) {
	group := operations(r, "operation")
	member := r.ProtoReflect().WhichOneof(group)
	if member == nil {
		return nil, newError(Invalid, "the request names no operation", nil)
	}
	if size := proto.Size(r); size > maxRequest {
		return nil, newError(TooLarge, "the request has more than 12 MiB", nil)
	}
	data, err := proto.MarshalOptions{UseCachedSize: true}.Marshal(r)
	if err != nil {
		return nil, newError(Invalid, "the request cannot be encoded; texts have to be UTF-8", err)
	}
	q := &inquiry{way: way{fsp: r.GetFsp(), operation: string(member.Name())}, request: data}
	q.safe = c.safe[q.operation]
	q.trace, _ = ctx.Value(traceKey{}).(string)
	return q, nil
}

// attempt sends a request once, unless the throttle declines it.
func (c *Client) attempt(ctx context.Context, q *inquiry) (*cpmv1.ProcessResponse, *Error) {
	if c.config.NoThrottle {
		return c.send(ctx, q)
	}
	if e := c.throttle.admit(q.way); e != nil {
		return nil, e
	}
	response, e := c.send(ctx, q)
	switch {
	case e != nil && e.Kind == Busy:
		c.throttle.note(q.way, true, e.RetryAfter)
	case response != nil:
		c.throttle.note(q.way, false, 0)
	}
	return response, e
}

// send sends a request on the stream that is best now. There may be both a response and the error in it.
func (c *Client) send(ctx context.Context, q *inquiry) (*cpmv1.ProcessResponse, *Error) {
	s, e := c.await(ctx, q)
	if e != nil {
		return nil, e
	}
	one := &call{id: c.ids.Add(1), request: q.request, trace: q.trace, answer: make(chan outcome, 1)}
	one.deadline, _ = ctx.Deadline()
	o := s.perform(ctx, one)
	if o.err != nil {
		return nil, o.err
	}
	return o.response, q.judge(o.response)
}

// await is a stream to send on, when there is one. Neither ctx nor Config.Wait has to be over.
func (c *Client) await(ctx context.Context, q *inquiry) (*stream, *Error) {
	var patience *time.Timer
	for {
		changed := c.next()
		select {
		case <-c.stopped:
			return nil, &Error{Kind: Unavailable, Text: "the client was closed", final: true}
		default:
		}
		if l := c.pick(q.last); l != nil {
			if s := l.current.Load(); s != nil {
				q.last = l
				return s, nil
			}
		}
		if patience == nil {
			patience = time.NewTimer(c.config.Wait)
			defer patience.Stop()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ended(ctx)
		case <-c.stopped:
		case <-patience.C:
			return nil, &Error{Kind: Unavailable, Text: "there is no connection to the CPM", cause: c.lastTrouble(), final: true}
		}
	}
}

// judge finds the error in a response, and a response that is none.
func (q *inquiry) judge(r *cpmv1.ProcessResponse) *Error {
	if e := r.GetError(); e != nil {
		return declined(e)
	}
	member := r.ProtoReflect().WhichOneof(operations(r, "result"))
	if member == nil || string(member.Name()) != q.operation {
		return newError(Broken, "the answer is not one of the operation", nil)
	}
	return nil
}

// spread makes the time a CPM says longer at random, up to a half, or to a second above the most it may say: it says the same to
// all whom it declines, which must not come back all at once.
func spread(advice time.Duration) time.Duration {
	return advice + rand.N(min(advice/2, mostAdvice-advice+time.Second)+1) //nolint:gosec // it spreads load and guards nothing
}

// again says whether and after which pause a request may be sent again. A connection that is lost is replaced without a
// pause; whether the request has been done is then known only if it was not sent, or if the CPM has said so.
func (q *inquiry) again(e *Error, attempt int) (time.Duration, bool) {
	pause := backoff(attempt, firstRetry, longestRetry)
	switch {
	case e.final:
	case e.Kind == Busy && e.unsure && !q.safe:
		e.Kind, e.Code, e.Text = OutcomeUnknown, "", "the CPM was busy and ended the connection; the operation may have been done"
	case e.Kind == Busy:
		return max(pause, spread(e.RetryAfter)), true
	case e.Kind == Unavailable && e.Code != "": // a CPM said so, and has done nothing
		return max(pause, spread(e.RetryAfter)), q.safe || q.operation == verify
	case e.Kind == Unavailable && e.unbegun:
		return pause, true
	case e.Kind == Unavailable && q.safe:
		return 0, true
	case e.Kind == Unavailable && !e.unsent:
		e.Kind, e.Text = OutcomeUnknown, "the connection to the CPM was lost; the operation may have been done"
	}
	return 0, false
}

// pause waits before another attempt, which says so when the client has been closed meanwhile. It is false when ctx would end
// before.
func (c *Client) pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stopped:
	case <-ctx.Done():
		return false
	}
	return true
}

// KindOf is the kind of an error of this package, or "" of any other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}
