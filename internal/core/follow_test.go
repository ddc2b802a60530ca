package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/store"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// beside is another core on the same database.
func (r *rig) beside() *rig {
	r.t.Helper()
	other := &rig{t: r.t, path: r.path, open: map[string]func() (cpm.Module, error){}}
	other.start(filepath.Dir(r.path))
	other.must(other.Load(r.t.Context()))
	other.must(other.Activate(r.t.Context()))
	return other
}

// follow has the core follow until the test ends, or the function is called.
func (r *rig) follow() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Follow(ctx)
	}()
	stop = func() { cancel(); <-ended }
	r.t.Cleanup(stop)
	return stop
}

// caughtUp waits until a core is at another's revision.
func (r *rig) caughtUp(with *rig) {
	r.t.Helper()
	late := time.After(time.Minute)
	for r.Revision() < with.Revision() {
		select {
		case <-late:
			r.t.Fatalf("at revision %d, the other at %d", r.Revision(), with.Revision())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// cut makes the database fail until the function is called: its revision cannot be read.
func (r *rig) cut() (restore func()) {
	r.t.Helper()
	raw := storetest.Raw(r.t, r.path)
	run := func(statement string) {
		if _, err := raw.ExecContext(r.t.Context(), statement); err != nil {
			r.t.Fatal(err)
		}
	}
	run(`ALTER TABLE revision RENAME TO elsewhere`)
	return func() { run(`ALTER TABLE elsewhere RENAME TO revision`) }
}

func TestACoreFollowsWhatAnotherChanged(t *testing.T) {
	t.Parallel()
	a := running(t)
	b := a.beside()
	b.follow()
	signed, err := b.sign()
	a.must(err)
	a.addKey(keys.Addition{FSP: "payeefsp", Name: "jws", Use: cpm.UseSignature, Generate: "ES256"})
	a.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	d := document()
	d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "ssm2", Kind: "ssm", Operations: []cpm.Operation{cpm.JWSVerify}})
	d.Routes = append(d.Routes, core.RouteEntry{FSP: "payeefsp", Operation: "*", Adapter: "ssm2"})
	a.apply(d)
	a.mustChange("fsp.suspend", "payeefsp", nil)
	b.caughtUp(a)
	if _, err := b.sign(); !errors.Is(err, fault.State) {
		t.Errorf("the deleted key still signs: %v", err)
	}
	if reason := b.verify("payerfsp", signed); reason != "key-not-usable" {
		t.Errorf("the deleted key still verifies: %q", reason)
	}
	if n := len(b.Adapters()); n != 2 || b.Adapters()[1].State != cpm.Active {
		t.Errorf("the adapters are %+v", b.Adapters())
	}
	_, err = b.Process(t.Context(), b.request("payeefsp", cpm.JWSVerify, nil))
	kind(t, err, fault.State)
	if g := b.Agreement(); !g.Reachable || g.Failures != 0 {
		t.Errorf("%+v", g)
	}
}

// A change is judged, and followed, together with what others have stored before it and meanwhile.
func TestAChangeTakesInWhatOthersHaveStored(t *testing.T) {
	t.Parallel()
	a := running(t)
	b := a.beside() // does not follow by itself
	a.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	b.apply(document()) // compares with the snapshot, so it has to be the present one
	if _, err := b.sign(); !errors.Is(err, fault.State) {
		t.Errorf("the key the other deleted still signs: %v", err)
	}
	if receipt := b.mustChange("fsp.suspend", "payeefsp", nil); receipt.Revision != a.Revision()+2 || b.Revision() != receipt.Revision {
		t.Errorf("%+v at revision %d", receipt, b.Revision())
	}
}

func TestWithoutItsDatabaseACoreServesForMaxStalenessAndRecoversByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := running(t, func(d *core.Document) {
			d.Settings = map[string]json.RawMessage{"followInterval": json.RawMessage(`"10s"`)}
		})
		stop := r.follow()
		defer stop()
		restore := r.cut()
		time.Sleep(29 * time.Minute)
		if _, err := r.sign(); err != nil {
			t.Errorf("within maxStaleness: %v", err)
		}
		if g := r.Agreement(); g.Reachable || g.Failures < 100 || g.Age < 28*time.Minute {
			t.Errorf("%+v", g)
		}
		began := time.Now()
		_, err := r.change("fsp.suspend", "payeefsp", nil)
		kind(t, err, fault.Unavailable)
		_, err = r.Refresh(t.Context(), operator, core.RefreshOrder{})
		kind(t, err, fault.Unavailable)
		if took := time.Since(began); took != 0 {
			t.Errorf("administration was declined after %s", took)
		}
		time.Sleep(2 * time.Minute)
		_, err = r.sign()
		kind(t, err, fault.Unavailable)
		kind(t, r.Fresh(), fault.Unavailable)
		restore()
		time.Sleep(15 * time.Second)
		if _, err := r.sign(); err != nil || r.Fresh() != nil {
			t.Errorf("after the database is back: %v", err)
		}
		r.mustChange("fsp.suspend", "payeefsp", nil)
		stop()
		r.stop()
	})
}

// A look in vain declines nothing that comes when the database is there again, however long it is until the next.
func TestAChangeLooksForTheDatabaseItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := running(t, func(d *core.Document) {
			d.Settings = map[string]json.RawMessage{"followInterval": json.RawMessage(`"1m"`)}
		})
		stop := r.follow()
		restore := r.cut()
		for r.Agreement().Reachable {
			time.Sleep(time.Second)
		}
		_, err := r.change("fsp.suspend", "payeefsp", nil)
		kind(t, err, fault.Unavailable)
		restore()
		failures := r.Agreement().Failures
		r.mustChange("fsp.suspend", "payeefsp", nil)
		if g := r.Agreement(); !g.Reachable || g.Failures != failures {
			t.Errorf("%+v", g)
		}
		stop()
		r.stop()
	})
}

