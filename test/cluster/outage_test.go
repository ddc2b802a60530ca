package cluster

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// load is callers of several CPMs that sign and verify until it is ended. Nothing may be declined.
type load struct {
	t        *testing.T
	answered atomic.Int64
	ending   atomic.Bool
	callers  sync.WaitGroup
}

func begin(t *testing.T, all ...*replica) *load {
	l := &load{t: t}
	for _, r := range all {
		for range 2 {
			l.callers.Go(func() { l.call(r) })
		}
	}
	return l
}

func (l *load) call(r *replica) {
	for !l.ending.Load() {
		s, err := r.sign("")
		if err != nil {
			l.t.Errorf("declined: %v", err)
			return
		}
		if verdict, err := r.verify(s); verdict != "valid" || err != nil {
			l.t.Errorf("%q, %v", verdict, err)
			return
		}
		l.answered.Add(2)
	}
}

// served waits until so many more requests were answered.
func (l *load) served(n int64) {
	l.t.Helper()
	upTo := l.answered.Load() + n
	eventually(l.t, "requests are answered", func() bool { return l.answered.Load() >= upTo || l.t.Failed() })
}

func (l *load) end() {
	l.ending.Store(true)
	l.callers.Wait()
}

// outages are the ways a database server fails, and comes back.
func outages() map[string]struct {
	begin, end func(*storetest.Server, testing.TB)
} {
	return map[string]struct {
		begin, end func(*storetest.Server, testing.TB)
	}{
		"its process ends": {(*storetest.Server).Stop, (*storetest.Server).Start},
		"it hangs":         {(*storetest.Server).Pause, (*storetest.Server).Resume},
	}
}

// TestTheDatabaseFailsUnderLoad declines no operation, declines every change at once, and goes on by itself.
func TestTheDatabaseFailsUnderLoad(t *testing.T) {
	onServers(t, func(t *testing.T, s *storetest.Server) {
		a, b := pair(t, cpmtest.Config{Database: s.Database(t).Config()})
		l := begin(t, a, b)
		defer l.end()
		for name, o := range outages() {
			l.served(20)
			before := map[*replica]int{}
			for _, r := range []*replica{a, b} {
				before[r] = strings.Count(r.Log(), "database.unreachable")
			}
			o.begin(s, t)
			for _, r := range []*replica{a, b} {
				eventually(t, name+": the outage is noticed", func() bool { return strings.Count(r.Log(), "database.unreachable") > before[r] })
				began := time.Now()
				declined(t, name+": a change", r.try("fsp.suspend", "payeefsp", nil))
				declined(t, name+": a refresh", refresh(r))
				t.Logf("%s: a change and a refresh were declined in %s", name, time.Since(began).Round(time.Millisecond))
			}
			l.served(100)
			o.end(s, t)
			took := eventually(t, name+": changes are accepted again", func() bool { return a.try("fsp.suspend", "payeefsp", nil) == nil })
			t.Logf("%s: changes were accepted again %s after the server answered", name, took.Round(time.Millisecond))
			eventually(t, name+": the change holds on the other", b.suspended)
			eventually(t, name+": the other takes changes again", func() bool { return b.try("fsp.resume", "payeefsp", nil) == nil })
			eventually(t, name+": that holds on the first", func() bool { return !a.suspended() })
		}
		l.end()
		t.Logf("%d requests were answered, none was declined", l.answered.Load())
	})
}

func refresh(r *replica) error {
	_, err := r.Admin.Refresh(r.t.Context(), "config")
	return err
}

