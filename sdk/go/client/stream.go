package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// call is one attempt of a request on one stream.
type call struct {
	id       uint64
	request  []byte
	trace    string
	deadline time.Time
	// sent says that the CPM may know of it, left that nobody waits for the answer any more.
	sent, left atomic.Bool
	// answer has room for the one there is.
	answer chan outcome
}

// outcome is what became of a call.
type outcome struct {
	response *cpmv1.ProcessResponse
	err      *Error
}

// stream is one gRPC stream on a connection of its own, shared by many callers. One goroutine sends, one receives. A call is
// under way from when it has a place in the window until its answer has come, also if its caller has left: the CPM counts
// in the same way.
type stream struct {
	conn   *grpc.ClientConn
	grpc   grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]
	cancel context.CancelFunc
	queue  chan *call
	window chan struct{}

	mu      sync.Mutex // guards what follows
	pending map[uint64]*call
	idle    chan struct{}

	// retired says that the stream takes no further calls. It changes while mu is held.
	retired atomic.Bool

	// done is closed when the stream has ended and every call has its outcome; cause, why, and busy, whether the CPM ended it
	// because it was, are written before. spoke says that the CPM has answered something.
	done  chan struct{}
	cause error
	busy  bool
	spoke atomic.Bool
}

// errRetired is the outcome of a call that came too late for this stream; another one takes it.
func errRetired(cause error) *Error {
	return &Error{Kind: Unavailable, Text: "the connection to the CPM has ended", cause: cause, unsent: true}
}

// perform sends a request and waits for its answer, or until ctx ends.
func (s *stream) perform(ctx context.Context, c *call) outcome {
	select {
	case s.window <- struct{}{}:
	case <-ctx.Done():
		return outcome{err: ended(ctx)}
	case <-s.done:
		return outcome{err: errRetired(s.cause)}
	}
	if !s.enter(c) {
		<-s.window
		return outcome{err: errRetired(nil)}
	}
	s.queue <- c // has room for a whole window
	select {
	case o := <-c.answer:
		return o
	case <-ctx.Done():
		c.left.Store(true)
		return outcome{err: ended(ctx)}
	}
}

// enter makes a call one of this stream's, which gives it its outcome from now on.
func (s *stream) enter(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired.Load() {
		return false
	}
	s.pending[c.id] = c
	return true
}

// complete gives a call its outcome and its place in the window to another one. It is false for an id nobody waits for.
func (s *stream) complete(id uint64, o outcome) bool {
	s.mu.Lock()
	c, ok := s.pending[id]
	delete(s.pending, id)
	if ok && s.retired.Load() && len(s.pending) == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	if !ok {
		return false
	}
	c.answer <- o
	<-s.window
	return true
}

// retire lets the calls under way complete and the stream end after them.
func (s *stream) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired.Load() {
		return
	}
	s.retired.Store(true)
	if len(s.pending) == 0 {
		close(s.idle)
	}
}

// send sends what callers queue, until the stream is retired and idle, or has ended.
func (s *stream) send() {
	for {
		select {
		case c := <-s.queue:
			if !s.sendOne(c) {
				return
			}
		case <-s.idle:
			_ = s.grpc.CloseSend()
			return
		case <-s.done:
			return
		}
	}
}

// sendOne sends a call unless its caller has left. It is false when the stream has ended, which the receiver then knows.
func (s *stream) sendOne(c *call) bool {
	if c.left.Load() {
		s.complete(c.id, outcome{})
		return true
	}
	var timeout uint64
	if !c.deadline.IsZero() {
		timeout = uint64(max(1, time.Until(c.deadline).Milliseconds()))
	}
	c.sent.Store(true)
	err := s.grpc.SendMsg(newFrame(c.id, c.request, c.trace, min(timeout, 1<<32-1)))
	if err != nil && !errors.Is(err, io.EOF) {
		s.cancel()
	}
	return err == nil
}

// receive gives answers to their calls until the stream ends, and then the calls without one their error.
func (s *stream) receive() {
	last := s.deliver()
	s.cancel()
	s.mu.Lock()
	s.retired.Store(true)
	left := make([]*call, 0, len(s.pending))
	for _, c := range s.pending {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		s.complete(c.id, outcome{err: last.lost(c)})
	}
	s.cause, s.busy = reason(last.err), last.refused() != nil
	close(s.done)
	_ = s.conn.Close()
}

var errUnasked = errors.New("it answered what nobody asked")

// deliver gives answers to their calls, and says why there are no more.
func (s *stream) deliver() end {
	for {
		m, err := s.grpc.Recv()
		if err != nil {
			return end{err, s.grpc.Trailer()}
		}
		s.spoke.Store(true)
		if !s.complete(m.GetId(), outcome{response: m.GetResponse()}) {
			return end{err: errUnasked} // gRPC may still be writing the trailer
		}
	}
}

// reason is the error of a stream without the words gRPC puts around it.
func reason(err error) error {
	if s, ok := status.FromError(err); ok && s.Message() != "" {
		return errors.New(s.Code().String() + ": " + s.Message())
	}
	return err
}