// The commit happens and cannot be read back: the answer says so, and memory follows by itself.
func TestAStoredChangeThatCannotBeReadBackIsFollowedLater(t *testing.T) {
	t.Parallel()
	r := running(t)
	raw := storetest.Raw(t, r.path)
	run := func(statement string) {
		_, err := raw.ExecContext(t.Context(), statement)
		r.must(err)
	}
	// What is read back is a copy that does not match.
	run(`CREATE TRIGGER spoil AFTER UPDATE OF root ON revision BEGIN UPDATE fsps SET state = 'spoiled' WHERE name = 'payeefsp'; END`)
	_, err := r.change("fsp.suspend", "payeefsp", nil)
	kind(t, err, fault.OutcomeUnknown)
	r.follow()
	run(`DROP TRIGGER spoil`)
	eventually(t, func() bool { return r.Agreement().Failures > 0 })
	if r.FSPs()[0].State != "active" {
		t.Errorf("memory follows a row that does not match: %+v", r.FSPs())
	}
	run(`UPDATE fsps SET state = 'suspended' WHERE name = 'payeefsp'`)
	eventually(t, func() bool { return r.FSPs()[0].State == "suspended" })
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("not in time")
		}
	}
}

func TestMissingChangesAreFollowedByReadingEverything(t *testing.T) {
	t.Parallel()
	a := running(t)
	b := a.beside()
	a.mustChange("fsp.suspend", "payeefsp", nil)
	a.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	_, err := storetest.Raw(t, a.path).ExecContext(t.Context(), `DELETE FROM changes WHERE rev = ?`, a.Revision()-1)
	a.must(err)
	b.follow()
	b.caughtUp(a)
	if _, err := b.sign(); !errors.Is(err, fault.State) {
		t.Errorf("the deleted key still signs: %v", err)
	}
}

// A configuration that this program cannot follow changes nothing, but a deleted key is gone all the same.
func TestKeysAreFollowedAlsoWhenTheRestCannotBe(t *testing.T) {
	t.Parallel()
	a := running(t)
	b := a.beside()
	b.follow()
	signed, err := b.sign()
	a.must(err)
	commit, err := a.store.Change(t.Context(), store.Entry{Action: "test"}, func(tx *store.Tx) error {
		if err := tx.Put(&store.Setting{Name: "of a newer program", Value: []byte("1")}); err != nil {
			return err
		}
		series, err := tx.SeriesNamed("payerfsp", "jws")
		if err != nil {
			return err
		}
		series.Deleted = true
		return tx.Put(series)
	})
	a.must(err)
	eventually(t, func() bool { return b.verify("payerfsp", signed) == "key-not-usable" })
	eventually(t, func() bool { return b.Agreement().Failures > 1 })
	if b.Revision() >= commit.Revision || !b.Agreement().Reachable {
		t.Errorf("at revision %d, %+v", b.Revision(), b.Agreement())
	}
	_, err = b.Refresh(t.Context(), operator, core.RefreshOrder{})
	kind(t, err, fault.Invalid)
	_, err = a.store.Change(t.Context(), store.Entry{Action: "mend"}, func(tx *store.Tx) error {
		return tx.Delete(&store.Setting{Name: "of a newer program"})
	})
	a.must(err)
	eventually(t, func() bool { return b.Revision() == commit.Revision+1 })
}

// A database put back from an older copy is not followed, until an operator says so.
func TestAnOlderCopyOfTheDatabaseIsNotFollowed(t *testing.T) {
	t.Parallel()
	r := running(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	_, err := storetest.Raw(t, r.path).ExecContext(t.Context(), `VACUUM INTO ?`, copied)
	r.must(err)
	r.mustChange("fsp.suspend", "payeefsp", nil)
	was := r.Revision()
	storetest.PutBack(t, r.path, copied, "changes", "fsps", "revision")
	r.follow()
	eventually(t, func() bool { return r.Agreement().Failures > 1 })
	_, err = r.change("fsp.suspend", "payerfsp", nil)
	kind(t, err, fault.Conflict)
	if r.Revision() != was || r.FSPs()[0].State != "suspended" {
		t.Errorf("the older copy is followed: revision %d, %+v", r.Revision(), r.FSPs())
	}
	receipt, err := r.Refresh(t.Context(), operator, core.RefreshOrder{})
	r.must(err)
	if receipt.Revision != was-1 || r.FSPs()[0].State != "active" {
		t.Errorf("not accepted: %+v, %+v", receipt, r.FSPs())
	}
}

// An adapter that takes long to start holds up neither the keys nor, once it is there, what follows.
func TestADeletedKeyDoesNotWaitForAnAdapterToStart(t *testing.T) {
	t.Parallel()
	a := running(t)
	b := a.beside()
	let := make(chan struct{})
	b.open["slow"] = func() (cpm.Module, error) { <-let; return &switched{}, nil }
	a.open["slow"] = func() (cpm.Module, error) { return &switched{}, nil }
	signed, err := b.sign()
	a.must(err)
	d := document()
	d.Adapters = append(d.Adapters, core.AdapterEntry{
		Name: "slow", Kind: "ssm", Launch: route.LaunchExternal, Identity: "slow.example", Endpoints: []string{"slow.example:1"},
	})
	a.apply(d)
	a.mustChange("key.delete", "", core.KeyDocument{FSP: "payerfsp", Name: "jws"})
	b.follow()
	eventually(t, func() bool { return b.verify("payerfsp", signed) == "key-not-usable" })
	if b.Revision() == a.Revision() {
		t.Error("the adapter did not take its time")
	}
	close(let)
	b.caughtUp(a)
}
