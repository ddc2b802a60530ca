package adapter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

// simulated is how many requests the simulation makes.
func simulated() int {
	if os.Getenv("CPM_LONG") != "" {
		return 1_000_000
	}
	return 200_000
}

// Half of the operations do not look at their deadline, so that their answers come late; all come in another order than
// they were asked; and the link is cut again and again. Nobody may get another's answer, and everybody gets one outcome.
func TestSimulatedLinkNeverGivesAnAnswerToAnother(t *testing.T) {
	const callers = 1000
	synctest.Test(t, func(t *testing.T) {
		c, link := join(t, serverOf(module{do: dawdle}, func(s *ServerConfig) { s.Credit = 2 * callers }))
		over := make(chan struct{})
		go cutAgainAndAgain(link, over)
		var right, late, lost, wrong atomic.Int64
		var group sync.WaitGroup
		each := simulated() / callers
		for caller := range callers {
			group.Go(func() {
				for i := range each {
					switch text, err := askOnce(t.Context(), c, fmt.Sprintf("%d/%d", caller, i)); {
					case err == nil && text == fmt.Sprintf("re:%d/%d", caller, i):
						right.Add(1)
					case errors.Is(err, fault.Timeout):
						late.Add(1)
					case errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Busy):
						lost.Add(1)
						time.Sleep(10 * time.Millisecond)
					default:
						wrong.Add(1)
						t.Errorf("asked %d/%d, got %q %v", caller, i, text, err)
					}
				}
			})
		}
		group.Wait()
		close(over)
		time.Sleep(time.Minute) // the last late answers
		dropped := c.Late()
		c.Close()
		t.Logf("right %d, timed out %d, link lost or down %d, late answers dropped %d, links %d", right.Load(), late.Load(), lost.Load(), dropped, link.links)
		if total := right.Load() + late.Load() + lost.Load(); wrong.Load() != 0 || total != int64(callers*each) {
			t.Errorf("%d outcomes of %d requests, %d wrong", total, callers*each, wrong.Load())
		}
		if right.Load() == 0 || late.Load() == 0 || lost.Load() == 0 || link.links < 2 || dropped == 0 || dropped > uint64(late.Load()) {
			t.Error("the simulation did not meet what it is for")
		}
	})
	spec.Covers(t, "MSG-8", "MSG-9", "MSG-10")
}

func askOnce(ctx context.Context, c *Client, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond+rand.N(60*time.Millisecond))
	defer cancel()
	r, err := c.Do(ctx, request(text))
	if err != nil {
		return "", err
	}
	return string(r.Payload.Encoded), nil
}

// dawdle takes its time, and every second operation forgets the deadline.
func dawdle(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	takes := rand.N(60 * time.Millisecond)
	if rand.N(2) == 0 {
		time.Sleep(takes)
		return echo(ctx, r)
	}
	select {
	case <-time.After(takes):
		return echo(ctx, r)
	case <-ctx.Done():
		return nil, fault.New(fault.Timeout, "too late")
	}
}

func cutAgainAndAgain(link *inMemory, over <-chan struct{}) {
	for {
		select {
		case <-time.After(500*time.Millisecond + rand.N(time.Second)):
			link.cutNow()
		case <-over:
			return
		}
	}
}

func TestCallersOfAStalledAdapterReturnByTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The module is fine, but nobody reads the stream: the pipe has no buffer, so the first Send never ends.
		m := &inMemory{server: serverOf(module{do: echo}, func(s *ServerConfig) { s.Credit = 8 })}
		stalled := func(ctx context.Context) (*wires, error) {
			w, err := m.open(ctx)
			w.work = func() (workStream, error) { near, _ := newWorkPipe(ctx); return near, nil }
			return w, err
		}
		c := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet}, stalled)
		if err := c.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		var busy atomic.Int64
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				allowed := time.Duration(i+1) * time.Second
				time.Sleep(time.Duration(i) * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				defer cancel()
				began := time.Now()
				_, err := c.Do(ctx, request("x"))
				if errors.Is(err, fault.Busy) {
					busy.Add(1)
					return
				}
				kind(t, err, fault.Timeout)
				if took := time.Since(began); took != allowed {
					t.Errorf("returned after %v of %v", took, allowed)
				}
			})
		}
		group.Wait()
		if busy.Load() == 0 || c.InFlight() != 0 {
			t.Errorf("%d busy, %d in flight", busy.Load(), c.InFlight())
		}
		c.Close()
	})
}

