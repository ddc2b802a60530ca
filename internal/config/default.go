package config

import (
	"path/filepath"
	"strings"
	"time"
)

// Default is the configuration without a file and without variables. Paths below DataDir are empty until Complete.
func Default() Config {
	return Config{
		DataDir:  "/var/lib/cpm",
		Database: Database{Driver: "sqlite"},
		Listen: Listen{
			MojaloopHTTP: ":7800",
			MojaloopGRPC: ":7801",
			Command:      ":7802",
			KeyUpdate:    ":7803",
			Probes:       "127.0.0.1:7830",
		},
		Log:          Log{Level: "info", Format: "json"},
		Limits:       Limits{Connections: 2048, BytesInFlight: 256 << 20, RequestTimeout: 30 * time.Second},
		DrainTimeout: 20 * time.Second,
	}
}

// Complete fills in the paths that follow from DataDir and are still empty. Load does it; whoever starts from Default
// does it before Validate.
func (c *Config) Complete() {
	if c.Database.DSN == "" && c.Database.Driver == "sqlite" {
		c.Database.DSN = Secret(filepath.Join(c.DataDir, "cpm.db"))
	}
	if c.RootKey.File == "" {
		c.RootKey.File = filepath.Join(c.DataDir, "root.key")
	}
	if c.Listen.Socket == "" {
		c.Listen.Socket = filepath.Join(c.DataDir, "cpm.sock")
	}
	r := &c.RiskAcceptance
	r.By, r.Date, r.Text = strings.TrimSpace(r.By), strings.TrimSpace(r.Date), strings.TrimSpace(r.Text)
}
