package access

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// operators are rules with two adapters, and with users whose rights differ.
func operators(t *testing.T, now time.Time) (r *Rules, token string) {
	t.Helper()
	stored, token := NewToken(now, time.Hour)
	r, err := New(Config{
		Groups: []Group{
			{Name: "all", Commands: []string{"Shutdown", "Startup", "RefreshConfig", "RefreshKeys", "Status"}},
			{Name: "watch", Commands: []string{"Status"}},
			{Name: "keys", Commands: []string{"RefreshKeys"}},
		},
		Users: []User{
			{Name: "ops1", Group: "all", Enabled: true, Certificates: []string{"ops1.example", "ops.example"}, Tokens: []Token{stored}},
			{Name: "eye", Group: "watch", Enabled: true, Certificates: []string{"eye.example"}},
			{Name: "keeper", Group: "keys", Enabled: true, Certificates: []string{"keeper.example"}},
			{Name: "gone", Group: "all", Certificates: []string{"gone.example"}},
		},
		Whitelist: []Range{{"cmd1", "10.0.0.0/8"}, {"cmd1", "127.0.0.1"}, {"cmd2", "0.0.0.0/0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, token
}

// public is what a caller sees of an error.
func public(err error) string {
	if e := fault.From(err); e != nil {
		return e.Kind.String() + ": " + e.Public
	}
	return ""
}

func TestAnExcerptDecidesLikeTheRulesItIsOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	rules, token := operators(t, now)
	text, err := json.Marshal(rules.Excerpt("cmd1", cpm.CommandStartup, cpm.CommandStatus))
	if err != nil {
		t.Fatal(err)
	}
	var e Excerpt
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	excerpt, err := e.Rules("cmd1")
	if err != nil {
		t.Fatal(err)
	}
	decide := func(r *Rules, c Credential, command cpm.CommandName, at time.Time) error {
		if err := r.Admit("cmd1", c.Address); err != nil {
			return err
		}
		u, err := r.Authenticate(c, at)
		if err != nil {
			return err
		}
		return r.AllowCommand(u, command)
	}
	for _, c := range []Credential{
		{Certificates: []string{"ops1.example"}, Address: "10.1.2.3"},
		{Certificates: []string{"ops1.example"}, Address: "11.1.2.3"},
		{Certificates: []string{"eye.example"}, Address: "127.0.0.1"},
		{Certificates: []string{"gone.example"}, Address: "127.0.0.1"},
		{Certificates: []string{"nobody.example"}, Address: "127.0.0.1"},
		{Token: token, Address: "127.0.0.1"},
		{Token: token + "x", Address: "127.0.0.1"},
		{Token: token, Certificates: []string{"eye.example"}, Address: "127.0.0.1"},
		{Address: "127.0.0.1"},
	} {
		for _, command := range []cpm.CommandName{cpm.CommandStartup, cpm.CommandStatus} {
			for _, at := range []time.Time{now, now.Add(2 * time.Hour)} {
				want, got := decide(rules, c, command, at), decide(excerpt, c, command, at)
				if diff := cmp.Diff(public(want), public(got)); diff != "" {
					t.Errorf("%+v %s: %s", c, command, diff)
				}
			}
		}
	}
	// What it was not made for it does not allow to anybody.
	u, err := excerpt.Authenticate(Credential{Certificates: []string{"ops1.example"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := excerpt.AllowCommand(u, cpm.CommandShutdown); !errors.Is(err, fault.Denied) {
		t.Error(err)
	}
	if err := excerpt.Admit("cmd2", "10.1.2.3"); !errors.Is(err, fault.Denied) {
		t.Error(err)
	}
}

func TestTheSameRulesGiveTheSameExcerpt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	rules, _ := operators(t, now)
	first := rules.Excerpt("cmd1", cpm.CommandStartup, cpm.CommandStatus)
	for range 20 {
		if diff := cmp.Diff(first, rules.Excerpt("cmd1", cpm.CommandStartup, cpm.CommandStatus)); diff != "" {
			t.Fatal(diff)
		}
	}
	if len(first.Users) != 2 || len(first.Users[1].Tokens) != 1 || len(first.Users[1].Certificates) != 2 || len(first.Whitelist) != 2 {
		t.Errorf("%+v", first)
	}
}

func TestAnExcerptThatCannotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]Excerpt{
		"a user twice":  {Users: []ExcerptUser{{Name: "a"}, {Name: "a"}}},
		"a command":     {Users: []ExcerptUser{{Name: "a", Commands: []cpm.CommandName{"Reboot"}}}},
		"a token":       {Users: []ExcerptUser{{Name: "a", Tokens: []Token{{ID: "1", Hash: "x"}}}}},
		"an address":    {Whitelist: []string{"everywhere"}},
		"too many":      {Whitelist: make([]string, maxExcerptRanges+1)},
		"a shared name": {Users: []ExcerptUser{{Name: "a", Certificates: []string{"x"}}, {Name: "b", Certificates: []string{"x"}}}},
	} {
		if _, err := e.Rules("cmd1"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
