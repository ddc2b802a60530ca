package route

import (
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

func software(name string) Adapter {
	return Adapter{
		Name: name, Type: TypeSecurity, Kind: KindSSM, Launch: LaunchInProcess, Enabled: true,
		Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify},
	}
}

func TestMostSpecificRuleWins(t *testing.T) {
	t.Parallel()
	table, err := New([]Rule{
		{Space: Any, Operation: Any, Adapter: "any", Enabled: true},
		{Space: Any, Operation: "jws.verify", Adapter: "verify", Enabled: true},
		{Space: "payerfsp", Operation: Any, Adapter: "payer", Enabled: true},
		{Space: "payerfsp", Operation: "jws.sign", Adapter: "exact", Enabled: false, Timeout: time.Second},
	}, []Adapter{software("any"), software("verify"), software("payer"), software("exact")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fsp, operation, adapter string
		enabled                 bool
		timeout                 time.Duration
	}{
		{"payerfsp", "jws.sign", "exact", false, time.Second},
		{"payerfsp", "jws.verify", "payer", true, DefaultTimeout},
		{"payeefsp", "jws.verify", "verify", true, DefaultTimeout},
		{"payeefsp", "jws.sign", "any", true, DefaultTimeout},
		{"PayerFSP", "jws.sign", "any", true, DefaultTimeout},
	} {
		r, ok := table.Lookup(cpm.FSP(c.fsp), cpm.Operation(c.operation))
		if !ok || r.Adapter != c.adapter || r.Enabled != c.enabled || r.Timeout != c.timeout {
			t.Errorf("%s %s: got %+v", c.fsp, c.operation, r)
		}
	}
	if len(table.Rules()) != 4 || len(table.Adapters()) != 4 {
		t.Error("the listing is not complete")
	}
	if a, ok := table.Adapter("payer"); !ok || !a.Mandated(cpm.JWSSign) || a.Hardware() {
		t.Error("the adapter is not found as configured")
	}
}

func TestNoRule(t *testing.T) {
	t.Parallel()
	table, err := New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := table.Lookup("payerfsp", cpm.JWSSign); ok {
		t.Error("an empty table routes")
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	t.Parallel()
	wrong := func(change func(*Adapter)) Adapter {
		a := software("a")
		change(&a)
		return a
	}
	for want, config := range map[string]struct {
		adapters []Adapter
		rules    []Rule
	}{
		"visible characters":           {adapters: []Adapter{software("a b")}},
		"is there twice":               {adapters: []Adapter{software("a"), software("a")}},
		`type "command"`:               {adapters: []Adapter{wrong(func(a *Adapter) { a.Type = TypeCommand })}},
		`kind "shell"`:                 {adapters: []Adapter{wrong(func(a *Adapter) { a.Kind = "shell" })}},
		`launch "managed"`:             {adapters: []Adapter{wrong(func(a *Adapter) { a.Launch = LaunchManaged })}},
		`operation "pin.x"`:            {adapters: []Adapter{wrong(func(a *Adapter) { a.Operations = []cpm.Operation{"pin.x"} })}},
		`adapter "b" is not config`:    {rules: []Rule{{Space: Any, Operation: Any, Adapter: "b"}}},
		"operation is not known":       {adapters: []Adapter{software("a")}, rules: []Rule{{Space: Any, Operation: "x", Adapter: "a"}}},
		"not mandated":                 {adapters: []Adapter{wrong(func(a *Adapter) { a.Operations = nil })}, rules: []Rule{{Space: Any, Operation: "jws.sign", Adapter: "a"}}},
		"timeout must be":              {adapters: []Adapter{software("a")}, rules: []Rule{{Space: Any, Operation: Any, Adapter: "a", Timeout: -1}}},
		"the FSP must be a name or \"": {adapters: []Adapter{software("a")}, rules: []Rule{{Space: "a/b", Operation: Any, Adapter: "a"}}},
	} {
		if _, err := New(config.rules, config.adapters); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	_, err := New([]Rule{{Space: Any, Operation: "x", Adapter: "y"}, {Space: Any, Operation: Any, Adapter: "z"}}, nil)
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two problems, got %v", err)
	}
}
