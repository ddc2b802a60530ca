package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Bounds of the numbers and texts.
const (
	maxConnections = 1 << 20
	minInFlight    = 32 << 20 // one caller has half of it, which has to be more than the largest request
	maxInFlight    = 1 << 40
	maxWorkers     = 1024
	maxRiskText    = 1000
	maxSocketPath  = 103 // sun_path has 104 bytes on the BSDs and 108 on Linux, one of them for the end
	minRequest     = 10 * time.Millisecond
	maxRequest     = 10 * time.Minute
	minDrain       = time.Second
	maxDrain       = time.Hour
)

// Validate checks a completed configuration and reports every problem at once, as Load does. It reads no file: whether
// certificates and keys are good is found when they are loaded.
func (c *Config) Validate() error { return report(c.problems()) }

func (c *Config) problems() []problem {
	v := validator{}
	v.paths(c)
	v.database(c.Database)
	v.listeners(c)
	v.tls(c)
	v.oneOf("log.level", c.Log.Level, "error", "warn", "audit", "trace", "info", "perf", "verbose", "debug", "silly")
	v.oneOf("log.format", c.Log.Format, "json", "mojaloop")
	v.numbers(c)
	v.keyFiles(c.Keys)
	v.events(c.Events)
	v.risk(c.RiskAcceptance)
	return v.found
}

type validator struct{ found []problem }

func (v *validator) add(path, wrong, write string) {
	v.found = append(v.found, problem{path, wrong, write})
}

func (v *validator) paths(c *Config) {
	v.path("dataDir", c.DataDir)
	v.path("rootKey.file", c.RootKey.File)
	v.path("listen.socket", c.Listen.Socket)
	if len(c.Listen.Socket) > maxSocketPath {
		v.add("listen.socket", fmt.Sprintf("longer than %d bytes", maxSocketPath), "write a shorter path, or a shorter dataDir")
	}
}

func (v *validator) path(path, value string) {
	switch {
	case value == "":
		v.add(path, "no path", "write the path of a file or directory")
	case strings.ContainsFunc(value, unicode.IsControl):
		v.add(path, "holds a control character", "write a path in one line")
	}
}

func (v *validator) database(d Database) {
	switch d.Driver {
	case "sqlite":
		if strings.Contains(d.DSN.Reveal(), "://") {
			v.add("database.dsn", "an address, and driver is sqlite", "write the path of the database file")
			return
		}
		v.path("database.dsn", d.DSN.Reveal())
	case "postgres":
		v.server(d, "write postgres://user:password@host/database?sslmode=verify-full")
	case "mysql":
		v.server(d, "write user:password@tcp(host:3306)/database?tls=true")
	default:
		v.add("database.driver", "unknown driver", "write sqlite, postgres or mysql")
	}
}

// server checks the address of a database server. The rest of it is read when the database is opened.
func (v *validator) server(d Database, write string) {
	dsn := d.DSN.Reveal()
	_, url, isURL := strings.Cut(dsn, "://")
	switch {
	case dsn == "":
		v.add("database.dsn", "missing, driver is "+d.Driver, write)
	case strings.ContainsFunc(dsn, unicode.IsControl):
		v.add("database.dsn", "holds a control character", write)
	case d.Driver == "mysql" && (isURL && !strings.Contains(dsn[:len(dsn)-len(url)], "@") || !strings.Contains(dsn, "/")),
		d.Driver == "postgres" && !isURL && !strings.Contains(dsn, "="):
		v.add("database.dsn", "not an address of this driver", write)
	}
}

func (v *validator) tls(c *Config) {
	t := c.TLS
	if c.Dev && t == (TLS{}) {
		return
	}
	for _, f := range []struct{ path, value, what string }{
		{"tls.cert", t.Cert, "the path of the certificate chain (PEM)"},
		{"tls.key", t.Key, "the path of the certificate's private key (PEM)"},
		{"tls.clientCA", t.ClientCA, "the path of the authorities of client certificates (PEM)"},
	} {
		if f.value == "" {
			v.add(f.path, "missing, the Mojaloop ports need mutual TLS", "write "+f.what)
			continue
		}
		v.path(f.path, f.value)
	}
	if t.CRL != "" {
		v.path("tls.crl", t.CRL)
	}
}

func (v *validator) oneOf(path, value string, words ...string) {
	if !slices.Contains(words, value) {
		v.add(path, "unknown word", "write one of "+strings.Join(words, ", "))
	}
}

func (v *validator) numbers(c *Config) {
	between(v, "limits.connections", c.Limits.Connections, 1, maxConnections)
	between(v, "limits.bytesInFlight", c.Limits.BytesInFlight, minInFlight, maxInFlight)
	between(v, "limits.requestTimeout", c.Limits.RequestTimeout, minRequest, maxRequest)
	between(v, "workers.heavy", c.Workers.Heavy, 0, maxWorkers)
	between(v, "workers.light", c.Workers.Light, 0, maxWorkers)
	between(v, "drainTimeout", c.DrainTimeout, minDrain, maxDrain)
}

func between[T int | int64 | time.Duration](v *validator, path string, value, low, high T) {
	if value < low || value > high {
		v.add(path, "out of range", fmt.Sprintf("write %v to %v", low, high))
	}
}

func (v *validator) keyFiles(k KeyFiles) {
	if k.Directory != "" {
		v.path("keys.directory", k.Directory)
	}
	if k.Sink != "" {
		v.path("keys.sink", k.Sink)
	}
	if k.Directory == "" && k.DirectoryDeletes {
		v.add("keys.directoryDeletes", "true without keys.directory", "write keys.directory, or leave this out")
	}
	if k.Directory != "" && k.Sink != "" && filepath.Clean(k.Directory) == filepath.Clean(k.Sink) {
		v.add("keys.sink", "the same as keys.directory", "write another directory: the CPM would read what it writes")
	}
}

func (v *validator) risk(r RiskAcceptance) {
	if !r.Given() {
		return
	}
	v.riskText("riskAcceptance.by", r.By, "write the name and role of who accepts the risk")
	v.riskText("riskAcceptance.text", r.Text, "write what is accepted and where the decision is filed")
	if _, err := time.Parse(time.DateOnly, r.Date); err != nil {
		v.add("riskAcceptance.date", "not a day", "write year-month-day, such as 2026-01-31")
	}
}

func (v *validator) riskText(path, text, write string) {
	switch {
	case text == "":
		v.add(path, "missing, the acceptance is incomplete", write)
	case len(text) > maxRiskText || strings.ContainsFunc(text, unicode.IsControl):
		v.add(path, fmt.Sprintf("longer than %d bytes, or more than one line", maxRiskText), write)
	}
}
