package adapter

import (
	"context"
	"sync"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxWork bounds an operation whose Ask has no deadline, or one far away.
const maxWork = 10 * time.Minute

// intake are the operations that the side that dialled has asked for and that are not answered yet.
type intake struct {
	us     party           // who works, in the texts of declines
	ctx    context.Context // the link's life
	epoch  uint64
	credit int
	do     func(context.Context, *cpmv1.Ask) *cpmv1.Answer

	mu      sync.Mutex
	open    map[uint64]context.CancelFunc // in flight
	idle    chan struct{}                 // closed when open becomes empty; nil if nobody asked
	highest uint64                        // no id up to here is used again
	closing bool                          // no operation begins any more
}

func newIntake(ctx context.Context, us party, credit int, do func(context.Context, *cpmv1.Ask) *cpmv1.Answer) *intake {
	return &intake{us: us, ctx: ctx, epoch: newEpoch(), credit: credit, do: do, open: map[uint64]context.CancelFunc{}}
}

// read does operations, each in a goroutine, at most as many at once as the credit of the Hello.
func (i *intake) read(stream workStream, out *outbox[*cpmv1.WorkFrame]) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		switch kind := f.GetKind().(type) {
		case *cpmv1.WorkFrame_Cancel:
			i.cancel(f.GetId())
		case *cpmv1.WorkFrame_Ask:
			i.begin(out, f.GetId(), kind.Ask)
		}
	}
}

// begin starts one operation, or answers why it does not. An id that is not new, and an Ask of another link, end up nowhere:
// an answer could be taken for another's.
func (i *intake) begin(out *outbox[*cpmv1.WorkFrame], id uint64, a *cpmv1.Ask) {
	ctx, isNew, err := i.accept(id, a)
	switch {
	case !isNew:
	case err != nil:
		out.deliver(&cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Answer{Answer: answerOf(nil, err)}})
	default:
		go func() {
			defer i.finished(id) // after the answer is in the box
			out.deliver(i.answerFrame(ctx, id, a))
		}()
	}
}

// accept counts an operation in.
func (i *intake) accept(id uint64, a *cpmv1.Ask) (ctx context.Context, isNew bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if id%2 == 0 || id <= i.highest || a.GetEpoch() != i.epoch {
		return nil, false, nil
	}
	i.highest = id
	switch {
	case i.closing:
		return nil, true, fault.New(fault.Unavailable, "the %s is shutting down", i.us)
	case len(i.open) >= i.credit:
		return nil, true, fault.New(fault.Busy, "the %s has as many requests as it takes; try again shortly", i.us)
	}
	allowed := maxWork
	if ms := a.GetTimeoutMs(); ms > 0 {
		allowed = min(allowed, time.Duration(ms)*time.Millisecond)
	}
	ctx, i.open[id] = context.WithTimeout(i.ctx, allowed)
	return ctx, true, nil
}

// cancel tells an operation that nobody waits for it. It is answered all the same.
func (i *intake) cancel(id uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if cancel, ok := i.open[id]; ok {
		cancel()
	}
}

// finished counts an operation out.
func (i *intake) finished(id uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open[id]()
	delete(i.open, id)
	i.rest()
}

// close lets no operation begin any more. It says whether it was open.
func (i *intake) close() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	first := !i.closing
	i.closing = true
	return first
}

func (i *intake) isClosing() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.closing
}

// complete lets no operation begin any more and waits until those in flight are answered, or ctx ends.
func (i *intake) complete(ctx context.Context) {
	i.close()
	select {
	case <-i.none():
	case <-ctx.Done():
	}
}

// none is closed when no operation is in flight.
func (i *intake) none() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.idle == nil {
		i.idle = make(chan struct{})
	}
	idle := i.idle
	i.rest()
	return idle
}

// rest tells who waits for none. The caller has the lock.
func (i *intake) rest() {
	if len(i.open) == 0 && i.idle != nil {
		close(i.idle)
		i.idle = nil
	}
}

// answerFrame does one operation. An answer too large for the link is replaced: it would end the link.
func (i *intake) answerFrame(ctx context.Context, id uint64, a *cpmv1.Ask) *cpmv1.WorkFrame {
	answer := i.do(ctx, a)
	answer.Operation = a.GetOperation()
	f := &cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Answer{Answer: answer}}
	if !fits(f, maxMessage) {
		f.Kind = &cpmv1.WorkFrame_Answer{Answer: answerOf(nil, fault.New(fault.TooLarge, "the answer is too large for the link"))}
	}
	return f
}
