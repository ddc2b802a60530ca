package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

func TestAnAdapterThatDialsInIsConfiguredAndAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(nil)
		var settings []string
		a := o.attached(t, AttachConfig{Configure: func(_ context.Context, s []byte, revision int64) error {
			settings = append(settings, fmt.Sprintf("%d %s", revision, s))
			if string(s) == "bad" {
				return fault.New(fault.Invalid, "no such setting")
			}
			return nil
		}, Status: func() cpm.ServiceStatus {
			return cpm.ServiceStatus{State: cpm.Active, Counts: map[string]cpm.Outcomes{"": {Invalid: 3}, "Shutdown": {Success: 2}}}
		}})
		if got, err := ask(t, a, "x"); err != nil || got != "command1 command id-x x" {
			t.Errorf("%q %v", got, err)
		}
		s := <-o.service
		if err := s.Configure(t.Context(), []byte("new"), 8); err != nil {
			t.Error(err)
		}
		if err := s.Configure(t.Context(), []byte("overtaken"), 6); err != nil {
			t.Error(err)
		}
		kind(t, s.Configure(t.Context(), []byte("bad"), 9), fault.Invalid)
		if diff := cmp.Diff([]string{`7 {"a":1}`, "8 new", "9 bad"}, settings); diff != "" {
			t.Error(diff)
		}
		status, err := s.Status(t.Context())
		if diff := cmp.Diff(cpm.ServiceStatus{State: cpm.Active, Counts: map[string]cpm.Outcomes{"": {Invalid: 3}, "Shutdown": {Success: 2}}}, status); err != nil || diff != "" {
			t.Error(err, diff)
		}
		a.Close()
		synctest.Wait()
		if o.gone.Load() != 1 {
			t.Errorf("detached %d times", o.gone.Load())
		}
		if _, err := ask(t, a, "x"); !errors.Is(err, fault.Unavailable) {
			t.Errorf("without a link: %v", err)
		}
		_, err = s.Status(t.Context())
		kind(t, err, fault.Unavailable)
	})
}

func TestTheCoresDeclinesReachWhoAskedWithoutTheirCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(c *PortConfig) {
			c.Handle = func(context.Context, string, cpm.Operation, string, []byte) ([]byte, error) {
				return nil, fault.New(fault.Denied, "the user may not").Because(errors.New("row 17"))
			}
		})
		a := o.attached(t, AttachConfig{})
		_, err := ask(t, a, "x")
		if e := fault.From(err); e.Kind != fault.Denied || e.Public != "the user may not" || e.Cause() != nil {
			t.Errorf("%v, cause %v", e, e.Cause())
		}
		_, err = a.Ask(t.Context(), cpm.AskCommand, "a\nb", nil)
		kind(t, err, fault.Invalid)
		_, err = a.Ask(t.Context(), cpm.AskCommand, "id", make([]byte, maxAsk))
		kind(t, err, fault.TooLarge)
		a.Close()
	})
}

func TestWhoHasNotBeenLetInIsToldSoAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		o := newOffice(func(c *PortConfig) {
			c.Attach = func(context.Context, string, []string, cpm.Service) (*Attachment, error) {
				asked.Add(1)
				return nil, fault.New(fault.State, "the adapter is stopped")
			}
		})
		a := attach(t.Context(), AttachConfig{Name: "command1", Logger: quiet}, o.open)
		time.Sleep(time.Minute)
		if n := asked.Load(); a.Up() || n < 12 || n > 40 || o.gone.Load() != 0 {
			t.Errorf("up %v after %d attempts", a.Up(), n)
		}
		a.Close()
	})
}

func TestAttachedAdaptersObeyThreeCommandsAndDeclineOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOffice(nil)
		a := attach(t.Context(), AttachConfig{Name: "command1", Logger: slog.New(slog.NewTextHandler(&log, nil))}, o.open)
		if err := a.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := (<-o.service).(*portLink)
		for _, f := range []*cpmv1.ControlFrame{
			{Kind: &cpmv1.ControlFrame_KeyDrop{KeyDrop: &cpmv1.KeyDrop{}}}, {Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: &cpmv1.KeyPut{}}}, {},
		} {
			kind(t, l.control.ask(t.Context(), f, 1, anyAnswer), fault.Unsupported)
		}
		a.Close()
		if n := strings.Count(log.String(), "adapter.command-declined"); n != 3 {
			t.Errorf("%d lines in the log", n)
		}
	})
	spec.Covers(t, "CMA-7", "KUA-4")
}

