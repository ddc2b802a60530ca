package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestEverythingNotGrantedIsDenied(t *testing.T) {
	t.Parallel()
	rules, err := New(Config{Grants: []Grant{
		{"certificate:hub", "Hub", "jws.sign"},
		{"certificate:hub", Any, Any},
		{"certificate:fsp", "payerfsp", Any},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		fsp       cpm.FSP
		operation cpm.Operation
		allowed   bool
	}{
		{"hub", "Hub", cpm.JWSSign, true},
		{"hub", "payerfsp", cpm.JWSVerify, true},
		{"hub", "payerfsp", cpm.JWSSign, false}, // * never covers signing
		{"fsp", "payerfsp", cpm.JWSVerify, true},
		{"fsp", "payerfsp", cpm.JWSSign, false},
		{"fsp", "payeefsp", cpm.JWSVerify, false},
		{"fsp", "PayerFSP", cpm.JWSVerify, false},
		{"nobody", "payerfsp", cpm.JWSVerify, false},
	} {
		err := rules.Allow(cpm.Principal{Kind: cpm.PrincipalCertificate, Name: c.name}, c.fsp, c.operation)
		if (err == nil) != c.allowed || (err != nil && !errors.Is(err, fault.Denied)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := rules.Allow(cpm.Principal{Kind: cpm.PrincipalLoopback, Name: "hub"}, "Hub", cpm.JWSSign); err == nil {
		t.Error("a name counts without its kind")
	}
	if len(rules.Grants()) != 3 {
		t.Error("the listing is not complete")
	}
}

func TestWrongGrantsAreNamed(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]Grant{
		"name the principal": {"", "a", Any},
		"name the FSP":       {"certificate:hub", Any, "jws.sign"},
		"not known":          {"certificate:hub", Any, "jws.forge"},
		"must be a name":     {"certificate:hub", "a/b", Any},
	} {
		if _, err := New(Config{Grants: []Grant{g}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestOnlyTheSocketAdministers(t *testing.T) {
	t.Parallel()
	rules, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, allowed := range map[cpm.PrincipalKind]bool{
		cpm.PrincipalSocket: true, cpm.PrincipalSystem: true, cpm.PrincipalCertificate: false, cpm.PrincipalLoopback: false, "": false,
	} {
		if err := rules.AllowChange(cpm.Principal{Kind: kind, Name: "x"}, "fsp.suspend"); (err == nil) != allowed {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestCheckPrincipal(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"certificate:ml-api-adapter.hub.example": true, "loopback:dev": true, "socket:uid:0": true, "user:jane": true,
		"": false, "ml-api": false, "certificate": false, "certificate:": false, ":x": false, "fsp:payerfsp": false, "Certificate:x": false,
		"system:dev": false, "*": false,
	} {
		if err := CheckPrincipal(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
