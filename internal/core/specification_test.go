package core_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/mojaloop/cpm/internal/spec"
)

// These tests hold the steps of the specification with all they ask for: the answer, the log event and the counter.

// events keeps what a rig's core logs.
type events struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all.Write(p)
}

// line is what the tests look at in a line of the log.
type line struct {
	Event, Kind, Adapter, FSP, Operation, Actor, Action string
	Msg                                                 string
}

// named lists the lines of an event.
func (e *events) named(t testing.TB, event string) (found []line) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for text := range strings.Lines(e.all.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if l.Event == event {
			found = append(found, l)
		}
	}
	return found
}

func (r *rig) counted() (success, failed uint64) {
	for _, c := range r.Counts() {
		success, failed = success+c.Success, failed+c.Failed
	}
	return success, failed
}

func TestEveryDeclineIsAnsweredLoggedAndCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrange func(*rig)
		request func(*cpm.Request)
		want    fault.Kind
		steps   []string
	}{
		"no FSP can be extracted": {
			request: func(q *cpm.Request) { q.FSP = "" }, want: fault.Invalid, steps: []string{"MSG-1", "MSG-1a", "MSG-1b", "MSG-11"},
		},
		"no encryption type can be extracted": {
			request: func(q *cpm.Request) { q.Operation = "" }, want: fault.Invalid, steps: []string{"MSG-1", "MSG-1a", "MSG-1b", "MSG-11"},
		},
		"no match in the table": {
			arrange: func(r *rig) { d := document(); d.Routes[0].FSP = "payeefsp"; r.apply(d) },
			want:    fault.NotRouted, steps: []string{"MSG-2", "MSG-2a", "MSG-2b", "MSG-11"},
		},
		"the adapter is stopped": {
			arrange: func(r *rig) { r.mustChange("adapter.stop", "ssm1", nil) },
			want:    fault.Unavailable, steps: []string{"MSG-4", "MSG-4a", "MSG-11"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := running(t)
			if c.arrange != nil {
				c.arrange(r)
			}
			q := r.signRequest()
			if c.request != nil {
				c.request(q)
			}
			_, err := r.Process(t.Context(), q)
			kind(t, err, c.want)
			logged := r.log.named(t, "request.declined")
			if len(logged) != 1 || logged[0].Kind != c.want.String() {
				t.Errorf("logged %+v", logged)
			}
			if success, failed := r.counted(); success != 0 || failed != 1 {
				t.Errorf("counted %d and %d", success, failed)
			}
			spec.Covers(t, c.steps...)
		})
	}
}

func TestTheAdapterOfTheRouteGetsTheMessageAndItsAnswerIsReturned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.open["second"] = func() (cpm.Module, error) {
		return &module{do: func(ctx context.Context, q *cpm.Request) (*cpm.Result, error) {
			deadline, timed := ctx.Deadline()
			if !timed || time.Until(deadline) > 7*time.Second || len(q.Keys) != 1 || q.Operation != cpm.JWSSign || q.FSP != "payerfsp" {
				t.Errorf("the module got %+v, until %s", q, deadline)
			}
			message := q.Payload.Message.(*cpmv1.JwsSignRequest)
			return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Algorithm: message.GetBody()}}}, nil
		}}, nil
	}
	r.must(r.Load(t.Context()))
	d := document()
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "second", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSSign}})
	d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "jws.sign", Adapter: "second", Timeout: core.Duration(7 * time.Second)})
	r.apply(d)
	r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	r.must(r.Activate(t.Context()))
	answer, err := r.sign()
	r.must(err)
	if answer.GetAlgorithm() != body {
		t.Errorf("the answer is not the module's: %v", answer)
	}
	counts := r.Counts()
	if len(counts) != 1 || counts[0].Adapter != "second" || counts[0].FSP != "payerfsp" || counts[0].Operation != "jws.sign" || counts[0].Success != 1 || counts[0].Failed != 0 {
		t.Errorf("counted %+v", counts)
	}
	spec.Covers(t, "MSG-2", "MSG-3", "MSG-4", "MSG-5", "MSG-6", "MSG-7", "MSG-8", "MSG-11", "CMD-5f-vi-encryptions", "CMD-6")
}

