package adapter

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// portLink is one adapter that dialled in, as the core sees it: a Service.
type portLink struct {
	port    *Port
	key     string
	name    string          // of the adapter, once it has been let in
	ctx     context.Context // the link's life
	stop    context.CancelFunc
	control questions
	intake  *intake
	working chan struct{} // closed when the Work stream is there
	ready   chan struct{} // closed when the adapter has its settings
	joined  atomic.Bool
	late    atomic.Uint64

	mu         sync.Mutex
	attachment *Attachment
	gone       bool // the link has ended
}

var _ cpm.Service = (*portLink)(nil)

func newPortLink(ctx context.Context, p *Port, key string) *portLink {
	ctx, stop := context.WithCancel(ctx)
	l := &portLink{port: p, key: key, ctx: ctx, stop: stop, working: make(chan struct{}), ready: make(chan struct{})}
	l.control = newQuestions(partyAdapter, 2, &l.late)
	l.intake = newIntake(ctx, partyCPM, askCredit, l.perform)
	return l
}

// greet reads the adapter's Hello, asks the core whether it may attach, and sends ours.
func (l *portLink) greet(stream controlStream, identities []string) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello, c := first.GetHello(), l.port.config
	version, err := c.Versions.common(hello)
	if err != nil {
		return err
	}
	if !cpm.ValidName(hello.GetName()) {
		return fault.New(fault.Invalid, "the adapter's greeting has no name")
	}
	l.name = hello.GetName()
	if err := l.port.links.enter(l.key, l); err != nil {
		return err
	}
	if err := l.attach(identities); err != nil {
		return err
	}
	c.Logger.LogAttrs(l.ctx, slog.LevelInfo, "an adapter is connected", obs.Event("link.up"), obs.Adapter(l.name),
		slog.String("type", c.Type), slog.Uint64("version", uint64(version)))
	l.control.out.deliver(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: &cpmv1.Hello{
		VersionMin: c.Versions.Min, VersionMax: c.Versions.Max, Name: l.name, Epoch: l.intake.epoch, Credit: askCredit,
	}}})
	return nil
}

func (l *portLink) attach(identities []string) error {
	attachment, err := l.port.config.Attach(l.ctx, l.name, identities, l)
	if err != nil {
		return err
	}
	l.mu.Lock()
	gone := l.gone
	l.attachment = attachment
	l.mu.Unlock()
	if gone { // while the core made up its mind
		l.detach()
		return partyAdapter.lost()
	}
	return nil
}

// detach tells the core that the link is gone.
func (l *portLink) detach() {
	l.mu.Lock()
	attachment := l.attachment
	l.attachment, l.gone = nil, true
	l.mu.Unlock()
	if attachment != nil && attachment.Detach != nil {
		attachment.Detach()
	}
}

// begin configures the adapter, as the first question of the link, and waits for its Work stream. It says whether the link
// is complete; if it is not, it ends.
func (l *portLink) begin() bool {
	l.mu.Lock()
	a := l.attachment
	l.mu.Unlock()
	if a == nil {
		return false
	}
	err := l.control.configure(l.ctx, &cpmv1.Configure{Settings: a.Settings, Revision: a.Revision})
	if err != nil {
		l.port.config.Logger.LogAttrs(context.WithoutCancel(l.ctx), slog.LevelWarn, "the adapter did not take its configuration", obs.Event("link.refused"),
			obs.Adapter(l.name), obs.Err(err))
		l.stop()
		return false
	}
	close(l.ready)
	select {
	case <-l.working:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// join marks the Work stream as there. There is one.
func (l *portLink) join() bool {
	first := !l.joined.Swap(true)
	if first {
		close(l.working)
	}
	return first
}

// settled waits until the adapter has its first settings, so that no later ones overtake them.
func (l *portLink) settled(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	case <-l.ctx.Done():
		return partyAdapter.lost()
	case <-ctx.Done():
		return partyAdapter.tooLate(ctx)
	}
}

// Configure sends the adapter new settings (specification, "RefreshConfig").
func (l *portLink) Configure(ctx context.Context, settings []byte, revision int64) error {
	if err := l.settled(ctx); err != nil {
		return err
	}
	return l.control.configure(ctx, &cpmv1.Configure{Settings: settings, Revision: revision})
}

// Status asks the adapter for its state and counters.
func (l *portLink) Status(ctx context.Context) (cpm.ServiceStatus, error) {
	if err := l.settled(ctx); err != nil {
		return cpm.ServiceStatus{}, err
	}
	s, err := l.control.status(ctx)
	if err != nil {
		return cpm.ServiceStatus{}, err
	}
	return serviceStatusOf(s)
}

// Shutdown returns when the adapter has answered everything it had accepted, and what it asked for that is answered, too.
// Then the link ends.
func (l *portLink) Shutdown(ctx context.Context) error {
	if err := l.settled(ctx); err != nil {
		return err
	}
	err := l.control.shutdown(ctx)
	l.intake.complete(ctx)
	l.stop()
	return err
}

// perform has the core answer one Ask.
func (l *portLink) perform(ctx context.Context, a *cpmv1.Ask) *cpmv1.Answer {
	if !printable(a.GetRequestId()) || len(a.GetRequestId()) > maxRequestID {
		return answerOf(nil, fault.New(fault.Invalid, "the request id must be 1 to %d visible characters", maxRequestID))
	}
	payload, err := l.port.config.Handle(ctx, l.name, cpm.Operation(a.GetOperation()), a.GetRequestId(), a.GetPayload())
	if err != nil {
		decline := answerOf(nil, err)
		decline.Cause = "" // it is in the core's own log
		return decline
	}
	return &cpmv1.Answer{Payload: payload}
}

// maxRequestID bounds the id an adapter gives to what it asks, in bytes.
const maxRequestID = 128

func errNotGreeted() error {
	return fault.New(fault.State, "the link has not been greeted, or has its work stream already")
}
