package core_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

func TestSignedByOneVerifiedByTheOther(t *testing.T) {
	t.Parallel()
	r := running(t)
	signed, err := r.sign()
	r.must(err)
	if reason := r.verify("payerfsp", signed); reason != "" {
		t.Error(reason)
	}
	if reason := r.verify("payeefsp", signed); reason != "source-mismatch" {
		t.Errorf("for another FSP: %q", reason)
	}
	status := r.Status()
	var success, failed uint64
	for _, c := range status.Counts {
		success += c.Success
		failed += c.Failed
	}
	if success != 3 || failed != 0 || len(r.observed) != 3 || r.observed[2].Refused != "source-mismatch" {
		t.Errorf("counted %+v, observed %+v", status.Counts, r.observed)
	}
}

func TestDeclines(t *testing.T) {
	t.Parallel()
	disabledRoute := func(d *core.Document) {
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "jws.sign", Adapter: "ssm1", Disabled: true})
	}
	twoAdapters := func(d *core.Document) {
		off := d.Adapters[0]
		off.Name, off.Disabled = "off", true
		d.Adapters = append(d.Adapters, off)
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "jws.sign", Adapter: "off"})
	}
	narrow := func(d *core.Document) {
		d.Adapters[0].Operations = []cpm.Operation{cpm.JWSVerify}
	}
	noRoute := func(d *core.Document) { d.Routes[0].FSP = "payeefsp" }
	for name, c := range map[string]struct {
		config  func(*core.Document)
		request func(*rig, *cpm.Request)
		want    fault.Kind
	}{
		"no operation":      {nil, func(_ *rig, q *cpm.Request) { q.Operation = "" }, fault.Invalid},
		"unknown operation": {nil, func(_ *rig, q *cpm.Request) { q.Operation = "jws.forge" }, fault.Invalid},
		"no FSP":            {nil, func(_ *rig, q *cpm.Request) { q.FSP = "" }, fault.Invalid},
		"impossible FSP":    {nil, func(_ *rig, q *cpm.Request) { q.FSP = "a/b" }, fault.Invalid},
		"no grant":          {nil, func(_ *rig, q *cpm.Request) { q.Caller.Name = "stranger" }, fault.Denied},
		"other case":        {nil, func(_ *rig, q *cpm.Request) { q.FSP = "PayerFSP" }, fault.Denied},
		"* does not sign":   {nil, func(_ *rig, q *cpm.Request) { q.FSP = "payeefsp" }, fault.Denied},
		"unknown FSP": {nil, func(r *rig, q *cpm.Request) {
			q.FSP, q.Operation = "nobody", cpm.JWSVerify
		}, fault.NotFound},
		"suspended": {nil, func(r *rig, _ *cpm.Request) { r.mustChange("fsp.suspend", "payerfsp", nil) }, fault.State},
		"no route":  {noRoute, nil, fault.NotRouted},
		"disabled":  {disabledRoute, nil, fault.NotRouted},
		"off":       {twoAdapters, nil, fault.Unavailable},
		"mandate":   {narrow, nil, fault.Unsupported},
		"no key": {nil, func(_ *rig, q *cpm.Request) {
			q.Payload.Message.(*cpmv1.JwsSignRequest).Key = &cpmv1.KeySelector{Name: "other"}
		}, fault.NotFound},
		"deleted key": {nil, func(r *rig, _ *cpm.Request) {
			r.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
		}, fault.State},
		"too many bytes": {nil, func(_ *rig, q *cpm.Request) { q.Size = 2 << 20 }, fault.Busy},
		"not JSON": {nil, func(_ *rig, q *cpm.Request) {
			q.Payload.Message.(*cpmv1.JwsSignRequest).Content = &cpmv1.JwsSignRequest_Body{Body: "{"}
		}, fault.Invalid},
		"foreign message": {nil, func(_ *rig, q *cpm.Request) { q.Payload.Message = &cpmv1.JwsVerifyRequest{} }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config []func(*core.Document)
			if c.config != nil {
				config = append(config, c.config)
			}
			r := running(t, config...)
			q := r.signRequest()
			if c.request != nil {
				c.request(r, q)
			}
			_, err := r.Process(t.Context(), q)
			kind(t, err, c.want)
			var failed uint64
			for _, n := range r.Counts() {
				failed += n.Failed
			}
			if failed != 1 {
				t.Errorf("%d counted as failed", failed)
			}
			if e := fault.From(err); strings.Contains(e.Public, "stranger") || strings.Contains(e.Public, "nobody") {
				t.Errorf("the input is echoed: %s", e.Public)
			}
		})
	}
}

func TestBeforeAndAfterItIsActive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.Load(t.Context()))
	kind(t, r.Activate(t.Context()), fault.State)
	_, err := r.sign()
	kind(t, err, fault.Unavailable)
	r.apply(document())
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(t.Context()))
	r.BeginShutdown(t.Context())
	if _, err := r.sign(); err != nil {
		t.Errorf("a request a door had accepted is declined: %v", err)
	}
	_, err = r.change("fsp.suspend", "payerfsp", nil)
	kind(t, err, fault.Unavailable)
	r.must(r.Shutdown(t.Context()))
	_, err = r.sign()
	kind(t, err, fault.Unavailable)
	if r.State() != cpm.Inactive || r.Status().Adapters[0].State != cpm.Inactive {
		t.Errorf("%+v", r.Status())
	}
}

