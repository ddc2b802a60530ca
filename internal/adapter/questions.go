package adapter

import (
	"context"
	"sync/atomic"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// questions are what one side asks on the Control stream: the core, whichever side dialled.
type questions struct {
	party party
	out   *outbox[*cpmv1.ControlFrame]
	asked *waiting[*cpmv1.ControlAnswer]
}

// newQuestions begins with id 1 for the side that dialled and 2 for the other.
func newQuestions(p party, first uint64, late *atomic.Uint64) questions {
	return questions{p, newOutbox[*cpmv1.ControlFrame](controlRoom), newWaiting[*cpmv1.ControlAnswer](p, first, late)}
}

// ask puts one question and waits for its answers, calling done for each until it is true. room is how many come at most.
func (q *questions) ask(ctx context.Context, f *cpmv1.ControlFrame, room int, done func(*cpmv1.ControlAnswer) bool) error {
	if !fits(f, maxMessage) {
		return fault.New(fault.TooLarge, "the message is too large for the link to the %s", q.party)
	}
	id, answers, err := q.asked.add(room, func(id uint64) error {
		f.Id = id
		if !q.out.post(&letter[*cpmv1.ControlFrame]{frame: f}) {
			return q.party.stalled()
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer q.asked.remove(id)
	for {
		select {
		case a, open := <-answers:
			if !open {
				return q.party.lost()
			}
			if a.GetFault() != "" {
				return faultOf(&cpmv1.Answer{Fault: a.GetFault(), Text: a.GetText()})
			}
			if done(a) {
				return nil
			}
		case <-ctx.Done():
			return q.party.tooLate(ctx)
		}
	}
}

// shutdown asks the other side to end and waits for its second answer: everything accepted is answered.
func (q *questions) shutdown(ctx context.Context) error {
	return q.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Shutdown{Shutdown: &cpmv1.Shutdown{}}}, 2,
		func(a *cpmv1.ControlAnswer) bool { return a.GetDrained() })
}

// status asks for the state and the counters.
func (q *questions) status(ctx context.Context) (status *cpmv1.LinkStatus, err error) {
	err = q.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_StatusQuery{StatusQuery: &cpmv1.StatusQuery{}}}, 1,
		func(a *cpmv1.ControlAnswer) bool {
			status = a.GetStatus()
			return true
		})
	return status, err
}

func (q *questions) configure(ctx context.Context, c *cpmv1.Configure) error {
	return q.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Configure{Configure: c}}, 1, anyAnswer)
}

func anyAnswer(*cpmv1.ControlAnswer) bool { return true }

// read hands answers to who asked. Frames that are no answers ask nothing this version knows, and are passed over.
func (q *questions) read(s controlStream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if a := f.GetAnswer(); a != nil {
			q.asked.answer(f.GetId(), a)
		}
	}
}
