package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/store"
)

// underLoad has callers sign until the function is called, which gives the times their requests took. No request may be
// declined.
func (r *rig) underLoad(callers int) (end func() []time.Duration) {
	ctx, cancel := context.WithCancel(r.t.Context())
	times := make([][]time.Duration, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if _, err := r.Process(context.WithoutCancel(ctx), r.signRequest()); err != nil {
					r.t.Errorf("declined: %v", err)
					return
				}
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	return func() []time.Duration {
		cancel()
		group.Wait()
		all := slices.Concat(times...)
		slices.Sort(all)
		return all
	}
}

// variant is the n-th of a row of configurations, each of which adds, removes, re-routes, disables and re-addresses.
func variant(n int) core.Document {
	d := document()
	one := d.Adapters[0]
	two, far := one, one
	two.Name = "ssm2"
	far.Name, far.Launch, far.Identity = "far", route.LaunchExternal, "far.example"
	far.Endpoints = []string{fmt.Sprintf("far.example:%d", 7000+n%5)}
	two.Disabled = n%4 == 3
	switch n % 3 {
	case 0:
		d.Adapters = append(d.Adapters, two)
	case 1:
		d.Adapters = append(d.Adapters, two, far)
	case 2:
		d.Adapters = append(d.Adapters, far)
	}
	if n%3 != 2 && !two.Disabled {
		d.Routes[0].Adapter = "ssm2"
	}
	d.Routes = append(d.Routes, core.RouteEntry{FSP: "payeefsp", Operation: "*", Adapter: "far", Disabled: n%3 == 0})
	if n%3 == 0 {
		d.Routes = d.Routes[:1]
	}
	return d
}

// apart starts a second core for changes; the adapter "far" of either is a link that a test has up.
func (r *rig) apart() *rig {
	r.t.Helper()
	other := r.beside()
	for _, one := range []*rig{r, other} {
		one.open["far"] = func() (cpm.Module, error) {
			m := &switched{}
			m.up.Store(true)
			return m, nil
		}
	}
	return other
}

// One core changes everything again and again, the other reads it again under load, and follows by itself.
func TestConfigurationsAreReadAgainUnderLoadWithoutADecline(t *testing.T) {
	t.Parallel()
	for name, follows := range map[string]bool{"on command": false, "by itself": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := running(t)
			other := r.apart()
			if follows {
				r.follow()
			}
			end := r.underLoad(3)
			for n := range 24 {
				other.apply(variant(n))
				if follows {
					r.caughtUp(other)
				} else if _, err := r.Refresh(t.Context(), operator, core.RefreshOrder{}); err != nil {
					t.Error(err)
				}
			}
			if n := len(end()); n == 0 || r.Revision() != other.Revision() {
				t.Errorf("%d requests, at revision %d and %d", n, r.Revision(), other.Revision())
			}
		})
	}
}

// What is stored is whole, row by row, and makes no sense: nothing changes, and every fault is named.
func TestABrokenConfigurationChangesNothingAndEveryFaultIsNamed(t *testing.T) {
	t.Parallel()
	r := running(t)
	r.follow()
	end := r.underLoad(2)
	was := r.Revision()
	_, err := r.store.Change(t.Context(), store.Entry{Action: "test"}, func(tx *store.Tx) error {
		return errors.Join(
			tx.Put(&store.Route{Space: "payerfsp", Operation: "jws.sign", Adapter: "ssm1", Enabled: true, Timeout: -1}),
			tx.Put(&store.Route{Space: "stranger", Operation: "*", Adapter: "ssm1", Enabled: true}),
			tx.Put(&store.Setting{Name: "maxStaleness", Value: []byte(`"a while"`)}),
			tx.Put(&store.Setting{Name: "colour", Value: []byte(`"red"`)}),
			tx.Put(&store.Grant{Principal: "nobody", Space: "nowhere", Operation: "fly"}),
			tx.Put(&store.FSP{Name: "odd", State: "active", Policy: []byte("{")}),
		)
	})
	r.must(err)
	_, err = r.Refresh(t.Context(), operator, core.RefreshOrder{})
	kind(t, err, fault.Invalid)
	text := fault.From(err).Public
	for _, fault := range []string{"stranger", "maxStaleness", "colour", "nowhere", "odd", "timeout"} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(fault)) {
			t.Errorf("%s is not named in: %s", fault, text)
		}
	}
	eventually(t, func() bool { return r.Agreement().Failures > 0 })
	if n := len(end()); n == 0 || r.Revision() != was {
		t.Errorf("%d requests, at revision %d, was at %d", n, r.Revision(), was)
	}
}

// TestMeasureRefresh measures requests with and without a refresh of everything fifty times a second. It runs on request
// only, and asserts nothing about time.
func TestMeasureRefresh(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	r := running(t)
	other := r.apart()
	measure := func(what string, during func()) {
		end := r.underLoad(2)
		for began := time.Now(); time.Since(began) < 5*time.Second; {
			during()
			time.Sleep(20 * time.Millisecond)
		}
		all := end()
		at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))] }
		t.Logf("%s: %d requests, median %s, p99 %s, p99.9 %s, longest %s", what, len(all), at(.5), at(.99), at(.999), at(1))
	}
	measure("without", func() {})
	n := 0
	measure("with", func() {
		n++
		other.apply(variant(n))
		_, err := r.Refresh(t.Context(), operator, core.RefreshOrder{})
		r.must(err)
	})
	t.Logf("%d changes of everything", n)
}