func declined(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestACutOffReplicaDeclinesAfterMaxStaleness cuts one of two CPMs off from the database.
func TestACutOffReplicaDeclinesAfterMaxStaleness(t *testing.T) {
	onServers(t, func(t *testing.T, s *storetest.Server) {
		d := s.Database(t)
		cut := newProxy(t, s)
		a := newReplica(t, cpmtest.Start(t, cpmtest.Config{
			Database: d.Config(), Document: core.Document{Settings: settings(`{"maxStaleness":"3s","followInterval":"100ms"}`)},
		}))
		a.AddKey(addition("jws"), nil)
		b := newReplica(t, cpmtest.Start(t, cpmtest.Config{Beside: a.CPM, Database: d.Through(cut.address())}))
		_, err := b.sign("")
		must(t, err)
		eventually(t, "the first knows of the other", func() bool {
			a.AddKey(addition("other"), nil)
			receipt, err := a.Admin.Apply(t.Context(), deletion("other"))
			return err == nil && len(receipt.Replicas.Confirmed) == 2
		})
		cut.down()
		eventually(t, "the outage is noticed", func() bool { return strings.Contains(b.Log(), "database.unreachable") })
		if _, err := b.sign(""); err != nil {
			t.Errorf("within maxStaleness: %v", err)
		}
		receipt, err := a.Admin.Apply(t.Context(), deletion("jws"))
		must(t, err)
		if r := receipt.Replicas; len(r.Confirmed) != 1 || len(r.Unconfirmed) != 1 {
			t.Errorf("the answer names %+v while one is cut off", r)
		}
		eventually(t, "operations are declined", func() bool {
			_, err := b.sign("")
			return err != nil && strings.Contains(err.Error(), "maxStaleness")
		})
		eventually(t, "that is logged", func() bool { return strings.Contains(b.Log(), "replica.stale") })
		cut.up()
		eventually(t, "it recovers, without the key that was deleted", func() bool {
			_, err := b.sign("")
			return err != nil && !strings.Contains(err.Error(), "maxStaleness")
		})
		eventually(t, "that is logged", func() bool { return strings.Contains(b.Log(), "database.back") })
	})
}

// cuts are the moments a connection is lost at, as the server and the CPM see them.
func cuts() map[string]cutting {
	return map[string]cutting{
		"before the commit arrives":                          {},
		"after the commit":                                   {stored: true},
		"before the commit arrives, and the server is away":  {away: true},
		"after the commit, and the server is away afterward": {stored: true, away: true},
	}
}

// TestAConnectionLostAtCommit has one answer for each case, and memory and database agree after it.
func TestAConnectionLostAtCommit(t *testing.T) {
	onServers(t, func(t *testing.T, s *storetest.Server) {
		d := s.Database(t)
		line := newProxy(t, s)
		b := newReplica(t, cpmtest.Start(t, cpmtest.Config{Database: d.Config()}))
		a := newReplica(t, cpmtest.Start(t, cpmtest.Config{Beside: b.CPM, Database: d.Through(line.address())}))
		for name, c := range cuts() {
			was := b.revision()
			line.cutAtCommit(c)
			err := a.try("fsp.suspend", "payeefsp", nil)
			switch {
			case c.away && !errors.Is(err, fault.OutcomeUnknown),
				!c.away && c.stored && err != nil,
				!c.away && !c.stored && !errors.Is(err, fault.Unavailable):
				t.Errorf("%s: %v", name, err)
			}
			if !line.hasCut() {
				t.Fatalf("%s: no commit was seen", name)
			}
			line.up()
			eventually(t, name+": it can be administered again", func() bool { return a.try("fsp.set", "payerfsp", core.Policy{}) == nil })
			eventually(t, name+": both are at one revision", func() bool { return a.revision() == b.revision() })
			if a.suspended() != c.stored || b.suspended() != c.stored {
				t.Errorf("%s: suspended on one %v, on the other %v", name, a.suspended(), b.suspended())
			}
			if want := was + 1 + count(c.stored); b.revision() != want {
				t.Errorf("%s: at revision %d, want %d", name, b.revision(), want)
			}
			if c.stored {
				must(t, b.try("fsp.resume", "payeefsp", nil))
				eventually(t, "resumed", func() bool { return !a.suspended() })
			}
		}
	})
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
