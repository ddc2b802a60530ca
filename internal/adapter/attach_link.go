package adapter

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// attachedLink is one link to the core. The adapter asks on the Work stream; on the Control stream the core does.
type attachedLink struct {
	config  AttachConfig
	ctx     context.Context // the link's life
	end     context.CancelFunc
	version uint32
	work    asker
	answers *outbox[*cpmv1.ControlFrame]

	asked      uint64        // no id of the Control stream up to here is used again
	revision   int64         // of the settings that are in force
	configured chan struct{} // closed when the first Configure took effect
	closing    atomic.Bool   // the core has asked for a Shutdown
	draining   sync.WaitGroup
}

func newAttachedLink(ctx context.Context, c AttachConfig, late *atomic.Uint64, end context.CancelFunc) *attachedLink {
	return &attachedLink{
		config: c, ctx: ctx, end: end, work: newAsker(partyCPM, late), answers: newOutbox[*cpmv1.ControlFrame](answerRoom),
		configured: make(chan struct{}),
	}
}

// greet exchanges Hello and opens the Work stream.
func (l *attachedLink) greet(w *wires) (workStream, error) {
	c := l.config
	hello, err := exchangeHello(w.control, &cpmv1.Hello{VersionMin: c.Versions.Min, VersionMax: c.Versions.Max, Name: c.Name, Epoch: newEpoch()})
	if err != nil {
		return nil, err
	}
	if l.version, err = c.Versions.common(hello); err != nil {
		return nil, err
	}
	if hello.GetName() != c.Name {
		return nil, fault.New(fault.NotFound, "the CPM takes this adapter for another one")
	}
	l.work.greeted(hello)
	return w.work()
}

// serve reads and writes both streams until one ends, and then ends whoever waits for an answer.
func (l *attachedLink) serve(ctx context.Context, control controlStream, work workStream) error {
	defer l.draining.Wait()
	defer l.work.asked.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.answers.run(control, ctx.Done()) })
	group.Go(func() error { return l.work.out.run(work, ctx.Done()) })
	group.Go(func() error { return l.readControl(control) })
	group.Go(func() error { return l.work.read(work) })
	group.Go(func() error {
		<-ctx.Done()
		l.end()
		return nil
	})
	return group.Wait()
}

// readControl answers the core's questions one after another, so that their order holds. Shutdown alone is completed aside.
func (l *attachedLink) readControl(s controlStream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if f.GetId() == 0 || f.GetId()%2 != 0 || f.GetId() <= l.asked {
			continue // not new: an answer could be taken for another's
		}
		l.asked = f.GetId()
		answer := l.answer(f)
		l.reply(f.GetId(), answer)
		if f.GetConfigure() != nil && answer.GetFault() == "" {
			l.isConfigured()
		}
		if f.GetShutdown() != nil && !l.closing.Swap(true) {
			l.draining.Go(func() { l.drain(f.GetId()) })
		}
	}
}

func (l *attachedLink) reply(id uint64, a *cpmv1.ControlAnswer) {
	l.answers.deliver(&cpmv1.ControlFrame{Id: id, Kind: &cpmv1.ControlFrame_Answer{Answer: a}})
}

func (l *attachedLink) isConfigured() {
	select {
	case <-l.configured:
	default:
		close(l.configured)
	}
}

// answer obeys RefreshConfig, Status and Shutdown. Anything else is declined and logged (specification, "Command Adapter",
// "Key Update Adapter").
func (l *attachedLink) answer(f *cpmv1.ControlFrame) *cpmv1.ControlAnswer {
	if l.closing.Load() && begins(f) {
		return refusal(fault.New(fault.Unavailable, "the adapter is shutting down"))
	}
	switch kind := f.GetKind().(type) {
	case *cpmv1.ControlFrame_Configure:
		if err := l.configure(kind.Configure); err != nil {
			return refusal(err)
		}
		return &cpmv1.ControlAnswer{}
	case *cpmv1.ControlFrame_StatusQuery:
		return &cpmv1.ControlAnswer{Status: l.status()}
	case *cpmv1.ControlFrame_Shutdown:
		return &cpmv1.ControlAnswer{}
	}
	l.config.Logger.LogAttrs(l.ctx, slog.LevelWarn, "the core asked for what this adapter does not do; it was declined",
		obs.Event("adapter.command-declined"))
	return refusal(fault.New(fault.Unsupported, "the adapter does not know this command"))
}

// configure takes settings in. Those of an older revision have been overtaken and change nothing.
func (l *attachedLink) configure(c *cpmv1.Configure) error {
	if c.GetRevision() < l.revision || l.config.Configure == nil {
		return nil
	}
	if err := l.config.Configure(l.ctx, c.GetSettings(), c.GetRevision()); err != nil {
		return err
	}
	l.revision = c.GetRevision()
	return nil
}

func (l *attachedLink) status() *cpmv1.LinkStatus {
	s := cpm.ServiceStatus{State: cpm.Active}
	if l.config.Status != nil {
		s = l.config.Status()
	}
	if l.closing.Load() && s.State == cpm.Active {
		s.State = cpm.ShuttingDown
	}
	out := &cpmv1.LinkStatus{State: string(s.State)}
	for name, n := range s.Counts {
		out.Counts = append(out.Counts, &cpmv1.LinkCount{Operation: name, Success: n.Success, Failed: n.Failed, Invalid: n.Invalid})
	}
	return out
}

// drain completes what the adapter has accepted, which may need answers of the core, and sends the second answer.
func (l *attachedLink) drain(id uint64) {
	ctx, cancel := context.WithTimeout(l.ctx, drainTimeout)
	defer cancel()
	answer := &cpmv1.ControlAnswer{}
	if l.config.Shutdown != nil {
		if err := l.config.Shutdown(ctx); err != nil {
			answer = refusal(err)
		}
	}
	l.work.rest(ctx)
	answer.Drained = true
	l.reply(id, answer)
}
