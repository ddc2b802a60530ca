package core

import (
	"context"
	"errors"
	"log/slog"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// hop is what each room keeps of the deadline, so that the inner one can still say why.
const hop = 5 * time.Millisecond

// trip is one request on its way: what was found out about it so far.
type trip struct {
	request  *cpm.Request
	row      cpm.Row
	snapshot *Snapshot
	rule     route.Rule
	adapter  *adapter
	endpoint *endpoint
	versions []*keys.Version
	spent    *allowance // what the use of the first version came out of, while it can be given back
	deadline time.Time
	module   time.Duration
	// trial is a request that will not be performed, by nobody in particular.
	trial bool
}

// Process performs one request and answers it exactly once (specification, "Message Encryption/Decryption", steps 1 to
// 11). The request's Keys and Policy are filled in. An error is always a fault.
func (c *Core) Process(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if err := c.enter(); err != nil {
		return nil, c.declined(ctx, &trip{request: r}, err)
	}
	defer c.inFlight.Done()
	if c.rows[r.Operation].Planned {
		return c.carryOut(ctx, r)
	}
	return c.process(ctx, r, c.bytes.Take)
}

// process performs a request that was let in, or a step of a plan that was, whose bytes it takes.
func (c *Core) process(ctx context.Context, r *cpm.Request, take func(admission.Caller, int) bool) (*cpm.Result, error) {
	t := &trip{request: r}
	if err := c.admit(t); err != nil {
		return nil, c.declined(ctx, t, err)
	}
	defer t.adapter.leave()
	place, err := c.quotas.fsp(t)
	if err != nil {
		return nil, c.declined(ctx, t, err)
	}
	defer place.Leave()
	who := admission.CallerOf(r.Caller)
	if !take(who, r.Size) {
		return nil, c.declined(ctx, t, tooManyBytes())
	}
	defer c.bytes.Give(who, r.Size)
	t.deadline = c.deadline(ctx, t)
	inner := lastingUntil(ctx, t.deadline.Add(-hop))
	defer inner.stop()
	result, err := c.perform(inner, t)
	if err != nil {
		return nil, c.declined(ctx, t, err)
	}
	c.answered(ctx, t, result)
	return result, nil
}

func tooManyBytes() error {
	return admission.Decline(admission.Bytes, time.Second, "too many bytes are being processed; try again shortly")
}

// deadline is when the answer must be there: the route's timer runs from the request's arrival, and the caller may want it
// earlier.
func (c *Core) deadline(ctx context.Context, t *trip) time.Time {
	timeout := t.rule.Timeout
	if c.config.RequestTimeout > 0 {
		timeout = min(timeout, c.config.RequestTimeout)
	}
	end := t.request.Arrival.Add(timeout)
	if callers, ok := ctx.Deadline(); ok && callers.Before(end) {
		return callers
	}
	return end
}

// admit resolves the request and enters its adapter. An adapter that was retired in between is not in the snapshot of now,
// so resolving again finds the one that took its place.
func (c *Core) admit(t *trip) error {
	for {
		t.adapter = nil
		err := c.resolve(t)
		if err == nil && t.adapter.enter() {
			return nil
		}
		if err != nil && (t.adapter == nil || !t.adapter.isRetired()) {
			return err
		}
		if t.snapshot == c.snapshot.Load() { // nothing takes the adapter's place: they have all ended
			return errClosed()
		}
	}
}

// resolve finds adapter and keys for the request, or the reason to decline it.
func (c *Core) resolve(t *trip) error {
	fsp, err := c.judge(t)
	if err != nil {
		return err
	}
	if err := t.route(); err != nil {
		return err
	}
	t.request.Policy = fsp.Modules
	return t.selectKeys(c.config.Now())
}

// judge finds the FSP the request is for, if its caller may ask for the operation and the FSP is served.
func (c *Core) judge(t *trip) (*FSP, error) {
	r := t.request
	row, known := c.rows[r.Operation]
	if !known || !r.FSP.Valid() {
		return nil, fault.New(fault.Invalid, "the request names no FSP or no known operation")
	}
	t.row, t.snapshot = row, c.snapshot.Load()
	if err := c.fresh(t.snapshot); err != nil {
		return nil, err
	}
	if err := t.snapshot.Rules.Allow(r.Caller, r.FSP, r.Operation); err != nil {
		return nil, err
	}
	return t.snapshot.active(r.FSP)
}

// route finds the adapter and checks that it is able.
func (t *trip) route() error {
	rule, ok := t.snapshot.Routes.Lookup(t.request.FSP, t.request.Operation)
	if !ok {
		return fault.New(fault.NotRouted, "no route for the FSP and operation; add one with: cpm apply -f")
	}
	if !rule.Enabled {
		return fault.New(fault.NotRouted, "the route for the FSP and operation is disabled")
	}
	t.rule = rule
	a, ok := t.snapshot.adapters[rule.Adapter]
	if !ok {
		return fault.New(fault.Unavailable, "the adapter of this route is not Active")
	}
	t.adapter = a
	if t.row.HardwareOnly && !a.config.Hardware() {
		return fault.New(fault.Unsupported, "this operation runs in hardware only, and the route leads to software")
	}
	return a.able()
}

// selectKeys resolves what the request asks for to references of this instant.
func (t *trip) selectKeys(now time.Time) error {
	wish := keys.Wish{
		FSP: t.request.FSP, Use: t.row.Use, Half: t.row.Half, Protect: t.row.Protects(t.request.Payload.Message), Overlap: t.snapshot.Settings.Overlap,
	}
	if s, ok := t.request.Payload.Message.(interface{ GetKey() *cpmv1.KeySelector }); ok {
		wish.Key = s.GetKey()
	}
	var err error
	if c, ok := t.request.Payload.Message.(interface{ GetCiphertext() []byte }); ok && t.row.Use == cpm.UseDataEncryption {
		t.versions, err = t.selectByCiphertext(wish, c.GetCiphertext(), now)
	} else {
		t.versions, t.request.Unusable, err = t.snapshot.Keys.Select(wish, now)
	}
	if err != nil {
		return err
	}
	if err := t.obey(keys.Occasion{
		Caller: t.request.Caller, Operation: t.row.Operation, Hardware: t.adapter.config.Hardware(), Now: now, Named: wish.Key.GetName() != "",
		Trial: t.trial,
	}); err != nil {
		return err
	}
	t.request.Keys = make([]cpm.KeyRef, len(t.versions))
	for i, v := range t.versions {
		t.request.Keys[i] = v.Ref
	}
	return nil
}

// perform has an endpoint of the adapter do the operation, and another one if that one did not, or if its link was lost and
// the operation may be repeated.
func (c *Core) perform(ctx context.Context, t *trip) (*cpm.Result, error) {
	began := time.Now()
	var (
		result *cpm.Result
		failed error
		tried  []*endpoint
	)
	if t.endpoint = t.adapter.choose(nil); t.endpoint == nil {
		return nil, fault.New(fault.Unavailable, "the adapter of this route is not connected").After(time.Second)
	}
	for ; t.endpoint != nil; t.endpoint = t.adapter.choose(tried) {
		if failed = c.spend(ctx, t); failed != nil {
			break
		}
		result, failed = c.at(ctx, t)
		if notBegun(failed) {
			t.giveBack()
		}
		if failed == nil || !elsewhere(failed, t.row) || ctx.Err() != nil {
			break
		}
		tried = append(tried, t.endpoint)
	}
	t.module = time.Since(began)
	if failed == nil {
		failed = decoded(t, result)
	}
	if failed == nil {
		failed = c.spendFound(ctx, t, result)
	}
	if failed != nil {
		return nil, failed
	}
	return c.refuseReplay(t, result), nil
}

// elsewhere says whether another endpoint may be asked after a failure. Unavailable is the answer of one that is shutting down
// or not connected any more, and has not begun; only behind a lost link the operation may have been done.
func elsewhere(failed error, row cpm.Row) bool {
	return errors.Is(failed, fault.Unavailable) && (row.RetrySafe || !errors.Is(failed, cpm.ErrLinkLost))
}

// notBegun says of a module's failure that nothing was done with the key. A timer that expired, a lost link and all other failures
// leave that open.
func notBegun(failed error) bool {
	if failed == nil || errors.Is(failed, cpm.ErrLinkLost) {
		return false
	}
	kind := fault.From(failed).Kind
	return kind == fault.Busy || kind == fault.Unavailable
}

// decoded reads an answer that came over a link. What is not the operation's own message is the adapter's fault.
func decoded(t *trip, result *cpm.Result) error {
	fresh := t.row.NewResponse()
	m, err := cpm.Decode(result.Payload, fresh)
	if err != nil || m.ProtoReflect().Descriptor() != fresh.ProtoReflect().Descriptor() {
		return fault.New(fault.Device, "the adapter gave no answer to this operation").Because(err)
	}
	result.Payload = cpm.Payload{Message: m}
	return nil
}

// at has the chosen endpoint do the operation. A key it turns out not to hold is put once more.
func (c *Core) at(ctx context.Context, t *trip) (*cpm.Result, error) {
	t.endpoint.busy.Add(1)
	defer t.endpoint.busy.Add(-1)
	result, err := c.attempt(ctx, t)
	if err != nil && errors.Is(err, cpm.ErrKeyNotHeld) {
		t.endpoint.forget(t.versions)
		return c.attempt(ctx, t)
	}
	return result, err
}

func (c *Core) attempt(ctx context.Context, t *trip) (*cpm.Result, error) {
	err := t.endpoint.hold(ctx, c.manager, t.versions)
	if errors.Is(err, errTakenOut) {
		err = c.holdOthers(ctx, t)
	}
	if err != nil {
		t.giveBack() // the module was asked for nothing
		return nil, err
	}
	return c.call(ctx, t)
}

// holdOthers selects again, from the keys of now, for a request one of whose keys was taken out of use meanwhile: the FSP
// may have others.
func (c *Core) holdOthers(ctx context.Context, t *trip) error {
	before := t.versions
	t.snapshot = c.snapshot.Load()
	if err := t.selectKeys(c.config.Now()); err != nil {
		return err
	}
	if len(before) == 0 || len(t.versions) == 0 || before[0].Ref.ID != t.versions[0].Ref.ID {
		t.giveBack()
		if err := c.spend(ctx, t); err != nil {
			return err
		}
	}
	return t.endpoint.hold(ctx, c.manager, t.versions)
}

// answered counts a request that got its result. A signature that does not verify is one; its cause is logged, not sent.
func (c *Core) answered(ctx context.Context, t *trip, result *cpm.Result) {
	c.counters.of(t).success.Add(1)
	o := Observation{Operation: t.request.Operation, Adapter: t.rule.Adapter, Module: t.module, Total: time.Since(t.request.Arrival)}
	if v, ok := result.Payload.Message.(*cpmv1.JwsVerifyResponse); ok && !v.GetValid() {
		o.Refused = v.GetReason()
		c.log.LogAttrs(ctx, slog.LevelInfo, "signature refused", obs.Event("signature.refused"), obs.RequestID(t.request.ID), obs.TraceID(t.request.Trace.ID()),
			obs.FSP(t.fspLabel()), obs.Adapter(t.rule.Adapter), slog.String("reason", o.Refused), obs.Err(result.Cause))
	}
	c.config.Observe(o)
}

// declined counts and logs a request that got none. The log has the cause, the caller only the public text.
func (c *Core) declined(ctx context.Context, t *trip, err error) error {
	c.counters.of(t).failed.Add(1)
	e := fault.From(err)
	if e.Kind == fault.Busy {
		c.shed(ctx, t, e)
		return e
	}
	c.log.LogAttrs(ctx, level(e.Kind), "request declined", obs.Event("request.declined"), obs.RequestID(t.request.ID), obs.TraceID(t.request.Trace.ID()),
		obs.FSP(t.fspLabel()), obs.Operation(t.operationLabel()), obs.Adapter(t.rule.Adapter), obs.Kind(e.Kind), obs.Err(e))
	return e
}

// level is Error for what an operator must mend and Warn for what a caller did.
func level(k fault.Kind) slog.Level {
	switch k {
	case fault.Internal, fault.Device, fault.OutcomeUnknown, fault.AuditUnavailable:
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// fspLabel is the FSP if it is a known one: unknown names never become labels, nor fill the log with a caller's text.
func (t *trip) fspLabel() string {
	if t.snapshot == nil {
		return ""
	}
	if _, known := t.snapshot.FSPs[t.request.FSP]; !known {
		return ""
	}
	return string(t.request.FSP)
}

func (t *trip) operationLabel() string { return string(t.row.Operation) }
