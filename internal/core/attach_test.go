package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// dialler is a Command or Key Update adapter that a test attaches.
type dialler struct {
	mu       sync.Mutex
	settings []string
	shut     int
	detach   func()
	// status, configure and shutdown replace what it does by itself.
	status    func(ctx context.Context) (cpm.ServiceStatus, error)
	configure func(settings []byte) error
	shutdown  func(ctx context.Context) error
}

func (d *dialler) Configure(_ context.Context, settings []byte, _ int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings = append(d.settings, string(settings))
	if d.configure != nil {
		return d.configure(settings)
	}
	return nil
}

func (d *dialler) Status(ctx context.Context) (cpm.ServiceStatus, error) {
	if d.status != nil {
		return d.status(ctx)
	}
	return cpm.ServiceStatus{State: cpm.Active, Counts: map[string]cpm.Outcomes{"Status": {Success: 3, Failed: 1}, "": {Invalid: 2}}}, nil
}

func (d *dialler) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	d.shut++
	d.mu.Unlock()
	if d.shutdown != nil {
		return d.shutdown(ctx)
	}
	return nil
}

func (d *dialler) shuts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut
}

func (d *dialler) told() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.settings)
}

// operators adds a Command and a Key Update adapter, and users, to the document.
func operators(d *core.Document) {
	d.Adapters = append(d.Adapters,
		core.AdapterEntry{Name: "cmd1", Type: "command", Identity: "cmd.example", Settings: []byte(`{"a":1}`)},
		core.AdapterEntry{Name: "kup1", Type: "keyupdate", Identity: "kup.example"},
	)
	d.Groups = []core.GroupEntry{
		{Name: "admins", Commands: []string{"Shutdown", "Startup", "RefreshConfig", "RefreshKeys", "Status"}},
		{Name: "watchers", Commands: []string{"Status", "fsp.suspend"}},
	}
	d.Users = []core.UserEntry{
		{Name: "alice", Group: "admins", Certificates: []string{"alice.example", "spiffe://hub/alice"}},
		{Name: "bob", Group: "watchers", Certificates: []string{"bob.example"}},
		{Name: "carol", Group: "admins", Disabled: true, Certificates: []string{"carol.example"}},
	}
	d.Whitelist = []core.WhitelistEntry{{Adapter: "cmd1", Addresses: []string{"10.1.0.7/16", "192.0.2.1", "2001:db8::/32"}}}
}

// attach connects an adapter, and takes it away when the test ends.
func (r *rig) attach(name, typ string, d *dialler) {
	r.t.Helper()
	_, _, detach, err := r.Attach(r.t.Context(), name, typ, []string{map[string]string{"command": "cmd.example", "keyupdate": "kup.example"}[typ]}, d)
	r.must(err)
	d.detach = detach
	r.t.Cleanup(detach)
}

func TestOnlyConfiguredAdaptersConnect(t *testing.T) {
	t.Parallel()
	r := running(t, operators, func(d *core.Document) {
		d.Adapters = append(d.Adapters, core.AdapterEntry{Name: "off", Type: "command", Identity: "cmd.example", Disabled: true})
	})
	for what, c := range map[string]struct {
		name, typ, identity string
		want                fault.Kind
	}{
		"another name":       {"cmd2", "command", "cmd.example", fault.Denied},
		"another type":       {"cmd1", "keyupdate", "cmd.example", fault.Denied},
		"a security adapter": {"ssm1", "security", "cmd.example", fault.Denied},
		"no certificate":     {"cmd1", "command", "", fault.Denied},
		"another's":          {"cmd1", "command", "kup.example", fault.Denied},
		"disabled":           {"off", "command", "cmd.example", fault.State},
	} {
		_, _, _, err := r.Attach(t.Context(), c.name, c.typ, []string{c.identity}, &dialler{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	if n := len(r.events("adapter.refused")); n < 4 {
		t.Errorf("%d refusals are logged", n)
	}
	settings, revision, detach, err := r.Attach(t.Context(), "cmd1", "command", []string{"other.example", "cmd.example"}, &dialler{})
	r.must(err)
	if own(t, string(settings))[0] != `{"a":1}` || revision != r.Revision() {
		t.Errorf("settings %s at %d", settings, revision)
	}
	connected := func() (core.AdapterView, int) {
		v := r.Adapters()[0]
		return v, v.Connected
	}
	r.attach("cmd1", "command", &dialler{})
	if v, n := connected(); n != 2 || v.State != cpm.Active || v.Status != "Active" {
		t.Errorf("two replicas: %+v", v)
	}
	detach()
	detach()
	if _, n := connected(); n != 1 {
		t.Errorf("%d after one is gone", n)
	}
	if len(r.events("adapter.attached")) != 2 || len(r.events("adapter.detached")) != 1 {
		t.Error("coming and going is not logged once each")
	}
}

func TestRefusalsOfOneReasonAreLoggedOnce(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	r.mustChange("adapter.stop", "cmd1", nil)
	for range 5 {
		_, _, _, err := r.Attach(t.Context(), "cmd1", "command", []string{"cmd.example"}, &dialler{})
		kind(t, err, fault.State)
	}
	if n := len(r.events("adapter.refused")); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestReplicasOfOneAdapterAreBounded(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	var err error
	for n := 0; err == nil && n < 100; n++ {
		_, _, _, err = r.Attach(t.Context(), "cmd1", "command", []string{"cmd.example"}, &dialler{})
	}
	kind(t, err, fault.Busy)
}

func TestConnectedAdaptersFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	command, update := &dialler{}, &dialler{}
	r.attach("cmd1", "command", command)
	r.attach("kup1", "keyupdate", update)
	d := document()
	operators(&d)
	d.Adapters[1].Settings = []byte(`{"a":2}`)
	d.Adapters[2].Identity = "other.example"
	r.apply(d)
	if got := own(t, command.told()...); !slices.Equal(got, []string{`{"a":2}`}) || command.shuts() != 0 {
		t.Errorf("the Command adapter was told %q and ended %d times", got, command.shuts())
	}
	eventually(t, func() bool { return update.shuts() == 1 && len(r.events("adapter.closed")) == 1 })
}

// own is the part of what a Command adapter was told that is its settings.
func own(t *testing.T, told ...string) []string {
	t.Helper()
	var all []string
	for _, text := range told {
		var d struct{ Settings json.RawMessage }
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, string(d.Settings))
	}
	return all
}

func TestACommandAdapterIsToldWhoMayWhatItDecidesAlone(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	command, update := &dialler{}, &dialler{}
	r.attach("cmd1", "command", command)
	r.attach("kup1", "keyupdate", update)
	d := document()
	operators(&d)
	d.Users = d.Users[:1]
	r.apply(d)
	told := command.told()
	if len(told) != 1 || len(update.told()) != 0 {
		t.Fatalf("told %q, the other %q", told, update.told())
	}
	for word, want := range map[string]bool{"alice": true, "bob": false, "Startup": true, "Status": true, "Shutdown": false, "192.0.2.1/32": true} {
		if strings.Contains(told[0], word) != want {
			t.Errorf("%s: %s", word, told[0])
		}
	}
	// Once more is nothing new.
	r.apply(d)
	if n := len(command.told()); n != 1 {
		t.Errorf("told %d times", n)
	}
}
