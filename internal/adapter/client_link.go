package adapter

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxCredit bounds the credit an adapter may give, and controlRoom the questions that wait to be written.
const (
	maxCredit   = 1 << 16
	controlRoom = 1 << 12
)

// clientLink is one link to the adapter, greeted and configured.
type clientLink struct {
	name       string
	versions   Versions
	control    *outbox[*cpmv1.ControlFrame]
	work       *outbox[*cpmv1.WorkFrame]
	session    exporter
	version    uint32
	epoch      uint64
	holder     hpke.PublicKey
	credit     chan struct{}
	asked      *waiting[*cpmv1.Answer]
	controlled *waiting[*cpmv1.ControlAnswer]
	end        context.CancelFunc
}

func newClientLink(c ClientConfig, late *atomic.Uint64, end context.CancelFunc) *clientLink {
	return &clientLink{
		name: c.Name, versions: c.Versions, control: newOutbox[*cpmv1.ControlFrame](controlRoom), end: end,
		asked: newWaiting[*cpmv1.Answer](1, late), controlled: newWaiting[*cpmv1.ControlAnswer](1, late),
	}
}

// greet exchanges Hello and opens the Work stream.
func (l *clientLink) greet(w *wires) (workStream, error) {
	hello := &cpmv1.Hello{VersionMin: l.versions.Min, VersionMax: l.versions.Max, Name: l.name, Epoch: newEpoch()}
	err := w.control.Send(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: hello}})
	if err != nil && !errors.Is(err, io.EOF) { // with io.EOF, Recv has the reason
		return nil, err
	}
	first, err := w.control.Recv()
	if err != nil {
		return nil, err
	}
	if l.session, err = w.session(); err != nil {
		return nil, err
	}
	if err := l.greeted(first.GetHello()); err != nil {
		return nil, err
	}
	return w.work()
}

// greeted takes in what the adapter said of itself.
func (l *clientLink) greeted(hello *cpmv1.Hello) (err error) {
	if l.version, err = l.versions.common(hello); err != nil {
		return err
	}
	if hello.GetName() != l.name {
		return fault.New(fault.NotFound, "another adapter answers at this address")
	}
	public, err := ecdh.X25519().NewPublicKey(hello.GetHpkePublicKey())
	if err != nil {
		return fault.New(fault.Invalid, "the adapter's greeting has no key to seal to").Because(err)
	}
	if l.holder, err = hpke.NewDHKEMPublicKey(public); err != nil {
		return fault.New(fault.Invalid, "the adapter's greeting has no key to seal to").Because(err)
	}
	credit := int(min(max(hello.GetCredit(), 1), maxCredit))
	l.epoch, l.credit = hello.GetEpoch(), make(chan struct{}, credit)
	l.work = newOutbox[*cpmv1.WorkFrame](2 * credit) // an Ask and a Cancel each
	return nil
}

// configure is the first question of a link.
func (l *clientLink) configure(ctx context.Context, c ClientConfig) error {
	configure := &cpmv1.Configure{Settings: c.Settings}
	for _, o := range c.Operations {
		configure.Operations = append(configure.Operations, string(o))
	}
	return l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Configure{Configure: configure}}, 1, anyAnswer)
}

// serve reads and writes both streams until one ends, and then ends whoever waits for an answer.
func (l *clientLink) serve(ctx context.Context, control controlStream, work workStream) error {
	defer func() {
		l.asked.close()
		l.controlled.close()
	}()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.control.run(control, ctx.Done()) })
	group.Go(func() error { return l.work.run(work, ctx.Done()) })
	group.Go(func() error { return l.readControl(control) })
	group.Go(func() error { return l.readWork(work) })
	group.Go(func() error {
		<-ctx.Done()
		l.end()
		return nil
	})
	return group.Wait()
}

// Frames that are no answers ask nothing this version knows, and are passed over.

func (l *clientLink) readControl(s controlStream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if a := f.GetAnswer(); a != nil {
			l.controlled.answer(f.GetId(), a)
		}
	}
}

func (l *clientLink) readWork(s workStream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if a := f.GetAnswer(); a != nil {
			l.asked.answer(f.GetId(), a)
		}
	}
}

