package core_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// by changes as a user of a Command adapter.
func (r *rig) by(user, action, target string) error {
	r.t.Helper()
	_, err := r.Apply(r.t.Context(), cpm.Principal{Kind: cpm.PrincipalUser, Name: user}, core.Change{Action: action, Target: target})
	return err
}

func TestUsersDoTheActionsOfTheirGroup(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	r.must(r.by("bob", "fsp.suspend", "payerfsp"))
	kind(t, r.by("bob", "fsp.resume", "payerfsp"), fault.Denied)
	kind(t, r.by("alice", "fsp.resume", "payerfsp"), fault.Denied)
	kind(t, r.by("carol", "fsp.suspend", "payeefsp"), fault.Denied)
	r.mustChange("group.set", "watchers", core.GroupDocument{Commands: []string{"fsp.resume"}})
	r.must(r.by("bob", "fsp.resume", "payerfsp"))
	kind(t, r.by("bob", "fsp.suspend", "payerfsp"), fault.Denied)
}

func TestTokensCommandUntilTheyExpireAndAreNeverStored(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	made, text := access.NewToken(r.now(), time.Hour)
	r.mustChange("token.issue", "alice", core.TokenDocument{ID: made.ID, Hash: made.Hash, Expires: made.Expires})
	use := func() error {
		_, err := r.Command(t.Context(), "cmd1", "r", &cpmv1.CommandAsk{
			Credential: &cpmv1.Credential{Token: text, Address: "10.1.0.1"}, Command: "RefreshKeys",
		})
		return err
	}
	r.must(use())
	_, secret, _ := strings.Cut(strings.TrimPrefix(text, "cpm_"), "_")
	state, err := r.store.Load(t.Context())
	r.must(err)
	for _, u := range state.Users {
		if bytes.Contains(u.Attrs, []byte(secret)) {
			t.Error("the token is stored")
		}
	}
	r.log.mu.Lock()
	if strings.Contains(r.log.all.String(), secret) {
		t.Error("the token is logged")
	}
	r.log.mu.Unlock()

	// A document that says nothing of tokens leaves them.
	d := document()
	operators(&d)
	r.apply(d)
	r.mustChange("user.set", "alice", core.UserDocument{Group: "admins"})
	r.must(use())
	r.pass(time.Hour)
	kind(t, use(), fault.Unauthenticated)
	r.pass(-time.Hour)
	r.must(use())
	r.mustChange("token.revoke", "alice", core.TokenDocument{ID: made.ID})
	kind(t, use(), fault.Unauthenticated)
}

func TestAWhitelistTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	ask := func() error { _, err := r.order("RefreshKeys", ""); return err }
	r.must(ask())
	r.mustChange("whitelist.set", "cmd1", core.WhitelistDocument{Addresses: []string{"198.51.100.9/24"}})
	kind(t, ask(), fault.Denied)
	r.mustChange("whitelist.set", "cmd1", core.WhitelistDocument{})
	kind(t, ask(), fault.Denied)
	r.mustChange("whitelist.set", "cmd1", core.WhitelistDocument{Addresses: []string{"10.1.2.3"}})
	r.must(ask())
	d := document()
	operators(&d)
	d.Whitelist[0].Adapter = "ssm1"
	_, err := r.change("config.apply", "", d)
	kind(t, err, fault.Invalid)
}
