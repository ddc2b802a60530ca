package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// limited gives payerfsp limits.
func limited(l admission.Limits) func(*core.Document) {
	return func(d *core.Document) { d.FSPs[0].Policy.Limits = l }
}

// setting gives the configuration the setting admission.
func setting(text string) func(*core.Document) {
	return func(d *core.Document) { d.Settings = map[string]json.RawMessage{"admission": json.RawMessage(text)} }
}

// gated is a module that answers when it is told to.
type gated struct {
	entered, release chan struct{}
}

func newGated() (*gated, *module) {
	g := &gated{make(chan struct{}), make(chan struct{})}
	return g, &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		g.entered <- struct{}{}
		<-g.release
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{}}}, nil
	}}
}

func TestAnFSPHasNoMoreRequestsUnderWayThanItMay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*core.Document){
		"by its policy":  limited(admission.Limits{Concurrent: 2}),
		"by the setting": setting(`{"fsps":{"concurrent":2}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, slow := newGated()
			r := runningWith(t, slow, change, func(d *core.Document) { d.Routes[0].Timeout = core.Duration(time.Minute) })
			answers := make(chan error, 3)
			ask := func() { _, err := r.sign(); answers <- err }
			go ask()
			go ask()
			<-g.entered
			<-g.entered
			_, err := r.sign()
			kind(t, err, fault.Busy)
			if e := fault.From(err); e.RetryAfter <= 0 || admission.ReasonOf(e) != admission.FSPMany {
				t.Errorf("%v, to try again after %v", e, e.RetryAfter)
			}
			close(g.release)
			for range 2 {
				r.must(<-answers)
			}
			go ask()
			<-g.entered
			r.must(<-answers)
			if n := r.Sheds()["fsp-concurrency"]; n != 1 {
				t.Errorf("%d counted", n)
			}
		})
	}
}

func TestARateOfAnFSPDeclinesWhatIsTooMuchAndNobodyElse(t *testing.T) {
	t.Parallel()
	r := runningWith(t, &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{}}}, nil
	}}, limited(admission.Limits{PerSecond: 1, Burst: 5}))
	began := time.Now()
	var good, busy int
	for range 500 {
		switch _, err := r.sign(); {
		case err == nil:
			good++
		case errors.Is(err, fault.Busy):
			busy++
		default:
			t.Fatal(err)
		}
	}
	if most := 6 + int(time.Since(began).Seconds()); good < 5 || good > most || busy == 0 {
		t.Errorf("%d good, %d at most, %d busy", good, most, busy)
	}
	if n := r.Sheds()["fsp-rate"]; n != uint64(busy) {
		t.Errorf("%d of %d counted", n, busy)
	}
	if lines, most := r.events("request.shed"), 1+int(time.Since(began).Seconds()); len(lines) < 1 || len(lines) > most || len(r.events("request.declined")) > 0 {
		t.Errorf("%d lines, %d at most", len(lines), most)
	} else if line := lines[0]; !strings.Contains(line, `"reason":"fsp-rate"`) || !strings.Contains(line, `"fspId":"payerfsp"`) || !strings.Contains(line, `"caller":"certificate:switch"`) {
		t.Error(line)
	}
	r.apply(core.Document{FSPs: []core.FSPEntry{{Name: "payerfsp"}}})
	for range 100 {
		_, err := r.sign()
		r.must(err)
	}
}

func TestACallerIsAdmittedByItsOwnLimitsOrThoseOfAll(t *testing.T) {
	t.Parallel()
	r := running(t, setting(`{"callers":{"concurrent":1},"principals":[{"principal":"certificate:switch","concurrent":3}]}`))
	enter := func(p cpm.Principal) (in int) {
		for {
			place, e := r.Admit(t.Context(), p)
			if e != nil {
				if e.Kind != fault.Busy || admission.ReasonOf(e) != admission.CallerMany || e.RetryAfter <= 0 {
					t.Error(e)
				}
				return in
			}
			t.Cleanup(place.Leave)
			in++
		}
	}
	switched := caller
	for i, want := range []int{3, 0} { // the address is not the caller
		switched.Address = strings.Repeat("1", i+1)
		if in := enter(switched); in != want {
			t.Errorf("%d entered, want %d", in, want)
		}
	}
	if in := enter(cpm.Principal{Kind: cpm.PrincipalCertificate, Name: "other"}); in != 1 {
		t.Errorf("%d of another caller entered", in)
	}
	if in := enter(cpm.Principal{Kind: cpm.PrincipalLoopback, Name: "switch"}); in != 1 {
		t.Errorf("%d of another kind entered", in)
	}
	if n := r.Sheds()["caller-concurrency"]; n != 4 {
		t.Errorf("%d counted", n)
	}
}

func TestEachItemOfABatchIsAdmittedByTheRate(t *testing.T) {
	t.Parallel()
	r := running(t, setting(`{"callers":{"perSecond":1,"burst":3}}`))
	place, e := r.Admit(t.Context(), caller)
	if e != nil {
		t.Fatal(e)
	}
	defer place.Leave()
	in, began := 1, time.Now()
	for range 10 {
		e := r.Again(t.Context(), caller, place)
		if e == nil {
			in++
		} else if e.Kind != fault.Busy || admission.ReasonOf(e) != admission.CallerRate || e.RetryAfter <= 0 || e.RetryAfter > time.Second {
			t.Error(e, e.RetryAfter)
		}
	}
	if most := 4 + int(time.Since(began).Seconds()); in < 3 || in > most {
		t.Errorf("%d of 11 were let in, %d at most", in, most)
	}
	if n := r.Sheds()["caller-rate"]; n != uint64(11-in) {
		t.Errorf("%d counted", n)
	}
}

func TestABatchHasHalfOfItsCallersPlacesAtMost(t *testing.T) {
	t.Parallel()
	r := running(t, setting(`{"callers":{"concurrent":6}}`))
	place, e := r.Admit(t.Context(), caller)
	if e != nil {
		t.Fatal(e)
	}
	defer place.Leave()
	in := 1
	for p, ok := r.Beside(caller); ok; p, ok = r.Beside(caller) {
		defer p.Leave()
		in++
	}
	if in != 3 || r.Sheds()["caller-concurrency"] != 0 {
		t.Errorf("%d of 6 places, %v", in, r.Sheds())
	}
}

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	r := running(t)
	for name, c := range map[string]struct {
		change func(*core.Document)
		want   string
	}{
		"a negative rate":       {setting(`{"callers":{"perSecond":-1}}`), `setting "admission": callers: perSecond has to be`},
		"a burst without rate":  {setting(`{"fsps":{"burst":5}}`), `setting "admission": fsps: burst says nothing`},
		"an unknown member":     {setting(`{"caller":{}}`), `unknown field`},
		"not a principal":       {setting(`{"principals":[{"principal":"switch"}]}`), `is not KIND:NAME`},
		"a principal's number":  {setting(`{"principals":[{"principal":"certificate:a","concurrent":-1}]}`), `principals: certificate:a: concurrent has to be`},
		"a principal twice":     {setting(`{"principals":[{"principal":"certificate:a"},{"principal":"certificate:a"}]}`), `is there twice`},
		"an FSP's negative one": {limited(admission.Limits{Concurrent: -1}), `FSP "payerfsp": its limits: concurrent has to be`},
	} {
		d := core.Document{FSPs: document().FSPs}
		c.change(&d)
		_, err := r.change("config.apply", "", d)
		kind(t, err, fault.Invalid)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnderSheddingEachRequestGetsOneAnswer: whatever limits decline, answers, counters and the module's own count agree.
func TestUnderSheddingEachRequestGetsOneAnswer(t *testing.T) {
	t.Parallel()
	var done, good, busy atomic.Int64
	r := runningWith(t, &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		done.Add(1)
		time.Sleep(time.Millisecond)
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{}}}, nil
	}}, limited(admission.Limits{PerSecond: 1000, Burst: 50, Concurrent: 8}), func(d *core.Document) { d.Routes[0].Timeout = core.Duration(time.Minute) })
	const callers, each = 32, 50
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				switch _, err := r.sign(); {
				case err == nil:
					good.Add(1)
				case errors.Is(err, fault.Busy):
					busy.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	success, failed := r.counted()
	sheds := r.Sheds()
	switch {
	case good.Load()+busy.Load() != callers*each, good.Load() != done.Load(), busy.Load() == 0:
		t.Errorf("%d good, %d busy, %d done of %d", good.Load(), busy.Load(), done.Load(), callers*each)
	case success != uint64(good.Load()), failed != uint64(busy.Load()):
		t.Errorf("counted %d and %d, and there were %d and %d", success, failed, good.Load(), busy.Load())
	case sheds["fsp-rate"]+sheds["fsp-concurrency"] != uint64(busy.Load()):
		t.Errorf("%v of %d", sheds, busy.Load())
	}
}
