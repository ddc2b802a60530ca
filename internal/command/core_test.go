package command_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/fault"
)

// TestClientAdministersARunningCPM goes through every path of the door with a whole CPM behind it.
func TestClientAdministersARunningCPM(t *testing.T) {
	t.Parallel()
	c := cpmtest.Start(t, cpmtest.Config{}).Admin
	ctx := t.Context()
	change := func(action, target, document string) (command.Receipt, error) {
		return c.Apply(ctx, core.Change{Action: action, Target: target, Document: []byte(document)})
	}

	added, err := change("key.add", "payerfsp/sig", `{"fsp":"payerfsp","name":"sig","use":"sig","generate":"ES256"}`)
	if err != nil {
		t.Fatal(err)
	}
	var made core.KeyDetail
	if err := json.Unmarshal(added.Detail, &made); err != nil || made.Version != 1 {
		t.Errorf("detail %s: %v", added.Detail, err)
	}
	if _, err := change("key.add", "payerfsp/aaa", `{"fsp":"payerfsp","name":"aaa","use":"sig","generate":"ES256"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := change("key.add", "payerfsp/sig", `{"fsp":"payerfsp","name":"sig","use":"sig","generate":"ES256"}`); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		fsp     cpm.FSP
		name    string
		history bool
		want    string
	}{
		{"", "", false, "payerfsp/aaa/1 payerfsp/sig/2"},
		{"payerfsp", "sig", true, "payerfsp/sig/1 payerfsp/sig/2"},
		{"payeefsp", "", true, ""},
	} {
		all, err := c.Keys(ctx, k.fsp, k.name, k.history)
		if err != nil {
			t.Fatal(err)
		}
		if got := keyNames(all); got != k.want {
			t.Errorf("keys of %q: %q, want %q", k.fsp, got, k.want)
		}
	}

	if _, err := c.Apply(ctx, core.Change{Action: "fsp.suspend", Target: "payeefsp", ExpectRevision: added.Revision}); !errors.Is(err, fault.Conflict) {
		t.Errorf("change at an old revision: %v, want conflict", err)
	}
	if _, err := change("fsp.suspend", "payeefsp", "{}"); err != nil {
		t.Fatal(err)
	}
	views(t, c)
}

func keyNames(all command.Keys) string {
	var names []string
	for _, k := range all.Keys {
		names = append(names, k.FSP+"/"+k.Name+"/"+string(rune('0'+k.Version)))
	}
	return strings.Join(names, " ")
}

func views(t *testing.T, c *command.Client) {
	t.Helper()
	ctx := t.Context()
	fsps, err := c.FSPs(ctx)
	if err != nil || len(fsps.FSPs) != 2 || fsps.FSPs[0].Name != "payeefsp" || fsps.FSPs[0].State != "suspended" {
		t.Errorf("FSPs %+v: %v", fsps, err)
	}
	routes, err := c.Routes(ctx)
	if err != nil || len(routes.Routes) != 1 || routes.Routes[0].Adapter != "ssm1" {
		t.Errorf("routes %+v: %v", routes, err)
	}
	grants, err := c.Grants(ctx)
	if err != nil || len(grants.Grants) != 3 || grants.Grants[0] != (command.Grant{Principal: "certificate:" + cpmtest.Client, FSP: "*", Operation: "*"}) {
		t.Errorf("grants %+v: %v", grants, err)
	}
	if trial, err := c.Try(ctx, "payerfsp", cpm.JWSSign); err != nil || trial.Verdict != "ok" || len(trial.Keys) != 1 {
		t.Errorf("trial %+v: %v", trial, err)
	}
	if trial, err := c.Try(ctx, "payeefsp", cpm.JWSSign); err != nil || trial.Verdict != fault.State.String() {
		t.Errorf("trial of a suspended FSP %+v: %v", trial, err)
	}
	adapters, err := c.Adapters(ctx)
	want := []core.AdapterView{{
		Name: "ssm1", Type: "security", Kind: "ssm", Launch: "inproc", Status: "Active", State: cpm.Active, Enabled: true,
		Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify}, Endpoints: []core.EndpointView{{Up: true}}, HSMs: []core.HSMView{},
	}}
	if diff := cmp.Diff(want, adapters.Adapters); diff != "" || err != nil {
		t.Errorf("adapters: %v\n%s", err, diff)
	}
	status, err := c.Status(ctx)
	if receipt, failed := c.Refresh(ctx, command.RefreshKeys); failed != nil || receipt.Revision != status.Revision {
		t.Errorf("refresh: %+v %v, want revision %d", receipt, failed, status.Revision)
	}
	if err != nil || status.State != cpm.Active || status.Version != "test" || status.RiskAcceptance == nil || status.Listen.MojaloopHTTP == "" {
		t.Errorf("status %+v: %v", status, err)
	}
}
