package core_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

func pause() { time.Sleep(time.Millisecond) }

func alice() *cpmv1.Credential {
	return &cpmv1.Credential{CertificateNames: []string{"alice.example"}, Address: "10.1.2.3"}
}

// order sends a command as alice, through cmd1.
func (r *rig) order(command, adapter string) (*cpmv1.CommandReply, error) {
	return r.Command(r.t.Context(), "cmd1", "r-1", &cpmv1.CommandAsk{Credential: alice(), Command: command, Adapter: adapter})
}

// does sends a command that must succeed.
func (r *rig) does(command, adapter string) *cpmv1.CommandReply {
	r.t.Helper()
	reply, err := r.order(command, adapter)
	r.must(err)
	if reply.GetResult() != "success" {
		r.t.Fatalf("%s %s: %v", command, adapter, reply)
	}
	return reply
}

// fails sends a command that must fail for a reason.
func (r *rig) fails(command, adapter, reason string) *cpmv1.CommandReply {
	r.t.Helper()
	reply, err := r.order(command, adapter)
	r.must(err)
	if reply.GetResult() != "failed" || !strings.Contains(reply.GetReason(), reason) {
		r.t.Errorf("%s %s: %v, want %q", command, adapter, reply, reason)
	}
	return reply
}

// tallied compares a command's counters.
func (r *rig) tallied(command string, want cpm.Outcomes) {
	r.t.Helper()
	for _, n := range r.CommandCounts() {
		got := cpm.Outcomes{Success: n.Success, Failed: n.Failed, Invalid: n.Invalid}
		if n.Command == command && got != want {
			r.t.Errorf("%q is counted %+v, want %+v", command, got, want)
		}
	}
}

// says wants one line of an event with all of the texts.
func (r *rig) says(event string, texts ...string) {
	r.t.Helper()
	lines := r.events(event)
	for _, line := range lines {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return
		}
	}
	r.t.Errorf("no line of %s has %q: %q", event, texts, lines)
}

func TestWhoMayCommand(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	for name, c := range map[string]struct {
		change  func(*cpmv1.CommandAsk)
		through string
		want    fault.Kind
	}{
		"another address":        {func(a *cpmv1.CommandAsk) { a.Credential.Address = "10.2.0.1" }, "cmd1", fault.Denied},
		"no address":             {func(a *cpmv1.CommandAsk) { a.Credential.Address = "" }, "cmd1", fault.Denied},
		"a name for an address":  {func(a *cpmv1.CommandAsk) { a.Credential.Address = "localhost" }, "cmd1", fault.Denied},
		"no whitelist":           {func(*cpmv1.CommandAsk) {}, "cmd2", fault.Denied},
		"no credential":          {func(a *cpmv1.CommandAsk) { a.Credential = &cpmv1.Credential{Address: "10.1.0.1"} }, "cmd1", fault.Unauthenticated},
		"nothing at all":         {func(a *cpmv1.CommandAsk) { a.Credential = nil }, "cmd1", fault.Denied},
		"an unknown certificate": {func(a *cpmv1.CommandAsk) { a.Credential.CertificateNames = []string{"eve.example"} }, "cmd1", fault.Unauthenticated},
		"two users' certificate": {func(a *cpmv1.CommandAsk) {
			a.Credential.CertificateNames = []string{"alice.example", "bob.example"}
		}, "cmd1", fault.Unauthenticated},
		"a bad token beside it": {func(a *cpmv1.CommandAsk) { a.Credential.Token = "cpm_0011223344556677_x" }, "cmd1", fault.Unauthenticated},
		"a disabled user":       {func(a *cpmv1.CommandAsk) { a.Credential.CertificateNames = []string{"carol.example"} }, "cmd1", fault.Unauthenticated},
		"another group":         {func(a *cpmv1.CommandAsk) { a.Credential.CertificateNames = []string{"bob.example"} }, "cmd1", fault.Denied},
		"no command":            {func(a *cpmv1.CommandAsk) { a.Command = "" }, "cmd1", fault.Invalid},
		"no such command":       {func(a *cpmv1.CommandAsk) { a.Command = "Reboot" }, "cmd1", fault.Invalid},
		"another spelling":      {func(a *cpmv1.CommandAsk) { a.Command = "refreshkeys" }, "cmd1", fault.Invalid},
		"keys of one adapter":   {func(a *cpmv1.CommandAsk) { a.Adapter = "ssm1" }, "cmd1", fault.Invalid},
	} {
		ask := &cpmv1.CommandAsk{Credential: alice(), Command: "RefreshKeys"}
		c.change(ask)
		reply, err := r.Command(t.Context(), c.through, "r-1", ask)
		if reply != nil || fault.From(err) == nil || fault.From(err).Kind != c.want {
			t.Errorf("%s: %v %v, want %s", name, reply, err, c.want)
		}
		if e := fault.From(err); e != nil && (strings.Contains(e.Public, "eve") || strings.Contains(e.Public, "Reboot")) {
			t.Errorf("%s: the input is echoed: %s", name, e.Public)
		}
	}
	r.tallied("RefreshKeys", cpm.Outcomes{Failed: 12})
	r.tallied("", cpm.Outcomes{Invalid: 3})
	if n := len(r.events("command.declined")); n != 12 {
		t.Errorf("%d declined commands are logged", n)
	}
	if n := len(r.events("command.invalid")); n != 3 || strings.Contains(strings.Join(r.events("command.invalid"), ""), "Reboot") {
		t.Errorf("%d invalid commands are logged: %q", n, r.events("command.invalid"))
	}
	for _, k := range []*cpmv1.Credential{
		alice(), {CertificateNames: []string{"x", "spiffe://hub/alice"}, Address: "2001:db8::1"}, {CertificateNames: []string{"alice.example"}, Address: "::ffff:192.0.2.1"},
	} {
		if _, err := r.Command(t.Context(), "cmd1", "r-2", &cpmv1.CommandAsk{Credential: k, Command: "RefreshKeys"}); err != nil {
			t.Errorf("%v: %v", k, err)
		}
	}
	spec.Covers(t, "DB-command-2", "DB-command-3a", "DB-command-3b", "DB-command-4", "DB-command-5", "CMD-5f-ii-invalid")
}

