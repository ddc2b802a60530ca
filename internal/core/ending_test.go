package core_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// What another CPM configures while the last adapter here ends is not started any more: nobody would end it.
func TestNothingIsStartedOnceTheAdaptersHaveEnded(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	opened, shutting, release := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	r.open["ssm2"] = func() (cpm.Module, error) {
		select {
		case opened <- struct{}{}:
		default: // it is known already
		}
		return nil, fault.New(fault.Unavailable, "too late")
	}
	r.attach("cmd1", "command", &dialler{shutdown: func(context.Context) error {
		close(shutting)
		<-release
		return nil
	}})
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end)
	other := r.beside()
	r.does("Shutdown", "")
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(context.WithoutCancel(t.Context())) }()
	<-shutting
	d := document()
	operators(&d)
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "ssm2", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSVerify}})
	other.apply(d)
	r.follow()
	select {
	case <-opened:
		t.Error("an adapter was started")
	case <-time.After(300 * time.Millisecond):
	}
	end()
	r.must(<-ended)
}

// A request that is still being judged when the time of the drain is over is declined, and does not look for an adapter for ever.
func TestARequestThatMeetsTheEndIsDeclined(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.mu.Lock() // the clock stops, and with it the request
	answered := make(chan error, 1)
	go func() {
		_, err := r.sign()
		answered <- err
	}()
	time.Sleep(50 * time.Millisecond) // if it is not there by then it is declined at the entrance
	over, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	_ = r.Shutdown(over)
	r.mu.Unlock()
	select {
	case err := <-answered:
		kind(t, err, fault.Unavailable)
	case <-time.After(30 * time.Second):
		t.Fatal("there is no answer")
	}
}

// A whitelist that nothing enforces would look like a bound.
func TestAWhitelistHangsOnACommandAdapterOnly(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	d := document()
	operators(&d)
	d.Whitelist = append(d.Whitelist, core.WhitelistEntry{Adapter: "kup1", Addresses: []string{"192.0.2.1"}})
	_, err := r.change("config.apply", "", d)
	kind(t, err, fault.Invalid)
}