// module is a hand-made one for faults.
type module struct {
	do func(ctx context.Context, q *cpm.Request) (*cpm.Result, error)
}

func (m *module) Do(ctx context.Context, q *cpm.Request) (*cpm.Result, error) { return m.do(ctx, q) }

func (m *module) Status(context.Context) (cpm.Status, error) {
	return cpm.Status{State: cpm.Active}, nil
}

// holding is the software module as far as the core must know it: what a test puts before it is neither prompt nor ends by itself.
type holding struct {
	cpm.Module
	cpm.KeyHolder
}

func newHolding(r *rig) holding {
	inner := newSSM(r)
	r.t.Cleanup(func() { r.must(inner.Shutdown(context.WithoutCancel(r.t.Context()))) })
	return holding{inner, inner}
}

func with(m cpm.Module) func(*rig) {
	return func(r *rig) { r.open["ssm1"] = func() (cpm.Module, error) { return m, nil } }
}

// runningWith is running over a module of the test's own.
func runningWith(t testing.TB, m cpm.Module, change ...func(*core.Document)) *rig {
	t.Helper()
	r := newRig(t)
	with(m)(r)
	r.must(r.Load(t.Context()))
	d := document()
	for _, c := range change {
		c(&d)
	}
	r.apply(d)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(t.Context()))
	return r
}

func TestALateAnswerIsCountedAndDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stubborn := &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
			time.Sleep(time.Hour) // a module that does not keep to its deadline
			return &cpm.Result{}, nil
		}}
		r := runningWith(t, stubborn)
		began := time.Now()
		_, err := r.sign()
		kind(t, err, fault.Timeout)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("declined after %s of virtual time", took)
		}
		if r.Late() != 0 {
			t.Error("counted before it came")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.Late() != 1 {
			t.Errorf("%d late answers", r.Late())
		}
		r.stop()
	})
}

func TestEveryRequestHasOneAnswerWhateverTheModuleDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		var mu sync.Mutex
		asked := 0
		moody := &module{do: func(ctx context.Context, q *cpm.Request) (*cpm.Result, error) {
			mu.Lock()
			asked++
			delay := time.Duration(asked*7919%4001) * time.Millisecond // up to twice the timer, in no order
			mu.Unlock()
			time.Sleep(delay)
			return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Algorithm: q.ID}}}, nil
		}}
		r := runningWith(t, moody)
		var group sync.WaitGroup
		var ok, late int
		for i := range n {
			group.Go(func() {
				q := r.signRequest()
				q.ID = strings.Repeat("x", i+1)
				res, err := r.Process(t.Context(), q)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && res.Payload.Message.(*cpmv1.JwsSignResponse).GetAlgorithm() == q.ID:
					ok++
				case errors.Is(err, fault.Timeout):
					late++
				default:
					t.Errorf("request %d: %v %v", i, res, err)
				}
			})
		}
		group.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		if ok+late != n || ok == 0 || late == 0 || uint64(late) != r.Late() {
			t.Errorf("%d answered, %d declined of %d, %d late", ok, late, n, r.Late())
		}
		for _, c := range r.Counts() {
			if c.Success != uint64(ok) || c.Failed != uint64(late) {
				t.Errorf("counted %+v", c)
			}
		}
		r.stop()
	})
}

// forgetful is a key holder that has lost its keys once.
type forgetful struct {
	holding

	once sync.Once
	puts int
}

func (f *forgetful) Put(ctx context.Context, m cpm.Material) error {
	f.puts++
	return f.KeyHolder.Put(ctx, m)
}

func (f *forgetful) Do(ctx context.Context, q *cpm.Request) (*cpm.Result, error) {
	f.once.Do(func() { _ = f.Drop(ctx, q.Keys[0].ID) })
	return f.Module.Do(ctx, q)
}

func TestAKeyTheModuleLostIsPutOnceMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := &forgetful{holding: newHolding(r)}
	with(f)(r)
	r.must(r.Load(t.Context()))
	r.apply(document())
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(t.Context()))
	for range 3 {
		if _, err := r.sign(); err != nil {
			t.Error(err)
		}
	}
	if f.puts != 2 {
		t.Errorf("put %d times", f.puts)
	}
}

func TestAModuleFailureKeepsItsKind(t *testing.T) {
	t.Parallel()
	for _, want := range []fault.Kind{fault.Device, fault.Busy, fault.Internal} {
		broken := &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
			if want == fault.Internal {
				return nil, errors.New("words of the module")
			}
			return nil, fault.New(want, "x")
		}}
		r := runningWith(t, broken)
		_, err := r.sign()
		kind(t, err, want)
		if strings.Contains(fault.From(err).Public, "words") {
			t.Error("the module's words are public")
		}
	}
}

func TestShutdownAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	slow := &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		close(entered)
		<-release
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{}}}, nil
	}}
	r := runningWith(t, slow, func(d *core.Document) { d.Routes[0].Timeout = core.Duration(time.Minute) })
	answered := make(chan error, 1)
	go func() {
		_, err := r.sign()
		answered <- err
	}()
	<-entered
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	kind(t, r.Shutdown(hurried), fault.Timeout)
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(context.WithoutCancel(t.Context())) }()
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
