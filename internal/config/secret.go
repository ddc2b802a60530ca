package config

import (
	"fmt"
	"log/slog"
)

const hidden = "[secret]"

// Secret is a text that may hold a password. Every verb of fmt, JSON, YAML and slog show "[secret]" in its place.
type Secret string

// Reveal gives the clear text.
func (s Secret) Reveal() string { return string(s) }

// Format shows nothing, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// String shows nothing.
func (s Secret) String() string { return hidden }

// MarshalText shows nothing.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue shows nothing.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Setting is one key and the value in force.
type Setting struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// Redacted is the configuration as it may be shown: every key in the order of Keys, secrets as "[secret]".
func (c *Config) Redacted() []Setting {
	var all []Setting
	for _, l := range leaves(c) {
		all = append(all, Setting{Path: l.path, Value: l.text()})
	}
	return all
}
