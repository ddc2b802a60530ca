package operator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

func TestTheEndOfTheAdapterAnswersWhatWasAcceptedAndDeclinesTheRest(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	asked, free := make(chan struct{}), make(chan struct{})
	s.core.reply = func(a *cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		close(asked)
		<-free
		return obeys(a)
	}
	client, other := s.client("ops1.example"), s.client("ops1.example")
	first := make(chan reply)
	go func() { first <- s.command(client, `{"command":"RefreshConfig"}`) }()
	<-asked
	s.end()
	for s.State() != cpm.ShuttingDown {
		time.Sleep(time.Millisecond)
	}
	if r := s.command(other, `{"command":"Status"}`); r.status != 503 || r.kind(t) != "unavailable" || r.header.Get("Retry-After") != "5" || !strings.Contains(r.body, "ShuttingDown") {
		t.Error(r)
	}
	if r := s.command(other, `{"command":"Nonsense"}`); r.status != 503 {
		t.Error(r)
	}
	close(free)
	if r := <-first; r.answer(t).Result != Success {
		t.Error(r)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	s.ended <- nil
	if s.State() != cpm.Inactive {
		t.Error(s.State())
	}
	if events := s.log.events(t); !slices.Contains(events, "adapter.shutting-down") || events[len(events)-1] != "adapter.inactive" {
		t.Error(events)
	}
	if n := s.Status().Counts; n["Status"] != (cpm.Outcomes{Failed: 1}) || n["RefreshConfig"] != (cpm.Outcomes{Success: 1}) || n[""] != (cpm.Outcomes{Invalid: 1}) {
		t.Errorf("%+v", n)
	}
	spec.Covers(t, "CMA-1", "CMA-down-1", "CMA-down-3a", "CMA-down-4", "CMA-down-decline", "CMA-down-then-2", "CMA-down-then-4")
}

func TestAShutdownByTheCoreEndsWithTheLastAnswerAndLeavesTheAdapterUp(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	link := s.links[0]
	asked, free := make(chan struct{}), make(chan struct{})
	s.core.reply = func(a *cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		close(asked)
		<-free
		return obeys(a)
	}
	client := s.client("ops1.example")
	first, drained := make(chan reply), make(chan error, 1)
	go func() { first <- s.command(client, `{"command":"Shutdown"}`) }()
	<-asked
	go func() { drained <- link.Shutdown(t.Context()) }()
	for s.State() != cpm.ShuttingDown {
		time.Sleep(time.Millisecond)
	}
	other := s.client("ops1.example")
	if r := s.command(other, `{"command":"Status"}`); r.status != 503 || r.kind(t) != "unavailable" {
		t.Error(r)
	}
	select {
	case err := <-drained:
		t.Fatal("drained before the answer", err)
	default:
	}
	close(free)
	if r := <-first; r.answer(t).Result != Success {
		t.Error(r)
	}
	if err := <-drained; err != nil || s.State() != cpm.Inactive {
		t.Error(err, s.State())
	}
	// Inactive: only what the adapter can do alone, for who may; here nobody may.
	for _, command := range []string{"Status", "Startup", "RefreshKeys"} {
		if r := s.command(other, `{"command":"`+command+`"}`); r.status != 503 || r.kind(t) != "unavailable" {
			t.Error(r)
		}
	}
	// A core that configures it again makes it Active again.
	if err := link.Configure(t.Context(), nil, 7); err != nil || s.State() != cpm.Active {
		t.Error(err, s.State())
	}
	s.core.reply = obeys
	if r := s.command(other, `{"command":"Status"}`); r.answer(t).Result != Success {
		t.Error(r)
	}
	want := []string{"adapter.shutting-down", "adapter.inactive", "adapter.configured", "adapter.active"}
	got := slices.DeleteFunc(s.log.events(t)[1:], func(e string) bool { return !strings.HasPrefix(e, "adapter.") })
	if !slices.Equal(got, want) {
		t.Error(got)
	}
	spec.Covers(t, "CMA-5")
}

func TestOneOfTwoCoresMayShutTheAdapterDownForItself(t *testing.T) {
	t.Parallel()
	shut := make(chan struct{})
	s := serve(t, func(c *Config) { c.Shut = func() { close(shut) } })
	second := &fakeCore{reply: obeys}
	link := s.Core("core2.example:7802")
	link.Bind(second)
	if err := s.links[0].Shutdown(t.Context()); err != nil || s.State() != cpm.Active {
		t.Error(err, s.State())
	}
	if a := s.command(s.client("ops1.example"), `{"command":"Status"}`).answer(t); a.Result != Success || a.Replicas != nil || len(s.core.asked()) != 0 {
		t.Errorf("%+v", a)
	}
	if err := link.Shutdown(t.Context()); err != nil || s.State() != cpm.Inactive {
		t.Error(err, s.State())
	}
	// The process ends when the cores have closed the links, and not before.
	select {
	case <-shut:
		t.Error("the process ends while the links are there")
	case <-time.After(2 * lookEvery):
	}
	s.core.down.Store(true)
	second.down.Store(true)
	<-shut
}

func TestAShutdownThatTakesTooLongSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bubble(t, nil)
		in, _ := d.accept()
		defer in.release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.links[0].Shutdown(ctx); !errors.Is(err, fault.Timeout) {
			t.Error(err)
		}
		if err := d.Shutdown(ctx); !errors.Is(err, fault.Timeout) || d.State() != cpm.Inactive {
			t.Error(err, d.State())
		}
	})
}

func TestADoorThatIsStartingDeclines(t *testing.T) {
	t.Parallel()
	d, _ := newDoor(t, nil)
	if d.State() != cpm.Starting {
		t.Error(d.State())
	}
	if w := try(t, d, "192.0.2.1", "cpm_a_good"); w.Code != http.StatusServiceUnavailable {
		t.Error(w.Code)
	}
}

func TestConnectionsAreBoundedForEachAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) { c.Limits.AddressConnections = 2 })
	one, two, three := s.client("ops1.example"), s.client("ops1.example"), s.client("ops1.example")
	s.command(one, `{"command":"Status"}`)
	s.command(two, `{"command":"Status"}`)
	if answer, err := three.Do(s.request(http.MethodPost, Path, `{"command":"Status"}`)); err == nil {
		_ = answer.Body.Close()
		t.Error("a third connection")
	}
	one.CloseIdleConnections()
	for { // the place is free when the server has seen the end
		answer, err := three.Do(s.request(http.MethodPost, Path, `{"command":"Status"}`))
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		time.Sleep(time.Millisecond)
	}
}
