package core_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// moody is a software module that fails when told to, before it has done anything.
type moody struct {
	holding

	fail atomic.Pointer[fault.Error]
}

func newMoody(r *rig) *moody { return &moody{holding: newHolding(r)} }

func (m *moody) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if e := m.fail.Load(); e != nil {
		return nil, e
	}
	return m.Module.Do(ctx, r)
}

// readyForOneUse makes a rig ready to sign one time, with that module.
func (r *rig) readyForOneUse(m cpm.Module) {
	r.t.Helper()
	with(m)(r)
	r.ready()
	r.setPolicy("jws", keys.Policy{MaxUses: 1})
}

// What the module has not begun costs the key nothing; what it may have done does.
func TestAUseIsGivenBackWhenNothingWasDone(t *testing.T) {
	t.Parallel()
	busy := admission.Decline(admission.QueueWait, 0, "the adapter is busy")
	for name, c := range map[string]struct {
		fails *fault.Error
		back  bool
	}{
		"the queue is long":           {busy, true},
		"the adapter shuts down":      {fault.New(fault.Unavailable, "the adapter is shutting down"), true},
		"it does not hold the key":    {fault.New(fault.Unavailable, "not held").Because(cpm.ErrKeyNotHeld), true},
		"the link was lost":           {fault.New(fault.Unavailable, "lost").Because(cpm.ErrLinkLost), false},
		"busy, and the link was lost": {fault.New(fault.Busy, "busy").Because(cpm.ErrLinkLost), false},
		"the timer expired":           {fault.New(fault.Timeout, "too late"), false},
		"too late for a busy one":     {fault.New(fault.Timeout, "too late").Because(busy), false},
		"nobody knows":                {fault.New(fault.OutcomeUnknown, "unknown"), false},
		"the device failed":           {fault.New(fault.Device, "broken"), false},
		"refused":                     {fault.New(fault.Refused, "no"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := newMoody(r)
			r.readyForOneUse(m)
			m.fail.Store(c.fails)
			_, err := r.sign()
			kind(t, err, c.fails.Kind)
			m.fail.Store(nil)
			_, err = r.sign()
			if c.back {
				r.must(err)
				_, err = r.sign()
			}
			kind(t, err, fault.State)
		})
	}
}

// faltering is a software module that says of every other request that it does not hold the key.
type faltering struct {
	holding

	asked atomic.Int64
}

func (m *faltering) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if m.asked.Add(1)%2 == 1 {
		return nil, fault.New(fault.Unavailable, "not held").Because(cpm.ErrKeyNotHeld)
	}
	return m.Module.Do(ctx, r)
}

// A key that the module turned out not to hold is put once more, and that counts as the one use that it is.
func TestAUseIsCountedOnceWhenTheKeyHadToBePutAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := &faltering{holding: newHolding(r)}
	r.readyForOneUse(m)
	r.setPolicy("jws", keys.Policy{MaxUses: 2})
	for range 2 {
		_, err := r.sign()
		r.must(err)
	}
	_, err := r.sign()
	kind(t, err, fault.State)
	if n := m.asked.Load(); n != 4 {
		t.Errorf("the module was asked %d times", n)
	}
}

// reluctant is a key holder that takes no keys for now.
type reluctant struct {
	*moody

	refuse atomic.Pointer[fault.Error]
}

func (m *reluctant) Put(ctx context.Context, k cpm.Material) error {
	if e := m.refuse.Load(); e != nil {
		return e
	}
	return m.moody.Put(ctx, k)
}

// A key that does not reach the module is not used by it, why ever that is.
func TestAUseIsGivenBackWhenTheModuleDidNotGetTheKey(t *testing.T) {
	t.Parallel()
	for _, e := range []*fault.Error{
		fault.New(fault.Busy, "busy"), fault.New(fault.Unavailable, "lost").Because(cpm.ErrLinkLost), fault.New(fault.Timeout, "late"), fault.New(fault.Device, "broken"),
	} {
		r := newRig(t)
		m := &reluctant{moody: newMoody(r)}
		r.readyForOneUse(m)
		m.refuse.Store(e)
		for range 3 {
			_, err := r.sign()
			kind(t, err, e.Kind)
		}
		m.refuse.Store(nil)
		_, err := r.sign()
		r.must(err)
		_, err = r.sign()
		kind(t, err, fault.State)
	}
}

// A key that took the place of another one gives back what was counted for that.
func TestTheKeyWhosePlaceAnotherTookIsNotCounted(t *testing.T) {
	t.Parallel()
	r := suspendedOnTheWay(t)
	r.setPolicy("jws", keys.Policy{MaxUses: 1})
	r.pass(1)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "other", Use: cpm.UseSignature, Generate: "ES256"})
	r.signsWith("other")
	r.mustChange("key.resume", "payerfsp/jws", keys.Which{FSP: "payerfsp", Name: "jws"})
	r.signsWith("jws")
}

