package core_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// staffed is a rig with a group and a user.
func staffed(t *testing.T) *rig {
	t.Helper()
	r := running(t)
	r.mustChange("group.set", "ops", core.GroupDocument{Commands: []string{"Status", "user.set"}})
	r.mustChange("user.add", "jane", core.UserDocument{Group: "ops", Certificates: []string{"jane.example"}})
	return r
}

// token is the document that issues a token.
func token(r *rig, lasts time.Duration) core.TokenDocument {
	made, _ := access.NewToken(r.now(), lasts)
	return core.TokenDocument{ID: made.ID, Hash: made.Hash, Expires: made.Expires}
}

func TestOperatorsAreChangedOneByOne(t *testing.T) {
	t.Parallel()
	r := staffed(t)
	first, second := token(r, time.Hour), token(r, 2*time.Hour)
	r.mustChange("token.issue", "jane", first)
	r.mustChange("token.issue", "jane", second)
	r.mustChange("group.set", "ops", core.GroupDocument{Commands: []string{"Startup"}})
	r.mustChange("user.set", "jane", core.UserDocument{Group: "ops", Disabled: true})
	got := r.Operators()
	if len(got.Users) != 1 || got.Users[0].Enabled || len(got.Users[0].Certificates) != 0 || len(got.Users[0].Tokens) != 2 {
		t.Errorf("%+v", got.Users)
	}
	if diff := cmp.Diff([]core.GroupEntry{{Name: "ops", Commands: []string{"Startup"}}}, got.Groups); diff != "" {
		t.Error(diff)
	}
	// A token that is over leaves when the next one is issued.
	r.pass(90 * time.Minute)
	third := token(r, time.Hour)
	r.mustChange("token.issue", "jane", third)
	r.mustChange("token.revoke", "jane", core.TokenDocument{ID: third.ID})
	if left := r.Operators().Users[0].Tokens; len(left) != 1 || left[0].ID != second.ID {
		t.Errorf("%+v", left)
	}
	r.mustChange("user.delete", "jane", nil)
	r.mustChange("group.delete", "ops", nil)
	if diff := cmp.Diff(core.OperatorsView{Users: []core.UserView{}, Groups: []core.GroupEntry{}, Whitelist: []core.WhitelistEntry{}}, r.Operators()); diff != "" {
		t.Error(diff)
	}
}

func TestWrongChangesOfOperatorsChangeNothing(t *testing.T) {
	t.Parallel()
	r := staffed(t)
	good := token(r, time.Hour)
	before, revision := r.Operators(), r.Revision()
	for _, c := range []struct {
		action, target string
		document       any
		want           fault.Kind
	}{
		{"user.add", "jane", core.UserDocument{Group: "ops"}, fault.Conflict},
		{"user.add", "joe", core.UserDocument{Group: "nobody"}, fault.Invalid},
		{"user.add", "joe", core.UserDocument{Group: "ops", Certificates: []string{"jane.example"}}, fault.Invalid},
		{"user.add", "a/b", core.UserDocument{Group: "ops"}, fault.Invalid},
		{"user.set", "joe", core.UserDocument{Group: "ops"}, fault.NotFound},
		{"user.delete", "joe", nil, fault.NotFound},
		{"group.set", "ops", core.GroupDocument{Commands: []string{"Dance"}}, fault.Invalid},
		{"group.delete", "ops", nil, fault.State},
		{"group.delete", "nobody", nil, fault.NotFound},
		{"whitelist.set", "nobody", core.WhitelistDocument{}, fault.NotFound},
		{"whitelist.set", "ssm1", core.WhitelistDocument{Addresses: []string{"10.0.0.0/8"}}, fault.Invalid},
		{"grant.add", "x", core.GrantEntry{Principal: "certificate:x", FSP: "payerfsp"}, fault.Missing},
		{"grant.add", "x", core.GrantEntry{Principal: "certificate:x", FSP: "*", Operations: []string{"jws.sign"}}, fault.Invalid},
		{"grant.add", "x", core.GrantEntry{Principal: "x", FSP: "payerfsp", Operations: []string{"jws.sign"}}, fault.Invalid},
		{"grant.remove", "x", core.GrantEntry{Principal: "certificate:x", FSP: "payerfsp"}, fault.NotFound},
		{"token.issue", "joe", good, fault.NotFound},
		{"token.issue", "jane", core.TokenDocument{ID: good.ID, Hash: good.Hash}, fault.Invalid},
		{"token.issue", "jane", core.TokenDocument{ID: good.ID, Hash: good.Hash, Expires: r.now().AddDate(2, 0, 0)}, fault.Invalid},
		{"token.issue", "jane", core.TokenDocument{ID: good.ID, Hash: "short", Expires: good.Expires}, fault.Invalid},
		{"token.issue", "jane", core.TokenDocument{Hash: good.Hash, Expires: good.Expires}, fault.Invalid},
		{"token.revoke", "jane", core.TokenDocument{ID: "none"}, fault.NotFound},
	} {
		t.Log(c.action, c.target)
		_, err := r.change(c.action, c.target, c.document)
		kind(t, err, c.want)
	}
	if diff := cmp.Diff(before, r.Operators()); diff != "" || r.Revision() != revision {
		t.Errorf("revision %d after %d\n%s", r.Revision(), revision, diff)
	}
}

func TestAUserChangesOnlyWhatTheGroupNames(t *testing.T) {
	t.Parallel()
	r := staffed(t)
	jane := cpm.Principal{Kind: cpm.PrincipalUser, Name: "jane"}
	document, err := json.Marshal(core.UserDocument{Group: "ops"})
	r.must(err)
	_, err = r.Apply(t.Context(), jane, core.Change{Action: "user.add", Target: "joe", Document: document})
	kind(t, err, fault.Denied)
	_, err = r.Apply(t.Context(), jane, core.Change{Action: "user.set", Target: "jane", Document: document})
	r.must(err)
	kind(t, r.Halt(t.Context(), jane, "1"), fault.Denied)
	if r.State() != cpm.Active {
		t.Error(r.State())
	}
	socket := cpm.Principal{Kind: cpm.PrincipalSocket, Name: "uid:0"}
	r.must(r.Halt(t.Context(), socket, "1"))
	kind(t, r.Halt(t.Context(), socket, "2"), fault.State)
	if r.State() != cpm.ShuttingDown {
		t.Error(r.State())
	}
}