// do sends one operation and waits for its answer or the end of ctx. Credit bounds how many wait at once.
func (l *clientLink) do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if ctx.Err() != nil {
		return nil, tooLate(ctx)
	}
	select {
	case l.credit <- struct{}{}:
	default:
		return nil, fault.New(fault.Busy, "the adapter has as many requests as it takes; try again shortly")
	}
	defer func() { <-l.credit }()
	ask, err := askOf(ctx, r, l.epoch)
	if err != nil {
		return nil, err
	}
	frame := &cpmv1.WorkFrame{Kind: &cpmv1.WorkFrame_Ask{Ask: ask}}
	if !fits(frame) {
		return nil, fault.New(fault.TooLarge, "the request is too large for the link to the adapter")
	}
	letter := &letter[*cpmv1.WorkFrame]{frame: frame}
	id, answer, err := l.asked.add(1, func(id uint64) error {
		frame.Id = id
		return l.work.post(letter)
	})
	if err != nil {
		return nil, err
	}
	defer l.asked.remove(id)
	select {
	case a, open := <-answer:
		if !open {
			return nil, lost()
		}
		return resultOf(a, r.Operation)
	case <-ctx.Done():
		l.abandon(id, letter)
		return nil, tooLate(ctx)
	}
}

// abandon takes an Ask back, or if it is gone already tells the adapter that nobody waits. A full box drops the Cancel: the
// adapter knows the deadline, too.
func (l *clientLink) abandon(id uint64, ask *letter[*cpmv1.WorkFrame]) {
	if ask.withdraw() {
		return
	}
	cancel := &cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Cancel{Cancel: &cpmv1.Cancel{}}}
	_ = l.work.post(&letter[*cpmv1.WorkFrame]{frame: cancel})
}

func lost() *fault.Error {
	return fault.New(fault.Unavailable, "the link to the adapter was lost; try again").Because(cpm.ErrLinkLost)
}

func tooLate(ctx context.Context) *fault.Error {
	return fault.New(fault.Timeout, "the adapter did not answer in time").Because(ctx.Err())
}

// ask puts one question on the Control stream and waits for its answers, calling done for each until it is true.
func (l *clientLink) ask(ctx context.Context, f *cpmv1.ControlFrame, room int, done func(*cpmv1.ControlAnswer) bool) error {
	if !fits(f) {
		return fault.New(fault.TooLarge, "the message is too large for the link to the adapter")
	}
	id, answers, err := l.controlled.add(room, func(id uint64) error {
		f.Id = id
		return l.control.post(&letter[*cpmv1.ControlFrame]{frame: f})
	})
	if err != nil {
		return err
	}
	defer l.controlled.remove(id)
	for {
		select {
		case a, open := <-answers:
			if !open {
				return lost()
			}
			if a.GetFault() != "" {
				return faultOf(&cpmv1.Answer{Fault: a.GetFault(), Text: a.GetText()})
			}
			if done(a) {
				return nil
			}
		case <-ctx.Done():
			return tooLate(ctx)
		}
	}
}

func anyAnswer(*cpmv1.ControlAnswer) bool { return true }

func (l *clientLink) put(ctx context.Context, m cpm.Material) error {
	put := &cpmv1.KeyPut{Key: keyFrame(m.Ref), Algorithm: m.Algorithm, Use: string(m.Use), PublicKey: m.Public}
	if m.Private.Len() > 0 {
		var err error
		if put.Sealed, err = sealKey(l.holder, l.session, m); err != nil {
			return err
		}
	}
	return l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: put}}, 1, anyAnswer)
}

// drop returns when the adapter has confirmed. When it has not by the end of ctx, or the link is lost, the link ends and
// the keys with it.
func (l *clientLink) drop(ctx context.Context, ids []cpm.KeyID) error {
	drop := &cpmv1.KeyDrop{}
	for _, id := range ids {
		drop.Ids = append(drop.Ids, id[:])
	}
	err := l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyDrop{KeyDrop: drop}}, 1, anyAnswer)
	if err != nil && (ctx.Err() != nil || errors.Is(err, cpm.ErrLinkLost)) {
		l.end()
		return nil
	}
	return err
}

func (l *clientLink) status(ctx context.Context) (status cpm.Status, err error) {
	var judged error
	err = l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_StatusQuery{StatusQuery: &cpmv1.StatusQuery{}}}, 1,
		func(a *cpmv1.ControlAnswer) bool {
			status, judged = statusOf(a.GetStatus())
			return true
		})
	return status, errors.Join(err, judged)
}

// shutdown waits until nothing is on the link, but leaves half of the time to the adapter, which completes what is left.
// The second answer of the adapter says that everything accepted is answered.
func (l *clientLink) shutdown(ctx context.Context) error {
	half, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		half, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	defer cancel()
	l.rest(half)
	err := l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Shutdown{Shutdown: &cpmv1.Shutdown{}}}, 2,
		func(a *cpmv1.ControlAnswer) bool { return a.GetDrained() })
	if err == nil {
		l.rest(ctx) // the last answers are on the other stream
	}
	return err
}

// rest waits until no operation waits for an answer, or ctx ends.
func (l *clientLink) rest(ctx context.Context) {
	select {
	case <-l.asked.none():
	case <-ctx.Done():
	}
}
