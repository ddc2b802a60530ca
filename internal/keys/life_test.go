package keys

import (
	"errors"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

func (b *bench) move(name string, version uint32, m Move) error {
	return b.change(func(tx *store.Tx) error {
		_, err := b.manager.Move(tx, Which{"payerfsp", name, version}, m, "socket:uid:0")
		return err
	})
}

func (b *bench) restore(name string, version uint32) (ref cpm.KeyRef, err error) {
	err = b.change(func(tx *store.Tx) error {
		var err error
		ref, err = b.manager.Restore(tx, Which{"payerfsp", name, version}, "socket:uid:0")
		return err
	})
	return ref, err
}

// waysTo are the moves that lead to each state from a new key.
func waysTo() map[string][]Move {
	return map[string][]Move{
		PreActive: {}, Active: {}, Suspended: {Suspend}, Deactivated: {Deactivate}, Compromised: {Compromise}, Destroyed: {Destroy},
		DestroyedCompromised: {Compromise, Destroy},
	}
}

// bring makes a key that is in a state, and is named after it and a suffix.
func (b *bench) bring(state, suffix string) string {
	b.t.Helper()
	a := Addition{Name: state + suffix, Generate: "ES256"}
	if state == PreActive {
		a.NotBefore = b.now.Add(time.Hour)
	}
	b.mustAdd(a)
	for _, m := range waysTo()[state] {
		b.must(b.move(a.Name, 0, m))
	}
	return a.Name
}

func (b *bench) version(name string) *Version {
	b.t.Helper()
	return b.index().Of("payerfsp", name)[0]
}

// Every move from every state, as NIST SP 800-57 part 1, section 7.3 has it; what is not in the table is refused and changes
// nothing.
func TestEveryMoveFromEveryState(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := map[string]map[Move]string{
		PreActive:            {Compromise: Compromised, Destroy: Destroyed},
		Active:               {Suspend: Suspended, Deactivate: Deactivated, Compromise: Compromised, Destroy: Destroyed},
		Suspended:            {Resume: Active, Deactivate: Deactivated, Compromise: Compromised, Destroy: Destroyed},
		Deactivated:          {Compromise: Compromised, Destroy: Destroyed},
		Compromised:          {Destroy: DestroyedCompromised},
		Destroyed:            {Compromise: DestroyedCompromised},
		DestroyedCompromised: {},
	}
	for state := range waysTo() {
		for _, m := range Moves() {
			name := b.bring(state, "-"+string(m))
			if got := b.version(name).State(b.now); got != state {
				t.Fatalf("%s is %s", name, got)
			}
			err := b.move(name, 0, m)
			v := b.version(name)
			expect := want[state][m]
			if expect == "" {
				if !errors.Is(err, fault.State) || v.State(b.now) != state {
					t.Errorf("%s from %s: %v, now %s", m, state, err, v.State(b.now))
				}
				continue
			}
			if err != nil || v.State(b.now) != expect {
				t.Errorf("%s from %s: %v, now %s", m, state, err, v.State(b.now))
			}
			gone := expect == Destroyed || expect == DestroyedCompromised
			known := expect == Compromised || expect == DestroyedCompromised
			if (v.Row.DestroyedAt != 0) != gone || (len(v.Row.Sealed) == 0) != gone || (v.Row.CompromisedAt != 0) != known || len(v.Row.Public) == 0 {
				t.Errorf("%s from %s: %+v", m, state, v.Row)
			}
		}
	}
}

// What a version in each state is good for; only an Active one is for anything.
func TestOnlyAnActiveVersionIsUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for state := range waysTo() {
		name := b.bring(state, "")
		_, protects := b.protect(name, 0)
		found, _, err := b.index().Select(Wish{
			FSP: "payerfsp", Use: cpm.UseSignature, Half: cpm.PublicHalf, Overlap: time.Hour, Key: &cpmv1.KeySelector{Name: name},
		}, b.now)
		b.must(err)
		if active := state == Active; (protects == nil) != active || (len(found) == 1) != active {
			t.Errorf("%s: protects %v, processes %d", state, protects, len(found))
		}
	}
}

func TestAnEarlierVersionIsRestoredFromEveryStateThatAllowsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for state := range waysTo() {
		name := b.bring(state, "")
		before := b.version(name)
		b.mustAdd(Addition{Name: name, Generate: "ES256"})
		ref, err := b.restore(name, 1)
		if state != Active && state != Deactivated {
			if !errors.Is(err, fault.State) {
				t.Errorf("%s is restored: %v", state, err)
			}
			continue
		}
		if err != nil || ref.Version != 3 {
			t.Errorf("%s: %v, %+v", state, err, ref)
			continue
		}
		v := b.version(name)
		if got, err := b.protect(name, 0); err != nil || got != v.String() || string(v.Row.Public) != string(before.Row.Public) ||
			v.Row.CreatedBy != "socket:uid:0" || v.Row.Parent != before.Row.ID {
			t.Errorf("%s: %v %s: %+v", state, err, got, v.Row)
		}
		old, err := b.manager.Material(t.Context(), before)
		b.must(err)
		fresh, err := b.manager.Material(t.Context(), v)
		b.must(err)
		if !old.Private.Equal(fresh.Private) {
			t.Error("another private key")
		}
	}
	_, err := b.restore(Active, 0)
	if !errors.Is(err, fault.Missing) {
		t.Error(err)
	}
	for _, version := range []uint32{3, 99} {
		if _, err := b.restore(Active, version); err == nil {
			t.Errorf("version %d is restored", version)
		}
	}
	if _, err := b.restore("nothing", 1); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

func TestMaterialIsGivenUpInEveryVersionThatHasIt(t *testing.T) {
	t.Parallel()
	for _, m := range []Move{Compromise, Destroy} {
		b := newBench(t)
		b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
		b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
		_, err := b.restore("jws", 1)
		b.must(err)
		b.must(b.move("jws", 1, m))
		states := map[uint32]string{}
		for _, v := range b.index().Of("payerfsp", "jws") {
			states[v.Ref.Version] = v.State(b.now)
		}
		if want := m.After(Active); states[1] != want || states[2] != Active || states[3] != want {
			t.Errorf("%s: %v", m, states)
		}
		if _, err := b.restore("jws", 3); !errors.Is(err, RuleReturning) {
			t.Error(err)
		}
	}
}

func TestASuspendedVersionWhoseTimeIsOverStaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustAdd(Addition{Name: "jws", Generate: "ES256", NotAfter: b.now.Add(time.Hour)})
	b.must(b.move("jws", 0, Suspend))
	b.now = b.now.Add(2 * time.Hour)
	if err := b.move("jws", 0, Resume); !errors.Is(err, fault.State) {
		t.Error(err)
	}
	b.must(b.move("jws", 0, Deactivate))
	if _, err := b.restore("jws", 1); !errors.Is(err, fault.State) {
		t.Error(err)
	}
}