func TestAnExpiredTimerIsAnsweredAndTheLateAnswerIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runningWith(t, &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
			time.Sleep(time.Hour)
			return &cpm.Result{}, nil
		}})
		_, err := r.sign()
		kind(t, err, fault.Timeout)
		if logged := r.log.named(t, "request.declined"); len(logged) != 1 || logged[0].Kind != fault.Timeout.String() || logged[0].Adapter != "ssm1" {
			t.Errorf("logged %+v", logged)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if logged := r.log.named(t, "adapter.late"); len(logged) != 1 || r.Late() != 1 {
			t.Errorf("%d late answers, logged %+v", r.Late(), logged)
		}
		if success, failed := r.counted(); success != 0 || failed != 1 {
			t.Errorf("counted %d and %d", success, failed)
		}
		r.stop()
	})
	spec.Covers(t, "MSG-7", "MSG-9", "MSG-10", "MSG-11")
}

func TestTheConfigurationIsReadFromTheDatabaseAtStart(t *testing.T) {
	t.Parallel()
	first := running(t, func(d *core.Document) {
		d.Adapters = append(d.Adapters, core.AdapterEntry{
			Name: "far", Kind: "ssm", Launch: "external", Identity: "far.example", Endpoints: []string{"far.example:7810"}, Disabled: true,
			Operations: []cpm.Operation{cpm.JWSVerify},
		})
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "payeefsp", Operation: "jws.verify", Adapter: "far"})
	})
	first.stop()
	r := &rig{t: t, path: first.path, open: map[string]func() (cpm.Module, error){}}
	r.start(strings.TrimSuffix(first.path, "/cpm.db"))
	r.must(r.Load(t.Context()))
	adapters := r.Adapters()
	if len(adapters) != 2 || adapters[0].Name != "far" || adapters[0].Enabled || adapters[1].Name != "ssm1" || !adapters[1].Enabled {
		t.Fatalf("the adapters are %+v", adapters)
	}
	if e := adapters[0].Endpoints; len(e) != 1 || e[0].Address != "far.example:7810" {
		t.Errorf("the endpoints are %+v", e)
	}
	if got := r.Try("payerfsp", cpm.JWSSign); got.Verdict != "ok" || got.Adapter != "ssm1" {
		t.Errorf("signing goes to %+v", got)
	}
	if got := r.Try("payeefsp", cpm.JWSVerify); got.Adapter != "far" {
		t.Errorf("verifying goes to %+v", got)
	}
	r.must(r.Activate(t.Context()))
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	if logged := r.log.named(t, "cpm.active"); len(logged) != 1 || r.State() != cpm.Active {
		t.Errorf("%s, logged %+v", r.State(), logged)
	}
	if logged := r.log.named(t, "adapter.active"); len(logged) != 1 || logged[0].Adapter != "ssm1" || adapters[1].State != cpm.Active {
		t.Errorf("logged %+v", logged)
	}
	spec.Covers(t, "START-1", "CFG-1", "CFG-1a", "CFG-1b", "CFG-1c", "CFG-2", "CFG-2a", "CFG-2b", "SEC-3", "READY-1", "READY-2")
}

// another opens the same database as another process of the CPM does.
func (r *rig) another() *rig {
	r.t.Helper()
	other := &rig{t: r.t, path: r.path, open: map[string]func() (cpm.Module, error){}}
	other.start(strings.TrimSuffix(r.path, "/cpm.db"))
	other.must(other.Load(r.t.Context()))
	return other
}