func TestShutdownOfASecurityAdapter(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	reply := r.fails("Shutdown", "nobody", "not known")
	if len(reply.GetAdapters()) != 0 {
		t.Errorf("states of what is not known: %v", reply)
	}
	spec.Covers(t, "CMD-1a-i", "CMD-1a-ii")
	reply = r.does("Shutdown", "ssm1")
	if a := reply.GetAdapters(); len(a) != 1 || a[0].GetName() != "ssm1" || a[0].GetStatus() != "Stopped" || a[0].GetState() != "Stopped" {
		t.Errorf("states %v", a)
	}
	_, err := r.sign()
	kind(t, err, fault.Unavailable)
	r.says("adapter.closed", `"ssm1"`, "closed by the CPM")
	r.says("command.done", `"Shutdown"`, "user:alice", "10.1.2.3", "r-1")
	r.fails("Shutdown", "ssm1", "stopped already")
	r.fails("RefreshConfig", "ssm1", "is stopped")
	r.tallied("Shutdown", cpm.Outcomes{Success: 1, Failed: 2})
	spec.Covers(t, "CMD-1")
}

func TestShutdownOfAConnectedAdapter(t *testing.T) {
	t.Parallel()
	for name, shutdown := range map[string]func(ctx context.Context) error{
		"drained":   nil,
		"timer":     func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"link lost": func(context.Context) error { return cpm.ErrLinkLost },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := running(t, operators, func(d *core.Document) {
				d.Settings = map[string]json.RawMessage{"shutdownTimeout": json.RawMessage(`"50ms"`)}
			})
			d := &dialler{shutdown: shutdown}
			r.attach("kup1", "keyupdate", d)
			reply := r.does("Shutdown", "kup1")
			if a := reply.GetAdapters(); len(a) != 1 || a[0].GetStatus() != "Stopped" || d.shuts() != 1 {
				t.Errorf("%v, told %d times", reply, d.shuts())
			}
			r.says("adapter.closed", "kup1", "closed by the CPM")
			_, _, _, err := r.Attach(t.Context(), "kup1", "keyupdate", []string{"kup.example"}, d)
			kind(t, err, fault.State)
			spec.Covers(t, "CMD-1a-iii", "CMD-1a-iv", "CMD-1a-v")
		})
	}
}

