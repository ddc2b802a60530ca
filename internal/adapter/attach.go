package adapter

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync/atomic"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// AttachConfig is what an adapter that dials in is told: a Command or a Key Update adapter.
type AttachConfig struct {
	// Name is the adapter's, as the core's configuration has it.
	Name string
	// Address is host:port of the core's port for this type of adapter.
	Address string
	// TLS gives our certificate, the authorities, and in ServerName the name the core's certificate must have. It is asked
	// for each connection, so that changed files are followed.
	TLS func() (*tls.Config, error)
	// Versions are the link versions to speak; the zero value is this build's.
	Versions Versions
	// Logger names the adapter by itself.
	Logger *slog.Logger
	// Configure takes the adapter's settings in, as JSON: first on each new link, later as RefreshConfig. The settings take
	// effect as a whole or not at all. It may be nil.
	Configure func(ctx context.Context, settings []byte, revision int64) error
	// Status is what the adapter says of itself. It may be nil.
	Status func() cpm.ServiceStatus
	// Shutdown returns when everything the adapter had accepted is answered; it must not call Close. It may be nil.
	Shutdown func(ctx context.Context) error
}

// Attached is the adapter's end of a link it dialled. It connects by itself, and again whenever the link is lost.
type Attached struct {
	keeper[attachedLink]

	config AttachConfig
	open   opener
	late   atomic.Uint64
}

// Attach starts connecting. It keeps to it until ctx ends or Close is called.
func Attach(ctx context.Context, c AttachConfig) *Attached {
	return attach(ctx, c, dialer(c.Address, c.TLS))
}

func attach(ctx context.Context, c AttachConfig, open opener) *Attached {
	c.Versions = c.Versions.orBuilt()
	a := &Attached{config: c, open: open}
	a.party, a.address, a.logger = partyCPM, c.Address, c.Logger
	keep(ctx, &a.keeper, a.once)
	return a
}

// once connects, greets, is configured, and serves until the link ends. It tells how long the link was up.
func (a *Attached) once(ctx context.Context) (time.Duration, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	timer := time.AfterFunc(greetTimeout, end)
	defer timer.Stop()
	w, err := a.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = w.close() }()
	l := newAttachedLink(ctx, a.config, &a.late, end)
	work, err := l.greet(w)
	if err != nil {
		return 0, err
	}
	over := make(chan error, 1)
	go func() { over <- l.serve(ctx, w.control, work) }()
	select {
	case <-l.configured:
	case err := <-over:
		return 0, err
	}
	timer.Stop()
	return a.holds(ctx, l, l.version, over)
}

// maxAsk bounds what an adapter that dialled in may ask at once, in bytes: the core reads no more.
const maxAsk = 1 << 20

// Ask asks the core, and gives the answer's payload. The request id is 1 to 128 printable characters. A decline of the core has its kind. Without a link it is declined with
// Unavailable; if the link was lost while the answer was awaited, cpm.ErrLinkLost is in the error's chain and the core may
// or may not have done what was asked.
func (a *Attached) Ask(ctx context.Context, o cpm.Operation, requestID string, payload []byte) ([]byte, error) {
	l, err := a.current()
	if err != nil {
		return nil, err
	}
	if err := l.work.admit(ctx, ""); err != nil {
		return nil, err
	}
	defer l.work.done("")
	answer, err := l.work.ask(ctx, &cpmv1.Ask{
		Epoch: l.work.epoch, RequestId: requestID, Operation: string(o), TimeoutMs: timeoutOf(ctx), Payload: payload,
	}, maxAsk)
	switch {
	case err != nil:
		return nil, err
	case answer.GetFault() != "":
		return nil, declineOf(answer)
	case answer.GetOperation() != string(o):
		return nil, fault.New(fault.Internal, "the CPM answered another question than it was asked")
	}
	return answer.GetPayload(), nil
}

// Late is how many answers came when nobody waited for them any more.
func (a *Attached) Late() uint64 { return a.late.Load() }
