// Code generated from config.go by go test ./internal/config -run Documentation -update. DO NOT EDIT.

package config

func docs() map[string]string {
	return map[string]string{
		"dataDir":               "Directory for everything the CPM writes by itself: the SQLite database, the root-key file and the administration socket, unless they are configured elsewhere. It must exist and belong to the user the CPM runs as.",
		"database.driver":       "Kind of database: sqlite is a file for one CPM; postgres (PostgreSQL 15 or newer) and mysql (MariaDB 10.11 or newer) are database servers.",
		"database.dsn":          "Where the database is: with sqlite the path of its file; with postgres postgres://user:password@host/database?sslmode=verify-full, or the same as words host=... user=... dbname=...; with mysql user:password@tcp(host:3306)/database?tls=true. It may hold a password and is never shown.",
		"rootKey.file":          "File with the root key. It is refused when anybody but its owner may read it (mode wider than 0600). Without this file the keys in the database are lost: keep a copy apart from the database's backups.",
		"listen.mojaloopHTTP":   "Mojaloop port, HTTPS and JSON. An empty text in the file switches it off; one of the two Mojaloop ports is needed.",
		"listen.mojaloopGRPC":   "Mojaloop port, gRPC. An empty text in the file switches it off.",
		"listen.command":        "Command port, where Command adapters dial in over mutual TLS. It is optional: when it is switched off by an empty text in the file, or cannot be bound, the CPM serves without it, says so in the log, and shows it in its status.",
		"listen.keyUpdate":      "Key update port, where Key Update adapters dial in over mutual TLS. It is optional in the same way.",
		"listen.probes":         "Port of the probes, the metrics and the health page, plain HTTP. It answers anybody who reaches it. An empty text in the file switches it off.",
		"listen.socket":         "Path of the local socket the command line administers this CPM through, at most 103 bytes. Only the user the CPM runs as may open it.",
		"tls.cert":              "Certificate chain of this CPM, PEM.",
		"tls.key":               "Private key of that certificate, PEM.",
		"tls.clientCA":          "Authorities whose client certificates are accepted, PEM. A client without a certificate is refused.",
		"tls.crl":               "Lists of revoked certificates (CRL), PEM, each signed by one of those authorities. With it every certificate of a client or an adapter must come from an authority whose list is there and has not expired. Without it nobody is asked.",
		"log.level":             "Least urgent level that is written: error, warn, audit, trace, info, perf, verbose, debug or silly.",
		"log.format":            "Form of a line: json is one JSON object a line, mojaloop is the console line of Mojaloop's own services.",
		"metrics.fspLabel":      "Count operations for each FSP by itself (label fsp). With many participants this makes many time series.",
		"limits.connections":    "Connections open at a time, for each Mojaloop port. More are accepted only when one ends. One caller alone may have half of them.",
		"limits.bytesInFlight":  "Bytes of requests being worked on, in all, of one caller half of what is free; more are declined as busy. Of a batch the items under way count. Requests that are still being received, batches that wait and answers are bounded by themselves. At least 33554432 (32 MiB).",
		"limits.requestTimeout": "Longest time any request is worked on, whatever its route's timer says.",
		"workers.heavy":         "Workers for costly operations, such as an RSA signature. 0 chooses by the number of processors.",
		"workers.light":         "Workers for cheap operations, such as a verification. 0 chooses by the number of processors.",
		"keys.directory":        "Directory that is watched: a file that is new or changed becomes a key update for the FSP it is named after. Whoever may write there may change keys. A Kubernetes volume of a ConfigMap or Secret will do. Without it nothing is watched.",
		"keys.directoryDeletes": "Let a file that is removed from the watched directory delete the key it brought. Otherwise the key stays in use until it is deleted by an operator.",
		"keys.sink":             "Directory that is kept: one file with the current verification key of each FSP, for services that read such a directory. It must exist, belong to this CPM alone and hold no .pem files of others. Without it none is kept.",
		"events.sidecar":        "Event sidecar, as host:port (gRPC, mostly port 50051). Without it no sidecar is used.",
		"events.kafka":          "Brokers of the Kafka cluster, as host:port, separated by commas. Audit events go to the topic topic-event-audit, others to topic-event-log; both must exist. Without it Kafka is not used.",
		"events.ca":             "Authorities of the sidecar's or the brokers' certificates, PEM. The connection is then TLS 1.3, and the certificate of this CPM (tls.cert) is shown when it is asked for. Without it only loopback addresses are allowed, and nothing is encrypted.",
		"drainTimeout":          "How long a shutdown waits for requests that were accepted before it. What is not answered by then is declined. Keep it below the time your process supervisor waits before it kills.",
		"riskAcceptance.by":     "Name and role of the person who accepted the risk.",
		"riskAcceptance.date":   "Day of the acceptance, as year-month-day: 2026-01-31.",
		"riskAcceptance.text":   "What was accepted, and where the decision is filed, in one line.",
	}
}
