package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

const (
	// maxStreams is the number of streams that share the calls in flight.
	maxStreams = 4
	// endTime is how long the server may take to end a stream without requests.
	endTime = time.Second
)

var (
	errStreamEnded = errors.New("the stream ended")
	errNobody      = errors.New("it answered a request that nobody waits for")
)

// openStream opens streams and spreads the callers over them.
func (s *server) openStream(ctx context.Context, w *workload, callers int) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	var streams []*stream
	for range min(maxStreams, callers) {
		client, err := cpmv1.NewCryptographicServiceClient(s.grpc).Stream(ctx)
		if err != nil {
			cancel()
			return nil, declinedGRPC(err)
		}
		streams = append(streams, &stream{client: client, ended: make(chan struct{})})
	}
	found := &session{close: func() { endStreams(streams, cancel) }}
	for i := range callers {
		found.callers = append(found.callers, streams[i%len(streams)].newCaller(w, newTurn(w.single, i, callers)))
	}
	for _, st := range streams {
		go st.receive()
	}
	return found, nil
}

// endStreams lets the server end the streams, which it should do at once.
func endStreams(streams []*stream, cancel context.CancelFunc) {
	timer := time.AfterFunc(endTime, cancel)
	defer timer.Stop()
	defer cancel()
	for _, st := range streams {
		st.end()
	}
	for _, st := range streams {
		<-st.ended
	}
}

// stream carries the calls of many callers. The id of a request has its caller in the low bits, so that an answer finds its
// caller without a table, and a number above them that is never used again.
type stream struct {
	client  grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]
	callers []*streamCaller

	sending sync.Mutex

	// failure says why the stream ended. It is written before the callers' channels and ended are closed.
	failure error
	ended   chan struct{}
}

// callerBits is enough for maxConcurrency.
const callerBits = 12

func (st *stream) newCaller(w *workload, t *turn) *streamCaller {
	c := &streamCaller{
		stream:    st,
		operation: w.operation,
		turn:      t,
		id:        uint64(len(st.callers)),
		answer:    new(cpmv1.StreamResponse),
		answered:  make(chan struct{}, 1),
	}
	c.pending.Store(none)
	st.callers = append(st.callers, c)
	return c
}

func (st *stream) send(r wire) error {
	st.sending.Lock()
	defer st.sending.Unlock()
	return st.client.SendMsg(r)
}

// end tells the server that no more requests come.
func (st *stream) end() {
	st.sending.Lock()
	defer st.sending.Unlock()
	_ = st.client.CloseSend()
}

// receive hands answers to their callers until the stream ends.
func (st *stream) receive() {
	st.failure = fmt.Errorf("%w: %w", errStreamEnded, st.deliver())
	for _, c := range st.callers {
		close(c.answered)
	}
	close(st.ended)
}

// deliver decodes answers into messages that are used again: the new one is exchanged for the caller's previous one.
func (st *stream) deliver() error {
	spare := new(cpmv1.StreamResponse)
	for {
		if err := st.client.RecvMsg(spare); err != nil {
			return declinedGRPC(err)
		}
		c := st.awaiting(spare.GetId())
		if c == nil {
			return errNobody
		}
		c.answer, spare = spare, c.answer
		c.answered <- struct{}{}
	}
}

// awaiting is the caller that waits for this answer, who then waits no more.
func (st *stream) awaiting(id uint64) *streamCaller {
	at := id & (1<<callerBits - 1)
	if at >= uint64(len(st.callers)) || !st.callers[at].pending.CompareAndSwap(id, none) {
		return nil
	}
	return st.callers[at]
}

// none is no id: the highest number is never reached.
const none = ^uint64(0)

// streamCaller sends a request on the shared stream and waits for its answer.
type streamCaller struct {
	stream    *stream
	operation string
	turn      *turn
	id        uint64

	// pending is the id whose answer is awaited, or none.
	pending atomic.Uint64
	// answer is the last one; it belongs to the caller while nothing is pending.
	answer   *cpmv1.StreamResponse
	answered chan struct{}
}

// call waits without looking at its context: when that ends, so does the stream.
func (c *streamCaller) call(context.Context) (int, error) {
	c.id += 1 << callerBits
	c.pending.Store(c.id)
	if err := c.stream.send(streamed(c.id, c.turn.next().proto)); err != nil && !errors.Is(err, io.EOF) {
		return 1, declinedGRPC(err)
	}
	if _, ok := <-c.answered; !ok { // also when sending found the stream at its end, which is known to the receiver
		return 1, c.stream.failure
	}
	if err := judge(c.operation, c.answer.GetResponse()); err != nil {
		return 1, err
	}
	return 0, nil
}

func (c *streamCaller) signed() []*cpmv1.ProcessRequest {
	return pick(c.turn.last().items, []*cpmv1.ProcessResponse{c.answer.GetResponse()})
}
