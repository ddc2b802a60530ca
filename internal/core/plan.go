package core

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// The header fields a plan reads, in lower case.
const (
	headerSource      = "fspiop-source"
	headerDestination = "fspiop-destination"
	headerEncryption  = "fspiop-encryption"
)

// plan is an operation that is carried out as requests of other operations, its steps, one after the other. Each step is
// routed, authorised, counted and logged by itself, as if the caller had asked for it. The plan gets one answer, and its own
// counters, without an adapter.
type plan struct {
	*trip

	core *Core
	fsp  *FSP
	// refused is the reason word when the plan itself found that the signature does not count.
	refused string
	// shed says that a step was declined as Busy, and counted as that.
	shed bool
}

// carryOut performs the plan of a request that was let in, and answers it exactly once.
func (c *Core) carryOut(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	p := &plan{trip: &trip{request: r}, core: c}
	out, err := p.run(ctx)
	switch {
	case p.shed:
		c.counters.of(p.trip).failed.Add(1)
		return nil, err
	case err != nil:
		return nil, c.declined(ctx, p.trip, err)
	}
	c.carriedOut(ctx, p)
	return &cpm.Result{Payload: cpm.Payload{Message: out}}, nil
}

func (p *plan) run(ctx context.Context) (out proto.Message, err error) {
	if p.fsp, err = p.core.judge(p.trip); err != nil {
		return nil, err
	}
	// The plan reads the message itself, and its steps take their own sizes on top.
	who, size := admission.CallerOf(p.request.Caller), p.request.Size
	if !p.core.bytes.Take(who, size) {
		return nil, tooManyBytes()
	}
	defer p.core.bytes.Give(who, size)
	return p.carry(ctx)
}

// carriedOut counts a plan that got its answer. What its steps found they have reported themselves.
func (c *Core) carriedOut(ctx context.Context, p *plan) {
	c.counters.of(p.trip).success.Add(1)
	if p.refused != "" {
		c.log.LogAttrs(ctx, slog.LevelInfo, "signature refused", obs.Event("signature.refused"), obs.RequestID(p.request.ID), obs.TraceID(p.request.Trace.ID()),
			obs.FSP(p.fspLabel()), slog.String("reason", p.refused))
	}
	c.config.Observe(Observation{Operation: p.request.Operation, Refused: p.refused, Total: time.Since(p.request.Arrival)})
}

// step has a request of another operation performed on behalf of the plan's caller. Its timer runs from the arrival of the
// plan's request, so that the whole has one deadline.
func step[M proto.Message](ctx context.Context, p *plan, word string, f cpm.FSP, o cpm.Operation, m proto.Message) (answer M, done *cpm.Result, err error) {
	r := p.request
	done, err = p.core.process(ctx, &cpm.Request{
		ID: r.ID + "-" + word, FSP: f, Operation: o, Caller: r.Caller, Trace: r.Trace, Arrival: r.Arrival,
		Size: proto.Size(m), Payload: cpm.Payload{Message: m},
	}, p.core.bytes.TakeFree)
	if err != nil {
		p.shed = errors.Is(err, fault.Busy)
		return answer, nil, err
	}
	answer, ok := done.Payload.Message.(M)
	if !ok {
		return answer, nil, fault.New(fault.Device, "the adapter gave no answer to this operation")
	}
	return answer, done, nil
}

// header is the value of a field, its name in lower case.
func header(m interface{ GetHeaders() map[string]string }, name string) string {
	for n, value := range m.GetHeaders() {
		if strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// content is a body on its way through a plan: it goes from step to step as it came, as text or as bytes.
type content struct {
	bytes []byte
	// text says that it came as text.
	text bool
}

func contentOf(m interface {
	GetBody() string
	GetBodyBase64() []byte
},
) content {
	if b := m.GetBodyBase64(); len(b) > 0 {
		return content{bytes: b}
	}
	return content{bytes: []byte(m.GetBody()), text: true}
}

// into makes the body the content of a message, all of which have the members body and body_base64.
func (c content) into(m proto.Message) {
	r := m.ProtoReflect()
	if c.text && utf8.Valid(c.bytes) {
		r.Set(r.Descriptor().Fields().ByName("body"), protoreflect.ValueOfString(string(c.bytes)))
	} else {
		r.Set(r.Descriptor().Fields().ByName("body_base64"), protoreflect.ValueOfBytes(c.bytes))
	}
}

// document reads the body to find fields in it. One that readers could understand in two ways is declined: a field might be
// there for one of them and not for the other.
func (c content) document() (*canon.Document, error) {
	if len(c.bytes) == 0 {
		return nil, fault.New(fault.Missing, "the body is missing")
	}
	d, err := canon.Parse(c.bytes)
	if err == nil {
		err = d.AmbiguousCopied()
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the FSP's policy has fields of this message encrypted, and its body is not JSON, or readers may disagree on what it says").Because(err)
	}
	return d, nil
}
