// Package config holds the bootstrap configuration of a CPM: what it must know before it can open its database. It is
// one YAML file, CPM_* variables over it, and *_FILE variables that name a file with a secret. Everything else lives in
// the database.
//
// Decoding is strict, and every problem is reported at once, with its path. The comments of the fields below are the
// documentation: docs.go and docs/config.md are generated from them.
package config

import "time"

// Config is the whole bootstrap configuration.
type Config struct {
	// Directory for everything the CPM writes by itself: the SQLite database, the root-key file and the administration
	// socket, unless they are configured elsewhere. It must exist and belong to the user the CPM runs as.
	DataDir  string   `yaml:"dataDir" env:"CPM_DATA_DIR"`
	Database Database `yaml:"database"`
	RootKey  RootKey  `yaml:"rootKey"`
	Listen   Listen   `yaml:"listen"`
	TLS      TLS      `yaml:"tls"`
	Log      Log      `yaml:"log"`
	Metrics  Metrics  `yaml:"metrics"`
	Limits   Limits   `yaml:"limits"`
	Workers  Workers  `yaml:"workers"`
	Keys     KeyFiles `yaml:"keys"`
	Events   Events   `yaml:"events"`
	// How long a shutdown waits for requests that were accepted before it. What is not answered by then is declined.
	// Keep it below the time your process supervisor waits before it kills.
	DrainTimeout   time.Duration  `yaml:"drainTimeout" env:"CPM_DRAIN_TIMEOUT"`
	RiskAcceptance RiskAcceptance `yaml:"riskAcceptance"`

	// Dev is set by `cpm dev` and by nothing else. TLS is then optional and every listener must be on loopback.
	Dev bool `yaml:"-"`
}

// Database says where the configuration and the sealed keys are kept.
type Database struct {
	// Kind of database: sqlite is a file for one CPM; postgres (PostgreSQL 15 or newer) and mysql (MariaDB 10.11 or newer)
	// are database servers.
	Driver string `yaml:"driver" env:"CPM_DATABASE_DRIVER"`
	// Where the database is: with sqlite the path of its file; with postgres
	// postgres://user:password@host/database?sslmode=verify-full, or the same as words host=... user=... dbname=...; with mysql
	// user:password@tcp(host:3306)/database?tls=true. It may hold a password and is never shown.
	DSN Secret `yaml:"dsn" env:"CPM_DATABASE_DSN" default:"<dataDir>/cpm.db with sqlite"`
}

// RootKey says where the key is that protects all keys at rest.
type RootKey struct {
	// File with the root key. It is refused when anybody but its owner may read it (mode wider than 0600). Without this
	// file the keys in the database are lost: keep a copy apart from the database's backups.
	File string `yaml:"file" env:"CPM_ROOT_KEY_FILE" default:"<dataDir>/root.key"`
}

// Listen has the addresses of the ports, as host:port; without a host the port is open on every interface.
type Listen struct {
	// Mojaloop port, HTTPS and JSON. An empty text in the file switches it off; one of the two Mojaloop ports is needed.
	MojaloopHTTP string `yaml:"mojaloopHTTP" env:"CPM_LISTEN_MOJALOOP_HTTP"`
	// Mojaloop port, gRPC. An empty text in the file switches it off.
	MojaloopGRPC string `yaml:"mojaloopGRPC" env:"CPM_LISTEN_MOJALOOP_GRPC"`
	// Command port, where Command adapters dial in over mutual TLS. It is optional: when it is switched off by an empty text in
	// the file, or cannot be bound, the CPM serves without it, says so in the log, and shows it in its status.
	Command string `yaml:"command" env:"CPM_LISTEN_COMMAND"`
	// Key update port, where Key Update adapters dial in over mutual TLS. It is optional in the same way.
	KeyUpdate string `yaml:"keyUpdate" env:"CPM_LISTEN_KEY_UPDATE"`
	// Port of the probes, the metrics and the health page, plain HTTP. It answers anybody who reaches it. An empty text
	// in the file switches it off.
	Probes string `yaml:"probes" env:"CPM_LISTEN_PROBES"`
	// Path of the local socket the command line administers this CPM through, at most 103 bytes. Only the user the CPM
	// runs as may open it.
	Socket string `yaml:"socket" env:"CPM_LISTEN_SOCKET" default:"<dataDir>/cpm.sock"`
}

// TLS has the files of all ports and links. They are read again when they change.
type TLS struct {
	// Certificate chain of this CPM, PEM.
	Cert string `yaml:"cert" env:"CPM_TLS_CERT"`
	// Private key of that certificate, PEM.
	Key string `yaml:"key" env:"CPM_TLS_KEY"`
	// Authorities whose client certificates are accepted, PEM. A client without a certificate is refused.
	ClientCA string `yaml:"clientCA" env:"CPM_TLS_CLIENT_CA"`
	// Lists of revoked certificates (CRL), PEM, each signed by one of those authorities. With it every certificate of a
	// client or an adapter must come from an authority whose list is there and has not expired. Without it nobody is asked.
	CRL string `yaml:"crl" env:"CPM_TLS_CRL"`
}

