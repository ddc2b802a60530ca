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
		`type "console"`:               {adapters: []Adapter{wrong(func(a *Adapter) { a.Type = "console" })}},
		"does no operations":           {adapters: []Adapter{dialler("c", TypeCommand)}, rules: []Rule{{Space: Any, Operation: Any, Adapter: "c"}}},
		`kind "shell"`:                 {adapters: []Adapter{wrong(func(a *Adapter) { a.Kind = "shell" })}},
		`launch "borrowed"`:            {adapters: []Adapter{wrong(func(a *Adapter) { a.Launch = "borrowed" })}},
		`operation "pin.x"`:            {adapters: []Adapter{wrong(func(a *Adapter) { a.Operations = []cpm.Operation{"pin.x"} })}},
		`adapter "b" is not config`:    {rules: []Rule{{Space: Any, Operation: Any, Adapter: "b"}}},
		"operation is not known":       {adapters: []Adapter{software("a")}, rules: []Rule{{Space: Any, Operation: "x", Adapter: "a"}}},
		"mandate the operations":       {adapters: []Adapter{wrong(func(a *Adapter) { a.Operations = []cpm.Operation{cpm.MessageOpen} })}},
		"route the operations":         {adapters: []Adapter{software("a")}, rules: []Rule{{Space: Any, Operation: "message.protect", Adapter: "a"}}},
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

func TestLaunchSaysWhatAnAdapterNeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		launch, identity string
		endpoints        []string
		want             string // "" is accepted
	}{
		"in process":                   {launch: LaunchInProcess},
		"in process with an endpoint":  {launch: LaunchInProcess, endpoints: []string{"a:1"}, want: "no endpoints and no identity"},
		"in process with an identity":  {launch: LaunchInProcess, identity: "a.example", want: "no endpoints and no identity"},
		"external":                     {launch: LaunchExternal, identity: "a.example", endpoints: []string{"a.example:7810"}},
		"external at several":          {launch: LaunchExternal, identity: "a.example", endpoints: []string{"10.0.0.1:7810", "[::1]:7811", "b:1"}},
		"external without endpoints":   {launch: LaunchExternal, identity: "a.example", want: "needs endpoints"},
		"external without an identity": {launch: LaunchExternal, endpoints: []string{"a:1"}, want: "needs endpoints"},
		"external with a bad identity": {launch: LaunchExternal, identity: "a b", endpoints: []string{"a:1"}, want: "needs endpoints"},
		"endpoint without a port":      {launch: LaunchExternal, identity: "a", endpoints: []string{"a:1", "b"}, want: "host:port"},
		"endpoint without a host":      {launch: LaunchExternal, identity: "a", endpoints: []string{":7810"}, want: "host:port"},
		"endpoint with port 0":         {launch: LaunchExternal, identity: "a", endpoints: []string{"a:0"}, want: "host:port"},
		"managed":                      {launch: LaunchManaged},
		"managed with an endpoint":     {launch: LaunchManaged, endpoints: []string{"a:1"}, want: "no endpoints and no identity"},
		"managed with an identity":     {launch: LaunchManaged, identity: "a.example", want: "no endpoints and no identity"},
		"no launch":                    {want: `launch ""`},
		"a path":                       {launch: "/bin/sh", want: `launch "/bin/sh"`},
	} {
		a := software("a")
		a.Launch, a.Identity, a.Endpoints = c.launch, c.identity, c.endpoints
		_, err := New(nil, []Adapter{a})
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// dialler is an adapter that dials in.
func dialler(name, typ string) Adapter {
	return Adapter{Name: name, Type: typ, Kind: typ, Launch: LaunchExternal, Identity: name + ".example", Enabled: true}
}

func TestAdaptersThatDialInHaveAnIdentityAndNothingToReach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Adapter)
		want   string // "" is accepted
	}{
		"as it should be":     {func(*Adapter) {}, ""},
		"another kind":        {func(a *Adapter) { a.Kind = KindSSM }, "has the kind"},
		"no kind":             {func(a *Adapter) { a.Kind = "" }, "has the kind"},
		"in process":          {func(a *Adapter) { a.Launch = LaunchInProcess }, "dials in is"},
		"managed":             {func(a *Adapter) { a.Launch = LaunchManaged }, "dials in is"},
		"with an endpoint":    {func(a *Adapter) { a.Endpoints = []string{"a:1"} }, "no endpoints and no operations"},
		"with an operation":   {func(a *Adapter) { a.Operations = []cpm.Operation{cpm.JWSSign} }, "no endpoints and no operations"},
		"without an identity": {func(a *Adapter) { a.Identity = "" }, "needs the name of its certificate"},
	} {
		for _, typ := range []string{TypeCommand, TypeKeyUpdate} {
			a := dialler("c", typ)
			c.change(&a)
			_, err := New(nil, []Adapter{a})
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s, %s: got %v, want %q", name, typ, err, c.want)
			}
		}
	}
}

func TestPlacesAreTheEndpointsToOpen(t *testing.T) {
	t.Parallel()
	a := software("a")
	if got := a.Places(); len(got) != 1 || got[0] != "" {
		t.Errorf("in process: %q", got)
	}
	a.Launch, a.Endpoints = LaunchExternal, []string{"a:1", "b:2"}
	if got := a.Places(); len(got) != 2 || got[1] != "b:2" {
		t.Errorf("external: %q", got)
	}
}
