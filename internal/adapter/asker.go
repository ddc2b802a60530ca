package adapter

import (
	"context"
	"sync/atomic"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// party is the other side of a link in the texts that people read.
type party string

const (
	partyAdapter party = "adapter"
	partyCPM     party = "CPM"
)

func (p party) lost() *fault.Error {
	return fault.New(fault.Unavailable, "the link to the %s was lost; try again", p).Because(cpm.ErrLinkLost)
}

func (p party) tooLate(ctx context.Context) *fault.Error {
	return fault.New(fault.Timeout, "the %s did not answer in time", p).Because(ctx.Err())
}

func (p party) stalled() *fault.Error {
	return fault.New(fault.Busy, "the %s does not take requests in; try again shortly", p)
}

// maxCredit bounds the credit the other side may give, and controlRoom the questions that wait to be written.
const (
	maxCredit   = 1 << 16
	controlRoom = 1 << 12
)

// asker asks the other side on the Work stream: it is the half of a link that dialled.
type asker struct {
	party party
	asked *waiting[*cpmv1.Answer]

	// What follows is known when the other side has greeted.
	out    *outbox[*cpmv1.WorkFrame]
	epoch  uint64
	credit *admission.Room[cpm.FSP]
}

func newAsker(p party, late *atomic.Uint64) asker {
	return asker{party: p, asked: newWaiting[*cpmv1.Answer](p, 1, late)}
}

// greeted takes in how much the other side takes on.
func (a *asker) greeted(hello *cpmv1.Hello) {
	credit := int(min(max(hello.GetCredit(), 1), maxCredit))
	a.epoch, a.credit = hello.GetEpoch(), admission.NewRoom[cpm.FSP](credit)
	a.out = newOutbox[*cpmv1.WorkFrame](2 * credit) // an Ask and a Cancel each
}

// creditBack is the advice when to try again when the credit is used up: answers come back all the time.
const creditBack = 100 * time.Millisecond

// admit counts one Ask for an FSP in, which done counts out. Credit bounds how many wait at once, and no FSP has all of it.
// The questions of an adapter that dialled in are nobody's.
func (a *asker) admit(ctx context.Context, f cpm.FSP) error {
	if ctx.Err() != nil {
		return a.party.tooLate(ctx)
	}
	enter := a.credit.Enter
	if f == "" {
		enter = a.credit.EnterAlone
	}
	if !enter(f) {
		return admission.Decline(admission.LinkCredit, creditBack, "the "+string(a.party)+" has as many requests as it takes; try again shortly")
	}
	return nil
}

func (a *asker) done(f cpm.FSP) { a.credit.Leave(f) }

// ask sends one Ask that fits and waits for its answer or the end of ctx.
func (a *asker) ask(ctx context.Context, ask *cpmv1.Ask, limit int) (*cpmv1.Answer, error) {
	frame := &cpmv1.WorkFrame{Kind: &cpmv1.WorkFrame_Ask{Ask: ask}}
	if !fits(frame, limit) {
		return nil, fault.New(fault.TooLarge, "the request is too large for the link to the %s", a.party)
	}
	letter := &letter[*cpmv1.WorkFrame]{frame: frame}
	id, answer, err := a.asked.add(1, func(id uint64) error {
		frame.Id = id
		if !a.out.post(letter) {
			return a.party.stalled()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer a.asked.remove(id)
	select {
	case answered, open := <-answer:
		if !open {
			return nil, a.party.lost()
		}
		return answered, nil
	case <-ctx.Done():
		a.abandon(id, letter)
		return nil, a.party.tooLate(ctx)
	}
}

// abandon takes an Ask back, or if it is gone already tells the other side that nobody waits. A full box drops the Cancel:
// the other side knows the deadline, too.
func (a *asker) abandon(id uint64, ask *letter[*cpmv1.WorkFrame]) {
	if ask.withdraw() {
		return
	}
	cancel := &cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Cancel{Cancel: &cpmv1.Cancel{}}}
	_ = a.out.post(&letter[*cpmv1.WorkFrame]{frame: cancel})
}

// read hands answers to who asked. Frames that are no answers ask nothing this version knows, and are passed over.
func (a *asker) read(s workStream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if answer := f.GetAnswer(); answer != nil {
			a.asked.answer(f.GetId(), answer)
		}
	}
}

// rest waits until no Ask waits for an answer, or ctx ends.
func (a *asker) rest(ctx context.Context) {
	select {
	case <-a.asked.none():
	case <-ctx.Done():
	}
}