// Log says how the log on standard output looks.
type Log struct {
	// Least urgent level that is written: error, warn, audit, trace, info, perf, verbose, debug or silly.
	Level string `yaml:"level" env:"CPM_LOG_LEVEL"`
	// Form of a line: json is one JSON object a line, mojaloop is the console line of Mojaloop's own services.
	Format string `yaml:"format" env:"CPM_LOG_FORMAT"`
}

// Metrics says what the metrics tell.
type Metrics struct {
	// Count operations for each FSP by itself (label fsp). With many participants this makes many time series.
	FSPLabel bool `yaml:"fspLabel" env:"CPM_METRICS_FSP_LABEL"`
}

// Limits bound what one CPM takes on at a time.
type Limits struct {
	// Connections open at a time, for each Mojaloop port. More are accepted only when one ends. One caller alone may have half of them.
	Connections int `yaml:"connections" env:"CPM_LIMITS_CONNECTIONS"`
	// Bytes of requests being worked on, in all, of one caller half of what is free; more are declined as busy. Of a batch the items
	// under way count. Requests that are still being received, batches that wait and answers are bounded by themselves. At least
	// 33554432 (32 MiB).
	BytesInFlight int64 `yaml:"bytesInFlight" env:"CPM_LIMITS_BYTES_IN_FLIGHT"`
	// Longest time any request is worked on, whatever its route's timer says.
	RequestTimeout time.Duration `yaml:"requestTimeout" env:"CPM_LIMITS_REQUEST_TIMEOUT"`
}

// Workers are the goroutines that do the cryptography of the software security module.
type Workers struct {
	// Workers for costly operations, such as an RSA signature. 0 chooses by the number of processors.
	Heavy int `yaml:"heavy" env:"CPM_WORKERS_HEAVY"`
	// Workers for cheap operations, such as a verification. 0 chooses by the number of processors.
	Light int `yaml:"light" env:"CPM_WORKERS_LIGHT"`
}

// KeyFiles names directories of NAME.pem files, the public key or certificate each FSP signs with, as Mojaloop's services
// read them.
type KeyFiles struct {
	// Directory that is watched: a file that is new or changed becomes a key update for the FSP it is named after. Whoever may
	// write there may change keys. A Kubernetes volume of a ConfigMap or Secret will do. Without it nothing is watched.
	Directory string `yaml:"directory" env:"CPM_KEYS_DIRECTORY"`
	// Let a file that is removed from the watched directory delete the key it brought. Otherwise the key stays in use until it
	// is deleted by an operator.
	DirectoryDeletes bool `yaml:"directoryDeletes" env:"CPM_KEYS_DIRECTORY_DELETES"`
	// Directory that is kept: one file with the current verification key of each FSP, for services that read such a directory.
	// It must exist, belong to this CPM alone and hold no .pem files of others. Without it none is kept.
	Sink string `yaml:"sink" env:"CPM_KEYS_SINK"`
}

// Events says where the events of the log are sent besides, as Mojaloop's event messages: to a sidecar or to Kafka.
type Events struct {
	// Event sidecar, as host:port (gRPC, mostly port 50051). Without it no sidecar is used.
	Sidecar string `yaml:"sidecar" env:"CPM_EVENTS_SIDECAR"`
	// Brokers of the Kafka cluster, as host:port, separated by commas. Audit events go to the topic topic-event-audit, others to
	// topic-event-log; both must exist. Without it Kafka is not used.
	Kafka string `yaml:"kafka" env:"CPM_EVENTS_KAFKA"`
	// Authorities of the sidecar's or the brokers' certificates, PEM. The connection is then TLS 1.3, and the certificate of this
	// CPM (tls.cert) is shown when it is asked for. Without it only loopback addresses are allowed, and nothing is encrypted.
	CA string `yaml:"ca" env:"CPM_EVENTS_CA"`
}

// RiskAcceptance records who accepted to run without hardware security modules. A CPM without any hardware adapter does
// not start without it; it is shown by `cpm status` and logged at every start.
type RiskAcceptance struct {
	// Name and role of the person who accepted the risk.
	By string `yaml:"by" env:"CPM_RISK_ACCEPTANCE_BY"`
	// Day of the acceptance, as year-month-day: 2026-01-31.
	Date string `yaml:"date" env:"CPM_RISK_ACCEPTANCE_DATE"`
	// What was accepted, and where the decision is filed, in one line.
	Text string `yaml:"text" env:"CPM_RISK_ACCEPTANCE_TEXT"`
}

// Given says whether a risk acceptance is written down. Validate has checked that it is complete.
func (r RiskAcceptance) Given() bool { return r != RiskAcceptance{} }
