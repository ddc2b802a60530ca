package adapter

import (
	"context"
	"crypto/hpke"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	grpcstatus "google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// answerRoom is how many answers of the Control stream wait to be written before the next question is read.
const answerRoom = 16

// lingerTimeout is how long an adapter that has shut down leaves the core to read so and close the link.
const lingerTimeout = 2 * time.Second

// serverLink is one core's link, with a module of its own.
type serverLink struct {
	server  *Server
	ctx     context.Context // the link's life
	stop    context.CancelFunc
	answers *outbox[*cpmv1.ControlFrame]
	session exporter
	private hpke.PrivateKey
	intake  *intake
	working atomic.Bool // the Work stream is there

	order  chan struct{} // has an element while a question is answered or the link ends; waiting for it can be given up
	asked  uint64        // no id of the Control stream up to here is used again
	ended  bool
	mu     sync.Mutex
	module cpm.Module
}

func newServerLink(ctx context.Context, s *Server, e exporter) (*serverLink, error) {
	private, err := newKeyPair()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &serverLink{
		server: s, ctx: ctx, stop: stop, answers: newOutbox[*cpmv1.ControlFrame](answerRoom), session: e, private: private,
		order: make(chan struct{}, 1),
	}
	l.intake = newIntake(ctx, partyAdapter, s.config.Credit, l.perform)
	return l, nil
}

// greet reads the core's Hello and sends ours. The link is entered before: the core's Work stream may be here at once.
func (l *serverLink) greet(stream controlStream, key string) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c := l.server.config
	version, err := c.Versions.common(first.GetHello())
	if err != nil {
		return err
	}
	if first.GetHello().GetName() != c.Name {
		return fault.New(fault.NotFound, "this is another adapter than the core looks for")
	}
	if err := l.server.links.enter(key, l); err != nil {
		return err
	}
	c.Logger.LogAttrs(l.ctx, slog.LevelInfo, "a core is connected", obs.Event("link.up"), obs.Adapter(c.Name))
	var able []string
	if version >= listsOperations {
		able = words(c.Operations)
	}
	l.answers.deliver(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: &cpmv1.Hello{
		VersionMin: c.Versions.Min, VersionMax: c.Versions.Max, Name: c.Name, Epoch: l.intake.epoch, Credit: uint32(c.Credit), //nolint:gosec // at most maxCredit
		HpkePublicKey: l.private.PublicKey().Bytes(), Operations: able,
	}}})
	return nil
}

// readControl answers questions one after another, so that their order holds. Shutdown alone is completed aside.
func (l *serverLink) readControl(stream controlStream) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		if f.GetId()%2 == 0 || f.GetId() <= l.asked {
			continue // not new: an answer could be taken for another's
		}
		l.asked = f.GetId()
		l.reply(f.GetId(), l.answer(f))
		if f.GetShutdown() != nil && l.intake.close() {
			l.server.reading.Go(func() { l.finish(f.GetId()) })
		}
	}
}

func (l *serverLink) reply(id uint64, a *cpmv1.ControlAnswer) {
	l.answers.deliver(&cpmv1.ControlFrame{Id: id, Kind: &cpmv1.ControlFrame_Answer{Answer: a}})
}

func (l *serverLink) answer(f *cpmv1.ControlFrame) *cpmv1.ControlAnswer {
	var (
		answer = &cpmv1.ControlAnswer{}
		err    error
	)
	l.order <- struct{}{}
	defer func() { <-l.order }()
	if l.ended {
		return refusal(fault.New(fault.State, "the link has ended"))
	}
	if l.intake.isClosing() && begins(f) {
		return refusal(fault.New(fault.Unavailable, "the adapter is shutting down"))
	}
	// While shutting down, what would begin something new is declined (specification, "Software Security Module Adapter",
	// Shutdown 2); a dropped key leaves memory all the same, and Status is answered.
	if begins := f.GetConfigure() != nil || f.GetKeyPut() != nil; begins && l.intake.isClosing() {
		return refusal(fault.New(fault.Unavailable, "the adapter is shutting down"))
	}
	switch kind := f.GetKind().(type) {
	case *cpmv1.ControlFrame_Configure:
		err = l.configure(kind.Configure)
	case *cpmv1.ControlFrame_KeyPut:
		err = l.put(kind.KeyPut)
	case *cpmv1.ControlFrame_KeyDrop:
		err = l.drop(kind.KeyDrop)
	case *cpmv1.ControlFrame_StatusQuery:
		answer.Status, err = l.status()
	case *cpmv1.ControlFrame_Shutdown:
	default:
		err = fault.New(fault.Unsupported, "the adapter does not know this command")
	}
	if err != nil {
		return refusal(err)
	}
	return answer
}

// begins says whether a question begins something new, which is declined while shutting down (specification, "Shutdown").
func begins(f *cpmv1.ControlFrame) bool { return f.GetConfigure() != nil || f.GetKeyPut() != nil }

func refusal(err error) *cpmv1.ControlAnswer {
	e := fault.From(err)
	return &cpmv1.ControlAnswer{Fault: e.Kind.String(), Text: e.Public}
}

