package adapter

import (
	"context"
	"crypto/hpke"
	"crypto/tls"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcstatus "google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// serverLink is one core's link, with a module of its own.
type serverLink struct {
	server  *Server
	ctx     context.Context
	control sender[cpmv1.ControlFrame]
	session *tls.ConnectionState
	private hpke.PrivateKey
	epoch   uint64

	mu      sync.Mutex
	module  cpm.Module
	open    map[uint64]context.CancelFunc // operations in flight
	highest uint64                        // no id up to here is used again
	working sync.WaitGroup
}

// greet reads the core's Hello and sends ours.
func (s *Server) greet(stream grpc.BidiStreamingServer[cpmv1.ControlFrame, cpmv1.ControlFrame]) (*serverLink, error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if _, err := version(first.GetHello(), VersionMin, VersionMax); err != nil {
		return nil, err
	}
	if name := first.GetHello().GetName(); name != s.config.Name {
		return nil, fault.New(fault.NotFound, "this is another adapter than the core looks for")
	}
	l := &serverLink{server: s, ctx: stream.Context(), epoch: newEpoch(), open: map[uint64]context.CancelFunc{}}
	l.control.stream = stream
	if l.session, err = session(stream.Context()); err != nil {
		return nil, err
	}
	if l.private, err = newKeyPair(); err != nil {
		return nil, err
	}
	hello := &cpmv1.Hello{
		VersionMin: VersionMin, VersionMax: VersionMax, Name: s.config.Name, Epoch: l.epoch, Credit: uint32(min(s.config.Credit, 1<<20)), //nolint:gosec // bounded in this line
		HpkePublicKey: l.private.PublicKey().Bytes(),
	}
	return l, l.control.send(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: hello}})
}

// serveControl answers questions one after another, so that their order holds. Shutdown alone is answered from aside.
func (l *serverLink) serveControl(stream grpc.BidiStreamingServer[cpmv1.ControlFrame, cpmv1.ControlFrame]) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := l.control.send(&cpmv1.ControlFrame{Id: f.GetId(), Kind: &cpmv1.ControlFrame_Answer{Answer: l.answer(f)}}); err != nil {
			return err
		}
		if f.GetShutdown() != nil {
			go l.finish(f.GetId())
		}
	}
}

func (l *serverLink) answer(f *cpmv1.ControlFrame) *cpmv1.ControlAnswer {
	var (
		answer = &cpmv1.ControlAnswer{}
		err    error
	)
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
		e := fault.From(err)
		answer.Fault, answer.Text = e.Kind.String(), e.Public
	}
	return answer
}

func (l *serverLink) configure(c *cpmv1.Configure) error {
	var operations []cpm.Operation
	for _, o := range c.GetOperations() {
		operations = append(operations, cpm.Operation(o))
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
		return controlled.Shutdown(l.ctx)
	}
	return nil
}

func (l *serverLink) current() (cpm.Module, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.module == nil {
		return nil, fault.New(fault.State, "the adapter has not been configured on this link")
	}
	return l.module, nil
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
	return statusFrame(s), err
}

// finish ends the module and sends the second answer of a Shutdown.
func (l *serverLink) finish(id uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), drainTimeout)
	defer cancel()
	answer := &cpmv1.ControlAnswer{Drained: true}
	if err := l.shutdown(ctx); err != nil {
		e := fault.From(err)
		answer.Fault, answer.Text = e.Kind.String(), e.Public
	}
	_ = l.control.send(&cpmv1.ControlFrame{Id: id, Kind: &cpmv1.ControlFrame_Answer{Answer: answer}})
	if ended := l.server.config.Ended; ended != nil {
		ended()
	}
}

// shutdown completes what is in flight, answers included, and ends the module.
func (l *serverLink) shutdown(ctx context.Context) error {
	module, err := l.current()
	if err != nil {
		return nil //nolint:nilerr // nothing was configured, so there is nothing to end
	}
	if controlled, ok := module.(cpm.Controlled); ok {
		err = controlled.Shutdown(ctx)
	}
	l.working.Wait()
	return err
}

// end cancels what is in flight and drops the keys: the link is gone.
func (l *serverLink) end() {
	l.mu.Lock()
	for _, cancel := range l.open {
		cancel()
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), drainTimeout)
	defer cancel()
	_ = l.shutdown(ctx)
}

// serveWork does operations, each in a goroutine, at most as many at once as the credit of the Hello.
func (l *serverLink) serveWork(stream grpc.BidiStreamingServer[cpmv1.WorkFrame, cpmv1.WorkFrame]) error {
	out := &sender[cpmv1.WorkFrame]{stream: stream}
	slots := make(chan struct{}, l.server.config.Credit)
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		switch kind := f.GetKind().(type) {
		case *cpmv1.WorkFrame_Cancel:
			l.cancel(f.GetId())
		case *cpmv1.WorkFrame_Ask:
			select {
			case slots <- struct{}{}:
			default:
				return fault.New(fault.Busy, "the core sent more than the credit it was given")
			}
			l.begin(stream.Context(), out, f.GetId(), kind.Ask, func() { <-slots })
		}
	}
}

// begin starts one operation. An id that is not new ends up nowhere: answering it could be taken for another's answer.
func (l *serverLink) begin(ctx context.Context, out *sender[cpmv1.WorkFrame], id uint64, a *cpmv1.Ask, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id <= l.highest || a.GetEpoch() != l.epoch {
		done()
		return
	}
	l.highest = id
	cancel := func() {}
	if ms := a.GetTimeoutMs(); ms > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	l.open[id] = cancel
	l.working.Go(func() {
		defer done()
		answer := l.perform(ctx, a)
		l.cancel(id)
		_ = out.send(&cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Answer{Answer: answer}})
	})
}

func (l *serverLink) cancel(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cancel, ok := l.open[id]; ok {
		cancel()
		delete(l.open, id)
	}
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
	result, err := module.Do(ctx, r)
	return answerOf(result, err)
}

// status is the gRPC status of a refusal: public text only.
func status(err error) error {
	if err == nil {
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

func statusOf(s *cpmv1.LinkStatus) cpm.Status {
	out := cpm.Status{State: cpm.State(s.GetState()), Counts: map[cpm.Operation]cpm.Outcomes{}}
	for _, c := range s.GetCounts() {
		out.Counts[cpm.Operation(c.GetOperation())] = cpm.Outcomes{Success: c.GetSuccess(), Failed: c.GetFailed(), Invalid: c.GetInvalid()}
	}
	return out
}