// TestACommandEndsTheAdapterItCameThrough is about waiting in a circle: the adapter is drained when the command is answered.
func TestACommandEndsTheAdapterItCameThrough(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	answered := make(chan struct{})
	d := &dialler{shutdown: func(ctx context.Context) error {
		select {
		case <-answered:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	r.attach("cmd1", "command", d)
	r.does("Shutdown", "cmd1")
	close(answered)
	eventually(t, func() bool { return len(r.events("adapter.closed")) == 1 })
	r.says("adapter.closed", `"drained":"drained"`)
}

func TestStartup(t *testing.T) {
	t.Parallel()
	r := running(t, operators, func(d *core.Document) {
		d.Settings = map[string]json.RawMessage{"startupTimeout": json.RawMessage(`"30ms"`)}
		off := core.AdapterEntry{Name: "off", Kind: "ssm", Disabled: true}
		d.Adapters = append(d.Adapters, off)
	})
	r.fails("Startup", "nobody", "not known")
	r.fails("Startup", "ssm1", "is not stopped")
	if reply := r.does("Startup", ""); !strings.Contains(reply.GetReason(), "no adapter is stopped") || len(reply.GetAdapters()) != 5 {
		t.Errorf("nothing to start: %v", reply)
	}
	spec.Covers(t, "CMD-2-i", "CMD-2-ii-a")
	r.does("Shutdown", "ssm1")
	reply := r.does("Startup", "ssm1")
	if a := reply.GetAdapters(); len(a) != 1 || a[0].GetStatus() != "Active" || a[0].GetState() != "Active" {
		t.Errorf("started: %v", reply)
	}
	if _, err := r.sign(); err != nil {
		t.Error(err)
	}
	r.says("adapter.started", "ssm1", "started by the CPM")
	spec.Covers(t, "CMD-2-ii", "CMD-2-ii-b", "CMD-2-iv")

	d := &dialler{}
	r.attach("kup1", "keyupdate", d)
	r.does("Shutdown", "kup1")
	r.does("Shutdown", "ssm1")
	r.does("Shutdown", "off")
	r.fails("Startup", "off", "it is disabled")
	r.fails("Startup", "", "kup1: the adapter is not reachable")
	if _, err := r.sign(); err != nil {
		t.Errorf("the one that can be reached was not started: %v", err)
	}
	r.says("adapter.started", `"ssm1"`)
	r.attach("kup1", "keyupdate", d)
	r.does("Shutdown", "kup1")
	came := make(chan struct{})
	go func() {
		defer close(came)
		for {
			if _, _, detach, err := r.Attach(t.Context(), "kup1", "keyupdate", []string{"kup.example"}, d); err == nil {
				t.Cleanup(detach)
				return
			}
			pause()
		}
	}()
	r.mustChange("config.apply", "", core.Document{Settings: map[string]json.RawMessage{"startupTimeout": json.RawMessage(`"1m"`)}})
	r.does("Startup", "kup1")
	<-came
	spec.Covers(t, "CMD-2-iii")
}

func TestRefreshCommands(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	d := &dialler{}
	r.attach("cmd1", "command", d)
	r.does("RefreshKeys", "")
	r.says("keys.refreshed", "user:alice", "r-1")
	r.does("RefreshConfig", "")
	r.says("config.refreshed", "user:alice", "r-1")
	r.does("RefreshConfig", "cmd1")
	if got := own(t, d.told()...); len(got) != 1 || got[0] != `{"a":1}` {
		t.Errorf("told %q", got)
	}
	r.does("RefreshConfig", "ssm1")
	r.fails("RefreshConfig", "kup1", "not connected")
	r.fails("RefreshConfig", "nobody", "not known")
	d.configure = func([]byte) error { return fault.New(fault.Invalid, "no") }
	r.fails("RefreshConfig", "cmd1", "did not take its configuration")
	r.says("adapter.configure-failed", "cmd1")
	r.must(r.store.Close())
	r.fails("RefreshKeys", "", "")
	r.says("keys.refresh-failed", "r-1")
	r.fails("RefreshConfig", "", "")
	r.says("config.refresh-failed", "r-1")
	if _, err := r.sign(); err != nil {
		t.Errorf("what was there does not serve: %v", err)
	}
	r.tallied("RefreshKeys", cpm.Outcomes{Success: 1, Failed: 1})
	r.tallied("RefreshConfig", cpm.Outcomes{Success: 3, Failed: 4})
	spec.Covers(t, "CMD-3d", "CMD-3e", "CMD-4c", "CMD-4d")
}

func TestNothingIsAcceptedWhileShuttingDown(t *testing.T) {
	t.Parallel()
	r := running(t, operators)
	reply := r.does("Shutdown", "")
	if reply.GetAdapters()[0].GetState() != "ShuttingDown" || reply.GetAdapters()[0].GetStatus() != "Stopped" || r.ends != 1 {
		t.Errorf("%v, told to end %d times", reply, r.ends)
	}
	for _, command := range cpm.Commands() {
		_, err := r.order(string(command), "")
		kind(t, err, fault.Unavailable)
	}
	_, _, _, err := r.Attach(t.Context(), "cmd1", "command", []string{"cmd.example"}, &dialler{})
	kind(t, err, fault.Unavailable)
	_, err = r.KeyUpdate(t.Context(), "kup1", "r-9", &cpmv1.KeyUpdateAsk{Jws: []byte("any")})
	kind(t, err, fault.Unavailable)
	r.says("cpm.shutting-down")
	r.says("key.update-refused", "r-9")
	r.tallied("Status", cpm.Outcomes{Failed: 1})
	spec.Covers(t, "DOWN-1", "DOWN-2b", "DOWN-2c")
}
