package keyupdate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Settings are what a core may configure, the settings of the adapter's row as JSON. What is absent has its default.
type Settings struct {
	// RequestsPerSecond is how many key updates one address may send in the long run; Burst how many at once.
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	Burst             int     `json:"burst"`
	// AskTimeoutMS is how long the answer of a core is waited for, in milliseconds.
	AskTimeoutMS int `json:"askTimeoutMs"`
}

// DefaultSettings are those of an adapter that was not configured.
func DefaultSettings() Settings {
	return Settings{RequestsPerSecond: 10, Burst: 100, AskTimeoutMS: 10_000}
}

func (s Settings) check() error {
	switch {
	case !(s.RequestsPerSecond >= 0.01 && s.RequestsPerSecond <= 1e6):
		return fault.New(fault.Invalid, "requestsPerSecond is 0.01 to 1000000")
	case s.Burst < 1 || s.Burst > 1e6:
		return fault.New(fault.Invalid, "burst is 1 to 1000000")
	case s.AskTimeoutMS < 100 || s.AskTimeoutMS > 60_000:
		return fault.New(fault.Invalid, "askTimeoutMs is 100 to 60000")
	}
	return nil
}

func (s Settings) askTimeout() time.Duration { return time.Duration(s.AskTimeoutMS) * time.Millisecond }

// readSettings decodes settings strictly; no text is the defaults.
func readSettings(text []byte) (Settings, error) {
	s := DefaultSettings()
	if strings.TrimSpace(string(text)) == "" {
		return s, nil
	}
	if _, err := object(text, "the settings are one JSON object"); err != nil {
		return s, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fault.New(fault.Invalid, "the settings have requestsPerSecond, burst and askTimeoutMs, all numbers, and nothing else").Because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, fault.New(fault.Invalid, "the settings are one JSON object")
	}
	return s, s.check()
}

// settingsBox has the settings of the latest revision: with several cores the same one comes from each, and a slow one
// must not bring back an old one.
type settingsBox struct {
	mu       sync.Mutex
	settings Settings
	revision int64
}

func (b *settingsBox) store(s Settings, revision int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if revision < b.revision {
		return false
	}
	b.settings, b.revision = s, revision
	return true
}

func (b *settingsBox) load() Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings
}

var _ cpm.Service = (*Adapter)(nil)

// Configure takes the settings as a whole or not at all (RefreshConfig). It is Invalid when they cannot be used.
func (a *Adapter) Configure(ctx context.Context, settings []byte, revision int64) error {
	s, err := readSettings(settings)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "the configuration cannot be used; the one before stays", obs.Event("adapter.config-refused"), obs.Err(err))
		return err
	}
	if a.setup.store(s, revision) {
		a.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is configured", obs.Event("adapter.configured"), slog.Int64("revision", revision))
	}
	return nil
}

// Status is the state and the counters, which count since the process started.
func (a *Adapter) Status(context.Context) (cpm.ServiceStatus, error) {
	return cpm.ServiceStatus{State: a.gate.current(), Counts: a.counts.snapshot()}, nil
}

// Shutdown declines what comes and returns when everything accepted is answered (specification, "Key Update Adapter",
// "Shutdown"). The door goes on declining until its listener is closed.
func (a *Adapter) Shutdown(ctx context.Context) error {
	if a.gate.begin() {
		a.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is ShuttingDown", obs.Event("adapter.shutting-down"))
	}
	if err := a.gate.drain(ctx); err != nil {
		return err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "the adapter has answered everything and is Inactive", obs.Event("adapter.inactive"))
	return nil
}