// configure makes the module of the link, or has it take a new configuration: with another module the keys would be gone.
func (l *serverLink) configure(c *cpmv1.Configure) error {
	var operations []cpm.Operation
	for _, o := range c.GetOperations() {
		operations = append(operations, cpm.Operation(o))
	}
	if module, ok := l.running().(cpm.Configurable); ok {
		return module.Configure(l.ctx, operations, c.GetSettings())
	}
	module, err := l.server.config.New(operations, c.GetSettings())
	if err != nil {
		return err
	}
	l.mu.Lock()
	before := l.module
	l.module = module
	l.mu.Unlock()
	if controlled, ok := before.(cpm.Controlled); ok {
		ctx, cancel := context.WithTimeout(l.ctx, drainTimeout)
		defer cancel()
		return controlled.Shutdown(ctx)
	}
	return nil
}

// running is the module, or nil before the first Configure.
func (l *serverLink) running() cpm.Module {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.module
}

func (l *serverLink) current() (cpm.Module, error) {
	module := l.running()
	if module == nil {
		return nil, fault.New(fault.State, "the adapter has not been configured on this link")
	}
	return module, nil
}

func (l *serverLink) holder() (cpm.KeyHolder, error) {
	module, err := l.current()
	if err != nil {
		return nil, err
	}
	holder, ok := module.(cpm.KeyHolder)
	if !ok {
		return nil, fault.New(fault.Unsupported, "the adapter's keys live in hardware")
	}
	return holder, nil
}

func (l *serverLink) put(p *cpmv1.KeyPut) error {
	holder, err := l.holder()
	if err != nil {
		return err
	}
	m := cpm.Material{Algorithm: p.GetAlgorithm(), Use: cpm.KeyUse(p.GetUse()), Public: p.GetPublicKey()}
	if m.Ref, err = keyRef(p.GetKey()); err != nil {
		return err
	}
	if len(p.GetSealed()) > 0 {
		if m.Private, err = openKey(l.private, l.session, m, p.GetSealed()); err != nil {
			return err
		}
	}
	return holder.Put(l.ctx, m)
}

func (l *serverLink) drop(d *cpmv1.KeyDrop) error {
	holder, err := l.holder()
	if err != nil {
		return err
	}
	var ids []cpm.KeyID
	for _, id := range d.GetIds() {
		ref, err := keyRef(&cpmv1.LinkKey{Id: id})
		if err != nil {
			return err
		}
		ids = append(ids, ref.ID)
	}
	return holder.Drop(l.ctx, ids...)
}

func (l *serverLink) status() (*cpmv1.LinkStatus, error) {
	module, err := l.current()
	if err != nil {
		return nil, err
	}
	s, err := module.Status(l.ctx)
	if l.intake.isClosing() && s.State == cpm.Active {
		s.State = cpm.ShuttingDown
	}
	return statusFrame(s), err
}

// finish ends the module and sends the second answer of a Shutdown. It leaves the core the time to read it.
func (l *serverLink) finish(id uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), drainTimeout)
	defer cancel()
	answer := &cpmv1.ControlAnswer{}
	if err := l.shutdown(ctx); err != nil {
		answer = refusal(err)
	}
	answer.Drained = true
	l.reply(id, answer)
	linger := time.NewTimer(lingerTimeout)
	defer linger.Stop()
	select {
	case <-l.ctx.Done():
	case <-linger.C:
	}
	if ended := l.server.config.Ended; ended != nil {
		ended()
	}
}

// shutdown lets no operation begin, completes what is in flight, answers included, and ends the module.
func (l *serverLink) shutdown(ctx context.Context) error {
	l.intake.complete(ctx)
	if controlled, ok := l.running().(cpm.Controlled); ok {
		return controlled.Shutdown(ctx)
	}
	return nil
}

// end cancels what is in flight and drops the keys: the link is gone.
func (l *serverLink) end() {
	l.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), drainTimeout)
	defer cancel()
	select {
	case l.order <- struct{}{}:
		l.ended = true
		defer func() { <-l.order }()
	case <-ctx.Done(): // a module that does not come back from its question
	}
	if err := l.shutdown(ctx); err != nil {
		l.server.config.Logger.LogAttrs(ctx, slog.LevelError, "the module of a link that is gone did not end", obs.Event("link.down"),
			obs.Adapter(l.server.config.Name), obs.Err(err))
	}
}

// status is the gRPC status of a refusal: public text only.
func status(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	e := fault.From(err)
	return grpcstatus.Error(e.Kind.Code().GRPC, e.Public)
}

func statusFrame(s cpm.Status) *cpmv1.LinkStatus {
	out := &cpmv1.LinkStatus{State: string(s.State)}
	for o, n := range s.Counts {
		out.Counts = append(out.Counts, &cpmv1.LinkCount{Operation: string(o), Success: n.Success, Failed: n.Failed, Invalid: n.Invalid})
	}
	return out
}

// perform has the module of the link do one operation.
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
