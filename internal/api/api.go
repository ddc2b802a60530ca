// Package api is the Mojaloop port: the cryptographic operations for Mojaloop services, as HTTPS JSON and as gRPC, from
// the one definition in proto/cpm/v1.
//
// A door reads and bounds a request, makes the caller's certificate a Principal, stamps the arrival, hands a cpm.Request
// to the Processor and shows its answer or decline in the caller's protocol. It decides nothing else: access, routes,
// keys and deadlines belong to the Processor. Limits hold before anything is allocated for what they limit.
package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Processor performs operations; package core is the one of a CPM. It sets the deadline itself: the context it is given
// carries only the caller's own deadline and cancellation. An error that is not a *fault.Error is shown as Internal.
type Processor interface {
	Process(ctx context.Context, r *cpm.Request) (*cpm.Result, error)
}

// Admission says who may ask for how much; package core is the one of a CPM. Admit is called for each request before
// anything of its body is read, and the place left when it is answered. The items of a batch but the first are let in by Again, one
// after another on the batch's place and on others that Beside gives, which are left too. It logs its own declines.
type Admission interface {
	Admit(ctx context.Context, caller cpm.Principal) (*admission.Place, *fault.Error)
	Again(ctx context.Context, caller cpm.Principal, place *admission.Place) *fault.Error
	Beside(caller cpm.Principal) (*admission.Place, bool)
}

// everybody is the Admission when none was configured.
type everybody struct{}

func (everybody) Admit(context.Context, cpm.Principal) (*admission.Place, *fault.Error) {
	return nil, nil
}

func (everybody) Again(context.Context, cpm.Principal, *admission.Place) *fault.Error { return nil }

func (everybody) Beside(cpm.Principal) (*admission.Place, bool) { return nil, true }

// Config is what a Door is made of. Only Processor is mandatory.
type Config struct {
	Processor Processor
	// Publisher gives public keys; without one the door publishes none.
	Publisher Publisher
	// Admission bounds what each caller asks for; nil lets everybody in.
	Admission Admission
	// Logger hears what the door itself declines, and failures; nil is silence.
	Logger *slog.Logger
	// Metrics hears every answer; nil is nobody.
	Metrics Metrics
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// NewID makes request ids, which must be unique and safe in a header; nil makes 128 random bits.
	NewID func() string
	// Limits bound what callers can make the door do; fields that are zero have the value of DefaultLimits.
	Limits Limits
	// collect runs the garbage collector; nil is runtime.GC.
	collect func()
}

// Door is the Mojaloop port, both protocols. Its methods may be called concurrently.
type Door struct {
	processor  Processor
	publisher  Publisher
	admission  Admission
	sampler    admission.Sampler
	log        *slog.Logger
	metrics    Metrics
	now        func() time.Time
	newID      func() string
	limits     Limits
	operations operations
	shapes     shapes
	document   []byte
	gate       *gate
	reading    *admission.Room[admission.Caller]
	collection collection
	calls      *admission.Room[admission.Caller]
	buffers    *buffers
	tempo      *tempo
	// closing is closed when the ports shall close; sessions are the streams that still read.
	closing   chan struct{}
	closeOnce sync.Once
	sessions  sync.WaitGroup
	// sent is how many bytes gRPC has written; until is when answers on their way are waited for no longer, set before closing.
	sent  atomic.Int64
	until time.Time
	// cut is closed when the accepted requests are waited for no longer.
	cut     chan struct{}
	cutOnce sync.Once
}

// New makes a Door. It panics if a message of proto/cpm/v1 has a field the JSON mapping does not know, which only a
// change of the definition can cause.
func New(c Config) *Door {
	d := &Door{
		processor: c.Processor,
		publisher: c.Publisher,
		admission: c.Admission,
		log:       c.Logger,
		metrics:   c.Metrics,
		now:       c.Now,
		newID:     c.NewID,
		limits:    c.Limits.orDefault(),
		buffers:   newBuffers(),
		closing:   make(chan struct{}),
		cut:       make(chan struct{}),
	}
	if d.admission == nil {
		d.admission = everybody{}
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.metrics == nil {
		d.metrics = nobody{}
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.newID == nil {
		d.newID = rand.Text
	}
	d.collection.run = c.collect
	if d.collection.run == nil {
		d.collection.run = runtime.GC
	}
	d.gate = newGate(d.metrics)
	d.tempo = newTempo(d.metrics)
	d.reading = admission.NewRoom[admission.Caller](d.limits.Reading)
	d.calls = admission.NewRoom[admission.Caller](d.limits.Calls)
	d.operations = newOperations()
	d.shapes = newShapes(d.operations, &d.limits)
	d.document = newDocument(d.operations, &d.limits)

	return d
}

// Drain declines every new request from now on, waits until the accepted ones are answered, goes on declining for
// Limits.Linger so that callers on kept connections hear it, and then lets ServeJSON and ServeGRPC close their
// connections and return. When ctx ends first, its error is returned; the accepted requests are then declined, for which they get
// a second, before the ports close.
//
// gRPC goes on sending answers after Drain has returned, for as long as callers read them and until the deadline that ctx had, or
// for Limits.Drain if it had none. That ctx is cancelled by then, as contexts are, changes nothing.
func (d *Door) Drain(ctx context.Context) error {
	d.gate.decline()
	err := d.gate.wait(ctx)
	d.tempo.end()
	if err == nil {
		d.linger(ctx)
	} else {
		d.cutOff(ctx)
	}
	d.closeOnce.Do(func() {
		if err == nil {
			d.until = d.rest(ctx)
		}
		close(d.closing)
	})
	return err
}

// rest is when the time of a drain ends.
func (d *Door) rest(ctx context.Context) time.Time {
	if end, limited := ctx.Deadline(); limited {
		return end
	}
	return time.Now().Add(d.limits.Drain)
}

// lastAnswers is how long requests that are waited for no longer have to be declined.
const lastAnswers = time.Second

// cutOff ends the contexts of the accepted requests, and waits until they are answered, which is now a decline.
func (d *Door) cutOff(ctx context.Context) {
	d.cutOnce.Do(func() { close(d.cut) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	if d.gate.wait(ctx) != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "requests could not be declined in time")
	}
}

// untilCut is the context of a port's requests: it outlives the one that ends the port, as requests are drained, and ends
// when they are waited for no longer.
func (d *Door) untilCut(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-d.cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (d *Door) linger(ctx context.Context) {
	timer := time.NewTimer(d.limits.Linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-d.closing:
	}
}

// drainAfter is what ends a port: it returns when the ports shall close, having drained by itself if ctx ended first.
func (d *Door) drainAfter(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-d.closing:
		return nil
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.limits.Drain)
	defer cancel()
	if err := d.Drain(bounded); err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "the drain time is over; the requests in flight are declined", obs.Event("port.unanswered"))
	}
	return nil
}

// shuttingDown is the decline of everything that comes after Drain.
func shuttingDown() *fault.Error {
	return fault.New(fault.Unavailable, "shutting down, send it to another instance")
}
