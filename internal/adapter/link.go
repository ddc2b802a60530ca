// Package adapter is a Module on the other side of a wire: the core dials an adapter and has a Client, the adapter serves
// a Module. One link is two gRPC streams on one TLS 1.3 connection (proto/cpm/v1/link.proto); what a link held — keys,
// configuration, operations in flight — ends with it.
package adapter

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// The link versions this build speaks. A version works with the one before and the one after.
const (
	VersionMin = 1
	VersionMax = 1
)

// maxMessage bounds one message of a link, in bytes. It is checked before sending, too.
const maxMessage = 16 << 20

// stream is one direction pair of gRPC, either end.
type stream[F any] interface {
	Send(*F) error
	Recv() (*F, error)
	Context() context.Context
}

// sender lets many goroutines send on one stream, which serves one at a time.
type sender[F any] struct {
	mu     sync.Mutex
	stream stream[F]
}

func (s *sender[F]) send(f *F) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Send(f)
}

// version is the highest both sides speak.
func version(theirs *cpmv1.Hello, low, high uint32) (uint32, error) {
	v := min(high, theirs.GetVersionMax())
	if v < low || v < theirs.GetVersionMin() {
		return 0, fault.New(fault.Unsupported, "the other side speaks link versions %d to %d, this one %d to %d: upgrade the older",
			theirs.GetVersionMin(), theirs.GetVersionMax(), low, high)
	}
	return v, nil
}

// newEpoch is a number no other link has.
func newEpoch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// session is the TLS session a stream runs on.
func session(ctx context.Context) (*tls.ConnectionState, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, fault.New(fault.Internal, "the link has no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "the link is not TLS")
	}
	return &info.State, nil
}

// waiting are the questions of one side that have no answer yet. Ids count up by two and are never used again.
type waiting[A any] struct {
	mu     sync.Mutex
	next   uint64
	open   map[uint64]chan A
	closed bool
	late   atomic.Uint64
}

// newWaiting begins with 1 for the side that dialled and 2 for the other.
func newWaiting[A any](first uint64) *waiting[A] {
	return &waiting[A]{next: first, open: map[uint64]chan A{}}
}

// add opens a question. room is how many answers it will get at most.
func (w *waiting[A]) add(room int) (uint64, <-chan A, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, nil, false
	}
	id := w.next
	w.next += 2
	answer := make(chan A, room)
	w.open[id] = answer
	return id, answer, true
}

// answer hands an answer to the question it belongs to. One that nobody waits for is counted and dropped.
func (w *waiting[A]) answer(id uint64, a A) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.open[id]
	if !ok {
		w.late.Add(1)
		return
	}
	select {
	case c <- a:
	default: // more answers than the question asked for
		w.late.Add(1)
	}
}

// remove closes a question.
func (w *waiting[A]) remove(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, id)
}

// close lets no more questions in and ends those that wait.
func (w *waiting[A]) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	for id, c := range w.open {
		close(c)
		delete(w.open, id)
	}
}