func TestShutdownCompletesWhatIsInFlight(t *testing.T) {
	for name, takes := range map[string]time.Duration{
		"before the adapter is told":       3 * time.Second,
		"after the adapter has been told":  8 * time.Second,
		"not at all when it takes forever": 40 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { shutdownWithWork(t, takes) })
		})
	}
	spec.Covers(t, "CMD-1a-iii", "CMD-1a-iv", "DOWN-4", "SSM-down-2a", "SSM-down-2b", "SSM-down-3", "SSM-down-decline")
}

// declinesCommands says that an adapter which has been told to shut down takes no command but Status.
func declinesCommands(t *testing.T, c *Client) {
	t.Helper()
	l, err := c.current()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*cpmv1.ControlFrame{
		{Kind: &cpmv1.ControlFrame_Configure{Configure: &cpmv1.Configure{}}}, {Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: &cpmv1.KeyPut{}}},
	} {
		kind(t, l.control.ask(t.Context(), f, 1, anyAnswer), fault.Unavailable)
	}
	if _, err := l.control.status(t.Context()); err != nil {
		t.Errorf("Status: %v", err)
	}
}

func shutdownWithWork(t *testing.T, takes time.Duration) {
	var moduleEnded, told atomic.Bool
	m := module{ended: func() { moduleEnded.Store(true) }, do: func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		select {
		case <-time.After(takes):
			return echo(ctx, r)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	c, _ := join(t, serverOf(m, func(s *ServerConfig) { s.Ended = func() { told.Store(true) } }))
	answered := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), request("x"))
		answered <- err
	}()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Shutdown(ctx) }()
	synctest.Wait()
	if _, err := c.Do(t.Context(), request("y")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("while shutting down: %v", err)
	}
	if takes == 8*time.Second {
		time.Sleep(7 * time.Second)
		declinesCommands(t, c)
	}
	err, answer := <-ended, <-answered
	if takes > 10*time.Second {
		kind(t, err, fault.Timeout)
		if !errors.Is(answer, cpm.ErrLinkLost) {
			t.Errorf("in flight: %v", answer)
		}
	} else if err != nil || answer != nil {
		t.Errorf("shutdown %v, in flight %v", err, answer)
	}
	time.Sleep(time.Minute)
	if !moduleEnded.Load() || !told.Load() {
		t.Errorf("module ended %v, adapter told %v", moduleEnded.Load(), told.Load())
	}
	if s, err := c.Status(t.Context()); err != nil || s.State != cpm.Inactive {
		t.Errorf("%+v %v", s, err)
	}
}

func TestADropThatIsNotConfirmedEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := &inMemory{server: serverOf(module{do: echo}, func(s *ServerConfig) {
			s.New = func([]cpm.Operation, []byte) (cpm.Module, error) { return stuckHolder{module{do: echo}, release}, nil }
		})}
		c := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet}, m.open)
		if err := c.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		link, _ := c.current()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Drop(ctx, cpm.KeyID{1}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if now, _ := c.current(); now == link {
			t.Error("the link is still there, and so is the key")
		}
		close(release)
		c.Close()
		if err := c.Drop(t.Context(), cpm.KeyID{1}); err != nil {
			t.Errorf("a link that is down holds no key: %v", err)
		}
	})
}

type stuckHolder struct {
	module
	release chan struct{}
}

func (h stuckHolder) Put(context.Context, cpm.Material) error { return nil }

func (h stuckHolder) Drop(context.Context, ...cpm.KeyID) error {
	<-h.release
	return nil
}

func TestReconnectsWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		c := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet}, func(context.Context) (*wires, error) {
			attempts.Add(1)
			return nil, errors.New("refused")
		})
		time.Sleep(time.Minute)
		if n := attempts.Load(); n < 12 || n > 40 {
			t.Errorf("%d attempts in a minute", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		kind(t, c.Connected(ctx), fault.Unavailable)
		_, err := c.Do(t.Context(), request("x"))
		kind(t, err, fault.Unavailable)
		if c.Up() || c.InFlight() != 0 {
			t.Error("a link that is down is up")
		}
		c.Close()
	})
}
