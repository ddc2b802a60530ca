package adapter

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// clientLink is one link to the adapter, greeted and configured.
type clientLink struct {
	name     string
	versions Versions
	control  questions
	work     asker
	session  exporter
	version  uint32
	holder   hpke.PublicKey
	able     map[cpm.Operation]bool // what the adapter can do; nil if it did not say
	end      context.CancelFunc
}

func newClientLink(c ClientConfig, late *atomic.Uint64, end context.CancelFunc) *clientLink {
	return &clientLink{
		name: c.Name, versions: c.Versions, control: newQuestions(partyAdapter, 1, late), work: newAsker(partyAdapter, late), end: end,
	}
}

// greet exchanges Hello and opens the Work stream.
func (l *clientLink) greet(w *wires) (workStream, error) {
	hello, err := exchangeHello(w.control, &cpmv1.Hello{
		VersionMin: l.versions.Min, VersionMax: l.versions.Max, Name: l.name, Epoch: newEpoch(),
	})
	if err != nil {
		return nil, err
	}
	if l.session, err = w.session(); err != nil {
		return nil, err
	}
	if err := l.greeted(hello); err != nil {
		return nil, err
	}
	return w.work()
}

// exchangeHello sends ours and reads theirs; the side that dialled begins.
func exchangeHello(s controlStream, ours *cpmv1.Hello) (*cpmv1.Hello, error) {
	err := s.Send(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: ours}})
	if err != nil && !errors.Is(err, io.EOF) { // with io.EOF, Recv has the reason
		return nil, err
	}
	first, err := s.Recv()
	if err != nil {
		return nil, err
	}
	return first.GetHello(), nil
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
	l.work.greeted(hello)
	if all := hello.GetOperations(); l.version >= listsOperations && len(all) > 0 {
		l.able = map[cpm.Operation]bool{}
		for _, o := range all[:min(len(all), maxOperations)] {
			l.able[cpm.Operation(o)] = true
		}
	}
	return nil
}

// maxOperations bounds the operations an adapter says it can do.
const maxOperations = 1024

// unable are the operations of some that the adapter says it cannot do, such as one of an older version than the core.
func (l *clientLink) unable(mandated []cpm.Operation) []cpm.Operation {
	if l.able == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(mandated), func(o cpm.Operation) bool { return l.able[o] })
}

// configure is the first question of a link.
func (l *clientLink) configure(ctx context.Context, c ClientConfig) error {
	return l.control.configure(ctx, &cpmv1.Configure{Operations: words(c.Operations), Settings: c.Settings})
}

// words are operations as messages have them.
func words(operations []cpm.Operation) []string {
	var all []string
	for _, o := range operations {
		all = append(all, string(o))
	}
	return all
}

// serve reads and writes both streams until one ends, and then ends whoever waits for an answer.
func (l *clientLink) serve(ctx context.Context, control controlStream, work workStream) error {
	defer func() {
		l.work.asked.close()
		l.control.asked.close()
	}()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.control.out.run(control, ctx.Done()) })
	group.Go(func() error { return l.work.out.run(work, ctx.Done()) })
	group.Go(func() error { return l.control.read(control) })
	group.Go(func() error { return l.work.read(work) })
	group.Go(func() error {
		<-ctx.Done()
		l.end()
		return nil
	})
	return group.Wait()
}

// do sends one operation and waits for its answer or the end of ctx.
func (l *clientLink) do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if err := l.work.admit(ctx, r.FSP); err != nil {
		return nil, err
	}
	defer l.work.done(r.FSP)
	if l.able != nil && !l.able[r.Operation] {
		return nil, fault.New(fault.Unsupported, "the adapter cannot do this operation; upgrade it, or route the operation elsewhere")
	}
	ask, err := askOf(ctx, r, l.work.epoch)
	if err != nil {
		return nil, err
	}
	answer, err := l.work.ask(ctx, ask, maxMessage)
	if err != nil {
		return nil, err
	}
	return resultOf(answer, r.Operation)
}

func (l *clientLink) put(ctx context.Context, m cpm.Material) error {
	put := &cpmv1.KeyPut{Key: keyFrame(m.Ref), Algorithm: m.Algorithm, Use: string(m.Use), PublicKey: m.Public}
	if m.Private.Len() > 0 {
		var err error
		if put.Sealed, err = sealKey(l.holder, l.session, m); err != nil {
			return err
		}
	}
	return l.control.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: put}}, 1, anyAnswer)
}

// drop returns when the adapter has confirmed. When it has not by the end of ctx, or the link is lost, the link ends and
// the keys with it.
func (l *clientLink) drop(ctx context.Context, ids []cpm.KeyID) error {
	drop := &cpmv1.KeyDrop{}
	for _, id := range ids {
		drop.Ids = append(drop.Ids, id[:])
	}
	err := l.control.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyDrop{KeyDrop: drop}}, 1, anyAnswer)
	if err != nil && (ctx.Err() != nil || errors.Is(err, cpm.ErrLinkLost)) {
		l.end()
		return nil
	}
	return err
}

// shutdown waits until nothing is on the link, but leaves half of the time to the adapter, which completes what is left.
func (l *clientLink) shutdown(ctx context.Context) error {
	half, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		half, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	defer cancel()
	l.work.rest(half)
	err := l.control.shutdown(ctx)
	if err == nil {
		l.work.rest(ctx) // the last answers are on the other stream
	}
	return err
}
