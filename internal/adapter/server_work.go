package adapter

import (
	"context"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxWork bounds an operation whose Ask has no deadline, or one far away.
const maxWork = 10 * time.Minute

// readWork does operations, each in a goroutine, at most as many at once as the credit of the Hello.
func (l *serverLink) readWork(stream workStream, out *outbox[*cpmv1.WorkFrame]) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		switch kind := f.GetKind().(type) {
		case *cpmv1.WorkFrame_Cancel:
			l.cancel(f.GetId())
		case *cpmv1.WorkFrame_Ask:
			l.begin(out, f.GetId(), kind.Ask)
		}
	}
}

// begin starts one operation, or answers why it does not. An id that is not new, and an Ask of another link, end up nowhere:
// an answer could be taken for another's.
func (l *serverLink) begin(out *outbox[*cpmv1.WorkFrame], id uint64, a *cpmv1.Ask) {
	ctx, isNew, err := l.accept(id, a)
	switch {
	case !isNew:
	case err != nil:
		out.deliver(&cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Answer{Answer: answerOf(nil, err)}})
	default:
		go func() {
			defer l.finished(id) // after the answer is in the box
			out.deliver(l.answerFrame(ctx, id, a))
		}()
	}
}

// accept counts an operation in.
func (l *serverLink) accept(id uint64, a *cpmv1.Ask) (ctx context.Context, isNew bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id%2 == 0 || id <= l.highest || a.GetEpoch() != l.epoch {
		return nil, false, nil
	}
	l.highest = id
	switch {
	case l.closing:
		return nil, true, fault.New(fault.Unavailable, "the adapter is shutting down")
	case len(l.open) >= l.server.config.Credit:
		return nil, true, fault.New(fault.Busy, "the adapter has as many requests as it takes; try again shortly")
	}
	allowed := maxWork
	if ms := a.GetTimeoutMs(); ms > 0 {
		allowed = min(allowed, time.Duration(ms)*time.Millisecond)
	}
	ctx, l.open[id] = context.WithTimeout(l.ctx, allowed)
	return ctx, true, nil
}

// cancel tells an operation that nobody waits for it. It is answered all the same.
func (l *serverLink) cancel(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cancel, ok := l.open[id]; ok {
		cancel()
	}
}

// finished counts an operation out.
func (l *serverLink) finished(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[id]()
	delete(l.open, id)
	l.rest()
}

// none is closed when no operation is in flight. No new one may begin.
func (l *serverLink) none() <-chan struct{} {
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.rest()
	return idle
}

func (l *serverLink) rest() {
	if len(l.open) == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// answerFrame does one operation. An answer too large for the link is replaced: it would end the link.
func (l *serverLink) answerFrame(ctx context.Context, id uint64, a *cpmv1.Ask) *cpmv1.WorkFrame {
	answer := l.perform(ctx, a)
	answer.Operation = a.GetOperation()
	f := &cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Answer{Answer: answer}}
	if !fits(f) {
		f.Kind = &cpmv1.WorkFrame_Answer{Answer: answerOf(nil, fault.New(fault.TooLarge, "the answer is too large for the link"))}
	}
	return f
}

func (l *serverLink) perform(ctx context.Context, a *cpmv1.Ask) *cpmv1.Answer {
	module, err := l.current()
	if err != nil {
		return answerOf(nil, err)
	}
	r, err := requestOf(a, l.server.config.Now())
	if err != nil {
		return answerOf(nil, err)
	}
	return answerOf(module.Do(ctx, r))
}
