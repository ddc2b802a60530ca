package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// askOf encodes a request. A decoded payload is encoded here, once; one that came encoded is passed on as it is.
func askOf(ctx context.Context, r *cpm.Request, epoch uint64) (*cpmv1.Ask, error) {
	payload := r.Payload.Encoded
	if r.Payload.Message != nil {
		var err error
		if payload, err = proto.Marshal(r.Payload.Message); err != nil {
			return nil, fault.New(fault.Invalid, "the operation's message cannot be encoded").Because(err)
		}
	}
	a := &cpmv1.Ask{
		Epoch: epoch, RequestId: r.ID, Fsp: string(r.FSP), Operation: string(r.Operation), Caller: r.Caller.String(),
		Unusable: r.Unusable, Policy: policyFrame(r.Policy), TimeoutMs: timeoutOf(ctx), Size: uint64(max(r.Size, 0)), Payload: payload,
		Traceparent: string(r.Trace),
	}
	for _, k := range r.Keys {
		a.Keys = append(a.Keys, keyFrame(k))
	}
	return a, nil
}

// hop is what the other side's deadline is earlier, so that its answer arrives before ours.
const hop = 5 * time.Millisecond

// maxKeys bounds the references of one request; the core sends at most three.
const maxKeys = 16

// timeoutOf is what is left until ctx's deadline, as relative time: the clocks of two machines differ.
// The answer needs a part of it to come back. 0 is no deadline.
func timeoutOf(ctx context.Context) uint32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	left := (time.Until(deadline) - hop).Milliseconds()
	return uint32(min(max(left, 1), 1<<31))
}

func keyFrame(k cpm.KeyRef) *cpmv1.LinkKey {
	return &cpmv1.LinkKey{Id: k.ID[:], Name: k.Name, Version: k.Version}
}

func keyRef(k *cpmv1.LinkKey) (cpm.KeyRef, error) {
	if len(k.GetId()) != len(cpm.KeyID{}) {
		return cpm.KeyRef{}, fault.New(fault.Invalid, "a key reference on the link is malformed")
	}
	return cpm.KeyRef{ID: cpm.KeyID(k.GetId()), Name: k.GetName(), Version: k.GetVersion()}, nil
}

func policyFrame(p *cpm.Policy) *cpmv1.LinkPolicy {
	if p == nil {
		return nil
	}
	return &cpmv1.LinkPolicy{
		Algorithms: p.Algorithms, Raw: p.Raw, Sorted: p.Sorted, Legacy: p.Legacy, DateWindowMs: (p.DateWindow + time.Millisecond - 1).Milliseconds(),
		UnprotectedDestination: p.UnprotectedDestination, Inflate: p.Inflate, TextbookIlp: p.TextbookILP,
	}
}

func policyOf(p *cpmv1.LinkPolicy) *cpm.Policy {
	if p == nil {
		return nil
	}
	return &cpm.Policy{
		Algorithms: p.GetAlgorithms(), Raw: p.GetRaw(), Sorted: p.GetSorted(), Legacy: p.GetLegacy(),
		DateWindow: time.Duration(p.GetDateWindowMs()) * time.Millisecond, UnprotectedDestination: p.GetUnprotectedDestination(),
		Inflate: p.GetInflate(), TextbookILP: p.GetTextbookIlp(),
	}
}

// requestOf is the other end of askOf. The payload stays encoded until the operation needs it.
func requestOf(a *cpmv1.Ask, now time.Time) (*cpm.Request, error) {
	if len(a.GetKeys()) > maxKeys {
		return nil, fault.New(fault.Invalid, "a request on the link has too many key references")
	}
	r := &cpm.Request{
		ID: a.GetRequestId(), FSP: cpm.FSP(a.GetFsp()), Operation: cpm.Operation(a.GetOperation()), Caller: principalOf(a.GetCaller()),
		Arrival: now, Size: int(min(a.GetSize(), 1<<31)), Unusable: a.GetUnusable(), Policy: policyOf(a.GetPolicy()),
		Payload: cpm.Payload{Encoded: a.GetPayload()}, Trace: cpm.ParseTraceParent(a.GetTraceparent()),
	}
	for _, k := range a.GetKeys() {
		ref, err := keyRef(k)
		if err != nil {
			return nil, err
		}
		r.Keys = append(r.Keys, ref)
	}
	return r, nil
}

func principalOf(text string) cpm.Principal {
	kind, name, _ := strings.Cut(text, ":")
	return cpm.Principal{Kind: cpm.PrincipalKind(kind), Name: name}
}

// answerOf encodes what an operation came to.
func answerOf(result *cpm.Result, err error) *cpmv1.Answer {
	if err == nil && result == nil {
		err = fault.New(fault.Internal, "the adapter has no answer")
	}
	if err != nil {
		e := fault.From(err)
		return &cpmv1.Answer{
			Fault: e.Kind.String(), Text: e.Public, Cause: causeOf(e), KeyNotHeld: errors.Is(err, cpm.ErrKeyNotHeld),
			RetryAfterMs: uint32(min(max(e.RetryAfter, 0), maxRetryAfter).Milliseconds()), //nolint:gosec // at most a minute
		}
	}
	payload := result.Payload.Encoded
	if result.Payload.Message != nil {
		if payload, err = proto.Marshal(result.Payload.Message); err != nil {
			return answerOf(nil, err)
		}
	}
	a := &cpmv1.Answer{Payload: payload, SigningInput: result.SigningInput}
	if result.Cause != nil {
		a.Cause = result.Cause.Error()
	}
	return a
}

func causeOf(e *fault.Error) string {
	if cause := e.Cause(); cause != nil {
		return cause.Error()
	}
	return ""
}
