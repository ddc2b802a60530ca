package operator

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
)

// configuration is what a core sends: ops1 may start, by certificate or token, watcher may only look.
func configuration(t *testing.T, now time.Time) (text []byte, token string) {
	t.Helper()
	stored, token := access.NewToken(now, time.Hour)
	text, err := json.Marshal(settings{Access: access.Excerpt{
		Users: []access.ExcerptUser{
			{
				Name: "ops1", Certificates: []string{"ops1.example"}, Tokens: []access.Token{stored},
				Commands: []cpm.CommandName{cpm.CommandStartup, cpm.CommandStatus},
			},
			{Name: "watcher", Certificates: []string{"watcher.example"}, Commands: []cpm.CommandName{cpm.CommandStatus}},
		},
		Whitelist: []string{"192.0.2.0/24"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return text, token
}

func TestWithoutACoreTheLastConfigurationDecides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, core, _ := bubble(t, func(c *Config) { c.Limits.Refusals = 100 })
		text, token := configuration(t, time.Now())
		if err := d.links[0].Configure(t.Context(), text, 1); err != nil {
			t.Fatal(err)
		}
		core.down.Store(true)
		for name, test := range map[string]struct {
			address, certificate, token, command string
			status                               int
		}{
			"by certificate":       {"192.0.2.1", "ops1.example", "", "Status", 200},
			"by token":             {"192.0.2.1", "", token, "Status", 200},
			"watcher":              {"192.0.2.1", "watcher.example", "", "Status", 200},
			"watcher may not":      {"192.0.2.1", "watcher.example", "", "Startup", 403},
			"from elsewhere":       {"198.51.100.1", "ops1.example", "", "Status", 403},
			"stranger":             {"192.0.2.1", "stranger.example", "", "Status", 401},
			"another token":        {"192.0.2.1", "", token[:len(token)-2] + "xx", "Status", 401},
			"nothing to start":     {"192.0.2.1", "ops1.example", "", "Startup", 501},
			"not without the core": {"192.0.2.1", "ops1.example", "", "Shutdown", 503},
		} {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, fromAddress(t, test.address+":99", test.certificate, test.token, `{"command":"`+test.command+`"}`))
			if w.Code != test.status {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		time.Sleep(2 * time.Hour)
		if w := try(t, d, "192.0.2.1", token); w.Code != 401 {
			t.Error("an expired token:", w.Code, w.Body)
		}
		// Guesses are counted as ever.
		d.limits.Refusals, d.guard = 2, newGuard(func() Limits { l := d.limits; l.Refusals = 2; return l }())
		for _, want := range []int{401, 401, 429} {
			if w := try(t, d, "192.0.2.9", "cpm_1_x"); w.Code != want {
				t.Error(w.Code, want)
			}
		}
	})
}

func TestAConfigurationThatCannotBeUsedChangesNothing(t *testing.T) {
	t.Parallel()
	d, core, log := bubble(t, nil)
	text, _ := configuration(t, time.Now())
	link := d.links[0]
	if err := link.Configure(t.Context(), text, 1); err != nil {
		t.Fatal(err)
	}
	if err := link.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"not JSON":        `{`,
		"an array":        `[]`,
		"unknown":         `{"settings":{},"access":{"users":[],"whitelist":[]},"more":1}`,
		"unknown setting": `{"settings":{"color":"red"}}`,
		"two":             `{} {}`,
		"a wrong range":   `{"access":{"users":[],"whitelist":["x"]}}`,
		"too large":       strings.Repeat(" ", maxSettings+1),
	} {
		if err := link.Configure(t.Context(), []byte(bad), 2); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if d.State() != cpm.Inactive {
		t.Error("made Active by settings that were refused")
	}
	if n := strings.Count(log.String(), `"event":"adapter.configure-failed"`); n != 7 {
		t.Errorf("%d lines in the log", n)
	}
	core.down.Store(true)
	if w := command(t, d, "ops1.example", `{"command":"Status"}`); w.Code != 200 {
		t.Error("the settings before are gone:", w.Code, w.Body)
	}
}

// FuzzSettings looks for settings of a core that are taken and cannot be decided by.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"settings":{},"access":{"users":[{"name":"a","certificates":["a.example"],"tokens":[],"commands":["Status"]}],"whitelist":["10.0.0.0/8"]}}`,
		`{"access":{"users":[{"name":"a","tokens":[{"id":"1","hash":"00","created":"2026-01-01T00:00:00Z","expires":"2026-01-01T00:00:00Z"}]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := parseAuthority("cmd1", text)
		if err != nil {
			return
		}
		if err := rules.Admit("cmd2", "10.0.0.1"); err == nil {
			t.Error("the whitelist of another adapter")
		}
		if _, err := rules.Authenticate(access.Credential{}, time.Now()); err == nil {
			t.Error("nobody is somebody")
		}
	})
}

// A core that lags behind the others, or was cut off from the database, must not bring back a user who was removed.
func TestAnOlderRevisionOfAnotherCoreDoesNotCount(t *testing.T) {
	t.Parallel()
	d, core, _ := bubble(t, nil)
	text, _ := configuration(t, time.Now())
	if err := d.links[0].Configure(t.Context(), nil, 8); err != nil { // nobody may any more
		t.Fatal(err)
	}
	if err := d.Core("another").Configure(t.Context(), text, 7); err != nil {
		t.Fatal(err)
	}
	core.down.Store(true)
	if w := command(t, d, "ops1.example", `{"command":"Status"}`); w.Code != 403 {
		t.Error(w.Code, w.Body)
	}
}
