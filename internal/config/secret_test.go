package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	c := fullConfig()
	c.Database.DSN = "hunter2"
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "m", slog.Any("c", c), slog.Any("dsn", c.Database.DSN))
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "m", slog.Any("c", c), slog.Any("dsn", c.Database.DSN))
	inJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(inJSON), string(inYAML), c.Database.DSN.String(), fmt.Sprint(c.Redacted())}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		shown = append(shown, fmt.Sprintf(verb, c), fmt.Sprintf(verb, c.Database.DSN), fmt.Sprintf(verb, &c))
	}
	for _, s := range shown {
		if strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is shown: %s", s)
		}
	}
}

func TestRedactedShowsEverythingElse(t *testing.T) {
	t.Parallel()
	c := fullConfig()
	shown := map[string]string{}
	for _, s := range c.Redacted() {
		shown[s.Path] = s.Value
	}
	if len(shown) != len(Keys()) {
		t.Errorf("%d settings, %d keys", len(shown), len(Keys()))
	}
	for path, want := range map[string]string{
		"database.dsn": "[secret]", "listen.mojaloopGRPC": "", "limits.requestTimeout": "1m30s", "limits.connections": "7",
		"metrics.fspLabel": "true", "riskAcceptance.date": "2026-01-31",
	} {
		if shown[path] != want {
			t.Errorf("%s: got %q, want %q", path, shown[path], want)
		}
	}
	c.Database.DSN = ""
	if got := c.Redacted()[2]; got != (Setting{"database.dsn", ""}) {
		t.Errorf("an empty secret: got %v", got)
	}
}