// twoEndpoints is a rig whose payerfsp signs at an adapter with two endpoints.
func twoEndpoints(t *testing.T, one, two func() error) *rig {
	t.Helper()
	endpoint := func(do func() error) func() (cpm.Module, error) {
		s := &switched{Module: &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
			return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{}}}, do()
		}}}
		s.up.Store(true)
		return func() (cpm.Module, error) { return s, nil }
	}
	r := newRig(t)
	r.open["far@a.example:1"], r.open["far@b.example:2"] = endpoint(one), endpoint(two)
	r.ready(func(d *core.Document) {
		d.Adapters = append(d.Adapters, core.AdapterEntry{
			Name: "far", Kind: "ssm", Launch: "external", Identity: "far.example", Endpoints: []string{"a.example:1", "b.example:2"},
			Operations: []cpm.Operation{cpm.JWSSign},
		})
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "jws.sign", Adapter: "far"})
	})
	return r
}

// A request that another endpoint does costs one use, and two when the first one may have done it as well.
func TestAnotherEndpointCountsAgainOnlyWhatTheFirstMayHaveDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails *fault.Error
		want  int
	}{
		"has not begun": {fault.New(fault.Unavailable, "shutting down"), 4},
		"may be done":   {fault.New(fault.Unavailable, "lost").Because(cpm.ErrLinkLost), 2},
		"none fails":    {nil, 4},
	} {
		// Whichever endpoint is asked first fails, and the other one does it.
		var asked atomic.Int64
		do := func() error {
			if c.fails != nil && asked.Add(1)%2 == 1 {
				return c.fails
			}
			return nil
		}
		r := twoEndpoints(t, do, do)
		r.setPolicy("jws", keys.Policy{MaxUses: 4})
		n := 0
		for ; n < 10; n++ {
			if _, err := r.sign(); err != nil {
				kind(t, err, fault.State)
				break
			}
		}
		if n != c.want {
			t.Errorf("%s: %d signatures of 4 uses", name, n)
		}
	}
}

// Each step of a plan counts what it did itself, whatever becomes of the plan.
func TestAPlanGivesBackTheUsesOfStepsThatWereNotBegun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	signing := newMoody(r)
	with(signing)(r)
	encrypting := r.plans()
	r.setPolicy("jws", keys.Policy{MaxUses: 1})
	r.mustChange("key.policy", "payeefsp/enc", core.KeyPolicyDocument{FSP: "payeefsp", Name: "enc", Policy: keys.Policy{MaxUses: 3}})
	busy := fault.New(fault.Busy, "busy")
	declined := func(want fault.Kind) {
		t.Helper()
		_, err := r.Process(t.Context(), r.protectRequest("/quotes", quote))
		kind(t, err, want)
	}
	encrypting.failing(busy)
	for range 4 {
		declined(fault.Busy)
	}
	encrypting.failing(nil)
	signing.fail.Store(busy)
	declined(fault.Busy) // the fields were encrypted, and not signed
	declined(fault.Busy)
	signing.fail.Store(nil)
	r.protect(r.protectRequest("/quotes", quote))
	declined(fault.State) // the key that encrypts has been used three times
	_, err := r.sign()    // and the one that signs once
	kind(t, err, fault.State)
}

// However many requests are declined at once, a key is used as often as it may be: never more, and no use is lost but those
// that may have been done.
func TestUsesThatAreGivenBackAtOnceAreNeitherLostNorMade(t *testing.T) {
	t.Parallel()
	const limit = 17_000
	var asked, done atomic.Int64
	do := func() error {
		switch n := asked.Add(1); {
		case n%3 == 0:
			return fault.New(fault.Busy, "busy")
		case n%101 == 0:
			return fault.New(fault.Unavailable, "shutting down")
		}
		n := done.Add(1)
		if n > limit {
			t.Errorf("done %d times", n)
		}
		if n%103 == 0 { // done, and the answer did not come: another endpoint does it again
			return fault.New(fault.Unavailable, "lost").Because(cpm.ErrLinkLost)
		}
		return nil
	}
	r := twoEndpoints(t, do, do)
	r.setPolicy("jws", keys.Policy{MaxUses: limit})
	signAll := func() {
		for {
			if _, err := r.sign(); errors.Is(err, fault.State) {
				return
			}
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(signAll)
	}
	all.Wait()
	signAll() // what one gave back after the others had found none left
	if done.Load() != limit {
		t.Errorf("%d of %d uses were done", done.Load(), limit)
	}
}