// The adapter answers twice, and what it still has to ask meanwhile is answered.
func TestAnAttachedAdapterDrainsBeforeItsLinkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(nil)
		var a *Attached
		last := make(chan string, 1)
		a = o.attached(t, AttachConfig{Shutdown: func(context.Context) error {
			time.Sleep(3 * time.Second)
			got, err := ask(t, a, "last")
			last <- fmt.Sprint(got, err)
			return nil
		}})
		s := <-o.service
		began := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(t.Context()) }()
		time.Sleep(time.Second)
		if status, err := s.Status(t.Context()); err != nil || status.State != cpm.ShuttingDown {
			t.Errorf("%v %v", status, err)
		}
		if err := <-ended; err != nil || time.Since(began) != 3*time.Second || <-last != "command1 command id-last last<nil>" {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if o.gone.Load() != 1 {
			t.Error("the link did not end")
		}
		time.Sleep(time.Second)
		if !a.Up() {
			t.Error("the adapter did not come back")
		}
		a.Close()
	})
	spec.Covers(t, "CMA-down-2", "CMA-down-4", "KUA-down-3")
}

func TestSilentAdaptersAreNotWaitedFor(t *testing.T) {
	for name, first := range map[string]*cpmv1.ControlFrame{
		"no greeting":            nil,
		"a greeting and no more": {Kind: &cpmv1.ControlFrame_Hello{Hello: &cpmv1.Hello{VersionMin: 1, VersionMax: 1, Name: "command1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(nil)
				near, far := newPipe[*cpmv1.ControlFrame](t.Context())
				ended := make(chan struct{})
				ctx, cut := context.WithCancel(t.Context())
				far.ctx = ctx
				began := time.Now()
				go func() {
					defer close(ended)
					defer cut()
					_ = o.port.control("1", []string{"command.cpm"}, far)
				}()
				if first != nil {
					_ = near.Send(first)
					_, _ = near.Recv() // Hello
					_, _ = near.Recv() // Configure
				}
				<-ended
				if took := time.Since(began); took != greetTimeout {
					t.Errorf("ended after %v", took)
				}
				o.port.reading.Wait()
				if n := len(o.port.links.all()); n != 0 {
					t.Errorf("%d links left", n)
				}
			})
		})
	}
}

// Links are cut again and again while many ask; nobody gets another's answer, and everybody gets one outcome.
func TestLostLinksOfAdaptersThatDialInGiveNoWrongAnswer(t *testing.T) {
	const callers, each = 40, 500
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(c *PortConfig) {
			c.Handle = func(_ context.Context, _ string, _ cpm.Operation, _ string, payload []byte) ([]byte, error) {
				time.Sleep(rand.N(20 * time.Millisecond))
				return append([]byte("re:"), payload...), nil
			}
		})
		a := o.attached(t, AttachConfig{})
		over := make(chan struct{})
		go func() {
			for {
				select {
				case <-time.After(200*time.Millisecond + rand.N(time.Second)):
					o.cutNow()
				case <-over:
					return
				}
			}
		}()
		var right, lost, down atomic.Int64
		var group sync.WaitGroup
		for c := range callers {
			group.Go(func() {
				for i := range each {
					text := fmt.Sprintf("%d/%d", c, i)
					switch got, err := ask(t, a, text); {
					case err == nil && got == "re:"+text:
						right.Add(1)
					case errors.Is(err, cpm.ErrLinkLost) && errors.Is(err, fault.Unavailable):
						lost.Add(1)
					case errors.Is(err, fault.Unavailable):
						down.Add(1)
						time.Sleep(5 * time.Millisecond)
					default:
						t.Errorf("asked %s, got %q %v", text, got, err)
					}
				}
			})
		}
		group.Wait()
		close(over)
		a.Close()
		time.Sleep(time.Minute)
		if right.Load()+lost.Load()+down.Load() != callers*each || right.Load() == 0 || lost.Load() == 0 || down.Load() == 0 {
			t.Errorf("right %d, lost %d, down %d", right.Load(), lost.Load(), down.Load())
		}
		if o.gone.Load() != int64(o.links) {
			t.Errorf("%d links, %d detached", o.links, o.gone.Load())
		}
	})
}