func TestRefreshConfigReadsAppliesStartsAndStops(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	other := r.another()
	next := document()
	operators(&next)
	next.Adapters[0].Name, next.Routes[0].Adapter = "ssm2", "ssm2"
	other.apply(next)
	if got := r.Try("payerfsp", cpm.JWSSign); got.Adapter != "ssm1" {
		t.Fatalf("before the refresh: %+v", got)
	}
	reply := r.does("RefreshConfig", "")
	if a := reply.GetAdapters(); len(a) != 4 || a[3].GetName() != "ssm2" || a[3].GetStatus() != "Active" {
		t.Errorf("answered %v", a)
	}
	if got := r.Try("payerfsp", cpm.JWSSign); got.Verdict != "ok" || got.Adapter != "ssm2" {
		t.Errorf("after the refresh: %+v", got)
	}
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	r.says("adapter.active", `"ssm2"`)
	r.says("adapter.closed", `"ssm1"`)
	r.says("config.refreshed", "user:alice")
	spec.Covers(t, "CMD-3a", "CMD-3b", "CMD-3c", "CMD-3d", "CMD-3e")
}

func TestRefreshKeysReadsTheKeysAndTakesDeletedOnesFromMemory(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	other := r.another()
	signed, err := r.sign()
	r.must(err)
	other.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	other.addKey(keys.Addition{FSP: "payerfsp", Name: "next", Use: cpm.UseSignature, Generate: "ES256"})
	r.does("RefreshKeys", "")
	again, err := r.sign()
	r.must(err)
	if again.GetKey().GetName() != "next" {
		t.Errorf("signed with %v", again.GetKey())
	}
	if reason := r.verify("payerfsp", signed); reason == "" {
		t.Error("the deleted key still verifies")
	}
	r.must(r.store.Close())
	r.fails("RefreshKeys", "", "")
	if _, err := r.sign(); err != nil {
		t.Errorf("a refresh that failed took the keys: %v", err)
	}
	spec.Covers(t, "CMD-4a", "CMD-4b", "CMD-4c")
}

// An endpoint that is shutting down, or whose link has just gone, declines as Unavailable: the other one does the request.
func TestWhatOneEndpointDeclinesAsUnavailableAnotherOneDoes(t *testing.T) {
	t.Parallel()
	var asked []string
	endpoint := func(name string, err error) cpm.Module {
		s := &switched{Module: &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
			asked = append(asked, name)
			return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Algorithm: name}}}, err
		}}}
		s.up.Store(true)
		return s
	}
	for name, c := range map[string]struct {
		err  error
		want error
		ask  int
	}{
		"unavailable": {fault.New(fault.Unavailable, "the adapter is shutting down"), nil, 2},
		"link lost":   {fault.New(fault.Unavailable, "lost").Because(cpm.ErrLinkLost), nil, 2},
		"busy":        {fault.New(fault.Busy, "too much"), fault.Busy, 1},
		"device":      {fault.New(fault.Device, "broken"), fault.Device, 1},
	} {
		asked = nil
		r := newRig(t)
		r.must(r.Load(t.Context()))
		r.open["far@a.example:1"] = func() (cpm.Module, error) { return endpoint("one", c.err), nil }
		r.open["far@b.example:2"] = func() (cpm.Module, error) { return endpoint("two", nil), nil }
		d := document()
		d.Adapters = append(d.Adapters, core.AdapterEntry{
			Name: "far", Kind: "ssm", Launch: "external", Identity: "far.example", Endpoints: []string{"a.example:1", "b.example:2"},
			Operations: []cpm.Operation{cpm.JWSSign},
		})
		d.Routes = append(d.Routes, core.RouteEntry{FSP: "payerfsp", Operation: "jws.sign", Adapter: "far"})
		r.apply(d)
		r.addKey(keys.Addition{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
		r.must(r.Activate(t.Context()))
		_, err := r.sign()
		if (c.want == nil) != (err == nil) || c.want != nil && !errors.Is(err, c.want) || len(asked) != c.ask {
			t.Errorf("%s: %v after asking %v", name, err, asked)
		}
	}
}
