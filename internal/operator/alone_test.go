package operator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

// fakeStarter starts nothing; the core is up after a while, or the process ends.
type fakeStarter struct {
	core    *fakeCore
	after   time.Duration
	running bool
	refuses error
	dies    error
	starts  atomic.Int64
}

func (f *fakeStarter) Running(context.Context) bool { return f.running }

func (f *fakeStarter) Start(context.Context) (<-chan error, error) {
	f.starts.Add(1)
	if f.refuses != nil {
		return nil, f.refuses
	}
	ended := make(chan error, 1)
	go func() {
		time.Sleep(f.after)
		if f.dies != nil {
			ended <- f.dies
			return
		}
		f.core.down.Store(false)
	}()
	return ended, nil
}

// command sends one with a certificate from an address.
func command(t *testing.T, d *Door, name, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, fromAddress(t, "192.0.2.1:1234", name, "", body))
	return w
}

// lonely is a door whose core is down, and that can start it.
func lonely(t *testing.T, s *fakeStarter) (*Door, *fakeCore, *journal) {
	t.Helper()
	d, core, log := bubble(t, func(c *Config) { c.Names, c.Starter = []string{"ops1.example"}, s })
	s.core, core.reply = core, obeys
	core.down.Store(true)
	return d, core, log
}

func TestStartupStartsACoreThatIsDownAndThenHasItCarryOutTheCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		starter := &fakeStarter{after: 3 * time.Second}
		d, core, log := lonely(t, starter)
		// The first answer of a CPM that is not Active yet is no answer for the operator.
		early := true
		core.reply = func(a *cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
			if early {
				early = false
				return nil, fault.New(fault.Unavailable, "the CPM is Starting")
			}
			return obeys(a)
		}
		w := command(t, d, "ops1.example", `{"command":"Startup"}`)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"result":"success"`) || starter.starts.Load() != 1 || len(core.asked()) != 2 {
			t.Error(w.Code, w.Body, len(core.asked()))
		}
		events := log.events(t)
		if !slices.Contains(events, "cpm.start-requested") || !slices.Contains(events, "cpm.started-by-command") {
			t.Error(events)
		}
		if n := d.Status().Counts["Startup"]; n != (cpm.Outcomes{Success: 1}) {
			t.Errorf("%+v", n)
		}
	})
	spec.Covers(t, "CMA-ov-2")
}

func TestStartupOfACoreThatIsDownCanFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		starter *fakeStarter
		caller  string
		body    string
		status  int
		text    string
	}{
		"ends":            {&fakeStarter{after: time.Second, dies: errors.New("exit status 1")}, "ops1.example", `{"command":"Startup"}`, 409, "ended while it was starting"},
		"takes too long":  {&fakeStarter{after: time.Hour}, "ops1.example", `{"command":"Startup"}`, 504, "not Active yet"},
		"cannot be run":   {&fakeStarter{refuses: errors.New("no such file")}, "ops1.example", `{"command":"Startup"}`, 409, "could not be started"},
		"runs":            {&fakeStarter{running: true}, "ops1.example", `{"command":"Startup"}`, 409, "does not take this adapter"},
		"names one":       {&fakeStarter{}, "ops1.example", `{"command":"Startup","adapter":"ssm1"}`, 409, "without an adapter"},
		"somebody else":   {&fakeStarter{}, "ops2.example", `{"command":"Startup"}`, 503, "does not know who may"},
		"another command": {&fakeStarter{}, "ops1.example", `{"command":"RefreshKeys"}`, 503, "only Status and Startup"},
		"a shutdown":      {&fakeStarter{}, "ops1.example", `{"command":"Shutdown"}`, 503, "only Status and Startup"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, core, _ := lonely(t, test.starter)
				w := command(t, d, test.caller, test.body)
				if w.Code != test.status || !strings.Contains(w.Body.String(), test.text) || len(core.asked()) != 0 {
					t.Error(w.Code, w.Body)
				}
				time.Sleep(2 * time.Hour) // what was started ends before the test does
			})
		})
	}
}

func TestWithoutAServerConfigurationNothingCanBeStarted(t *testing.T) {
	t.Parallel()
	d, core, _ := bubble(t, func(c *Config) { c.Names = []string{"ops1.example"} })
	core.down.Store(true)
	if w := command(t, d, "ops1.example", `{"command":"Startup"}`); w.Code != 501 {
		t.Error(w.Code, w.Body)
	}
}

func TestOneStartAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		starter := &fakeStarter{after: 3 * time.Second}
		d, _, _ := lonely(t, starter)
		codes := make(chan int, 2)
		for range 2 {
			go func() { codes <- command(t, d, "ops1.example", `{"command":"Startup"}`).Code }()
		}
		got := []int{<-codes, <-codes}
		slices.Sort(got)
		if !slices.Equal(got, []int{200, 409}) || starter.starts.Load() != 1 {
			t.Error(got, starter.starts.Load())
		}
	})
}

func TestTheEndOfTheAdapterDoesNotWaitForACoreThatIsStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := lonely(t, &fakeStarter{after: 30 * time.Second})
		done := make(chan int)
		go func() { done <- command(t, d, "ops1.example", `{"command":"Startup"}`).Code }()
		time.Sleep(time.Second)
		began := time.Now()
		if err := d.Shutdown(t.Context()); err != nil || time.Since(began) != 0 {
			t.Error(err, time.Since(began))
		}
		if code := <-done; code != 503 {
			t.Error(code)
		}
		time.Sleep(time.Minute)
	})
}

func TestACoreThatWasStartedAndDeclinesIsStartedAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, core, _ := lonely(t, &fakeStarter{after: time.Second})
		core.reply = func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
			return nil, fault.New(fault.Denied, "the group may not")
		}
		w := command(t, d, "ops1.example", `{"command":"Startup"}`)
		if w.Code != 200 || !strings.Contains(w.Body.String(), "was started") || !strings.Contains(w.Body.String(), "the group may not") {
			t.Error(w.Code, w.Body)
		}
	})
}

func TestStatusWithoutACoreTellsWhatTheAdapterKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := lonely(t, &fakeStarter{})
		command(t, d, "ops1.example", `{"command":"Reboot"}`)
		command(t, d, "ops1.example", `{"command":"RefreshKeys"}`)
		w := command(t, d, "ops1.example", `{"command":"Status"}`)
		var a struct {
			Answer
			Status ownStatus `json:"status"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
			t.Fatal(err, w.Code, w.Body)
		}
		if a.Result != Success || !slices.Equal(a.Adapters, []AdapterState{{"cpm", "Unknown", "Unknown"}, {"cmd1", "Active", "Active"}}) {
			t.Errorf("%+v", a)
		}
		if a.Status.State != "Active" || a.Status.Cores[0] != (coreStatus{"core.example:7802", false}) || len(a.Status.Commands) != 6 ||
			a.Status.Commands[5] != (commandCount{Invalid: 1}) || a.Status.Commands[3] != (commandCount{Command: "RefreshKeys", Failed: 1}) {
			t.Errorf("%+v", a.Status)
		}
		if w := command(t, d, "ops2.example", `{"command":"Status"}`); w.Code != 503 {
			t.Error(w.Code, w.Body)
		}
	})
}
