package access

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestATokenShowsItsUserUntilItExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	alices, alice := NewToken(now, time.Hour)
	bobs, bob := NewToken(now, time.Hour)
	rules, err := New(Config{
		Groups: []Group{{Name: "g", Commands: []string{"Status"}}},
		Users: []User{
			{Name: "alice", Group: "g", Enabled: true, Certificates: []string{"alice.example"}, Tokens: []Token{alices}},
			{Name: "bob", Group: "g", Tokens: []Token{bobs}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(alices.Hash, alice) || !strings.HasPrefix(alice, "cpm_"+alices.ID+"_") || alice == bob {
		t.Errorf("token %q of %+v", alice, alices)
	}
	for name, c := range map[string]struct {
		credential Credential
		at         time.Duration
		user       string
		text       string
	}{
		"good":                   {Credential{Token: alice}, 0, "alice", ""},
		"with the certificate":   {Credential{Token: alice, Certificates: []string{"x", "alice.example"}}, 0, "alice", ""},
		"a moment before":        {Credential{Token: alice}, time.Hour - 1, "alice", ""},
		"expired":                {Credential{Token: alice}, time.Hour, "", "expired"},
		"disabled user":          {Credential{Token: bob}, 0, "", "not accepted"},
		"of another user":        {Credential{Token: bob, Certificates: []string{"alice.example"}}, 0, "", "not accepted"},
		"cut":                    {Credential{Token: alice[:len(alice)-1]}, 0, "", "not accepted"},
		"longer":                 {Credential{Token: alice + "x"}, 0, "", "not accepted"},
		"much longer":            {Credential{Token: alice + strings.Repeat("x", 1<<20)}, 0, "", "not accepted"},
		"another's id":           {Credential{Token: strings.Replace(alice, alices.ID, bobs.ID, 1)}, 0, "", "not accepted"},
		"no prefix":              {Credential{Token: alice[4:]}, 0, "", "not accepted"},
		"the hash":               {Credential{Token: "cpm_" + alices.ID + "_" + alices.Hash}, 0, "", "not accepted"},
		"prefix alone":           {Credential{Token: "cpm_"}, 0, "", "not accepted"},
		"bad beside certificate": {Credential{Token: "x", Certificates: []string{"alice.example"}}, 0, "", "not accepted"},
		"nothing":                {Credential{}, 0, "", "not accepted"},
	} {
		u, err := rules.Authenticate(c.credential, now.Add(c.at))
		if (err == nil) != (c.user != "") || (u != nil && u.Name != c.user) {
			t.Errorf("%s: %v %v", name, u, err)
		}
		if err != nil && (!errors.Is(err, fault.Unauthenticated) || !strings.Contains(fault.From(err).Public, c.text)) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
	}
}

func TestWhitelistsAreRangesOfOneAdapter(t *testing.T) {
	t.Parallel()
	rules, err := New(Config{Whitelist: []Range{{"cmd1", "10.1.0.0/16"}, {"cmd1", "192.0.2.1"}, {"cmd1", "2001:db8::/32"}, {"cmd2", "0.0.0.0/0"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		adapter, address string
		admitted         bool
	}{
		{"cmd1", "10.1.255.1", true},
		{"cmd1", "::ffff:10.1.0.1", true},
		{"cmd1", "10.2.0.1", false},
		{"cmd1", "192.0.2.1", true},
		{"cmd1", "192.0.2.2", false},
		{"cmd1", "2001:db8:1::1", true},
		{"cmd1", "2001:db8::1%eth0", true},
		{"cmd1", "2001:db9::1", false},
		{"cmd1", "", false},
		{"cmd1", "10.1.0.1:443", false},
		{"cmd1", "localhost", false},
		{"cmd2", "10.9.9.9", true},
		{"cmd2", "::1", false},
		{"cmd3", "10.1.0.1", false},
		{"", "10.1.0.1", false},
	} {
		if err := rules.Admit(c.adapter, c.address); (err == nil) != c.admitted || (err != nil && !errors.Is(err, fault.Denied)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for text, want := range map[string]string{"10.1.2.3/16": "10.1.0.0/16", "10.1.2.3": "10.1.2.3/32", "::1": "::1/128", "::ffff:10.0.0.1": "10.0.0.1/32"} {
		if p, err := ParseRange(text); err != nil || p.String() != want {
			t.Errorf("%s: %s %v", text, p, err)
		}
	}
}

func TestWrongOperatorsAreNamed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	token, _ := NewToken(now, time.Hour)
	groups := []Group{{Name: "g"}}
	for want, c := range map[string]Config{
		`group "a b"`:                   {Groups: []Group{{Name: "a b"}}},
		`group "g": is there twice`:     {Groups: []Group{{Name: "g"}, {Name: "g"}}},
		`"Reboot" is no command`:        {Groups: []Group{{Name: "g", Commands: []string{"Reboot"}}}},
		`user "a/b"`:                    {Groups: groups, Users: []User{{Name: "a/b", Group: "g"}}},
		`user "a": is there twice`:      {Groups: groups, Users: []User{{Name: "a", Group: "g"}, {Name: "a", Group: "g"}}},
		`the group "h" is not known`:    {Groups: groups, Users: []User{{Name: "a", Group: "h"}}},
		`"c" belongs to another user`:   {Groups: groups, Users: []User{{Name: "a", Group: "g", Certificates: []string{"c"}}, {Name: "b", Group: "g", Certificates: []string{"c"}}}},
		"a certificate name has":        {Groups: groups, Users: []User{{Name: "a", Group: "g", Certificates: []string{""}}}},
		"more than 64 certificate":      {Groups: groups, Users: []User{{Name: "a", Group: "g", Certificates: make([]string, 65)}}},
		"a token cannot be read":        {Groups: groups, Users: []User{{Name: "a", Group: "g", Tokens: []Token{{ID: "x", Hash: "abc"}}}}},
		`user "b": a token cannot be`:   {Groups: groups, Users: []User{{Name: "a", Group: "g", Tokens: []Token{token}}, {Name: "b", Group: "g", Tokens: []Token{token}}}},
		`whitelist of "c": an entry of`: {Whitelist: []Range{{"c", "example.com"}}},
		"has no zone":                   {Whitelist: []Range{{"c", "fe80::1%eth0"}}},
		`an address or a range such as`: {Whitelist: []Range{{"c", "::ffff:10.0.0.0/104"}}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestAUserDoesWhatTheGroupNames(t *testing.T) {
	t.Parallel()
	rules, err := New(Config{
		Actions: []string{"key.add", "adapter.stop"},
		Groups:  []Group{{Name: "keys", Commands: []string{"key.add", "RefreshKeys", "Shutdown"}}, {Name: "none"}},
		Users:   []User{{Name: "alice", Group: "keys", Enabled: true}, {Name: "bob", Group: "none", Enabled: true}, {Name: "carol", Group: "keys"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	user := func(name string) cpm.Principal { return cpm.Principal{Kind: cpm.PrincipalUser, Name: name} }
	for _, c := range []struct {
		who     string
		action  string
		allowed bool
	}{
		{"alice", "key.add", true},
		{"alice", "key.delete", false},
		{"alice", "adapter.stop", true},
		{"alice", "adapter.start", false},
		{"alice", "refresh.keys", true},
		{"alice", "refresh.config", false},
		{"alice", "", false},
		{"bob", "key.add", false},
		{"carol", "key.add", false},
		{"eve", "key.add", false},
		{"", "key.add", false},
	} {
		if err := rules.AllowChange(user(c.who), c.action); (err == nil) != c.allowed || (err != nil && !errors.Is(err, fault.Denied)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if rules.AllowChange(cpm.Principal{Kind: cpm.PrincipalFSP, Name: "alice"}, "key.add") == nil {
		t.Error("a name counts without its kind")
	}
}

func FuzzCredential(f *testing.F) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	token, text := NewToken(now, time.Hour)
	rules, err := New(Config{Groups: []Group{{Name: "g"}}, Users: []User{{Name: "alice", Group: "g", Enabled: true, Tokens: []Token{token}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("cpm_"+token.ID+"_x", "10.0.0.1")
	f.Add("cpm__", "::1%x")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, token, address string) {
		if u, err := rules.Authenticate(Credential{Token: token}, now); err == nil && (token != text || u.Name != "alice") {
			t.Errorf("%q shows %v", token, u)
		}
		if rules.Admit("cmd1", address) == nil {
			t.Errorf("%q is admitted without a whitelist", address)
		}
		if p, err := ParseRange(address); err == nil {
			if again, err := ParseRange(p.String()); err != nil || again != p {
				t.Errorf("%q is %s, and that is %s", address, p, again)
			}
		}
	})
}
