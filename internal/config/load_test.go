package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

// enough is the least a file must hold.
const enough = "tls: {cert: c.pem, key: k.pem, clientCA: ca.pem}\n"

func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cpm.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// lines is the public text of an error, a problem each.
func lines(t *testing.T, err error) []string {
	t.Helper()
	if !errors.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want fault.Invalid", err)
	}
	return strings.Split(fault.From(err).Public, "\n")
}

func TestTheSmallestFileTakesTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := Load(write(t, enough), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.TLS = TLS{Cert: "c.pem", Key: "k.pem", ClientCA: "ca.pem"}
	want.Database.DSN = "/var/lib/cpm/cpm.db"
	want.RootKey.File = "/var/lib/cpm/root.key"
	want.Listen.Socket = "/var/lib/cpm/cpm.sock"
	if diff := cmp.Diff(want, *got, cmp.Transformer("clear", Secret.Reveal)); diff != "" {
		t.Error(diff)
	}
}

const full = `
dataDir: /data
database: {driver: sqlite, dsn: /data/other.db}
rootKey: {file: /keys/root}
listen:
  mojaloopHTTP: 10.0.0.1:443
  mojaloopGRPC: ""
  command: 10.0.0.1:7802
  keyUpdate: ""
  probes: "[::1]:9000"
  socket: /run/cpm.sock
tls: {cert: c, key: k, clientCA: a}
log: {level: debug, format: mojaloop}
metrics: {fspLabel: true}
limits: {connections: 7, bytesInFlight: 33554432, requestTimeout: 1m30s}
workers: {heavy: 2, light: 3}
keys: {directory: /keys/in, directoryDeletes: true, sink: /keys/out}
drainTimeout: 5s
riskAcceptance:
  by: 'Jane Doe, operations'
  date: 2026-01-31
  text: >
    accepted until
    the HSMs come
`

func fullConfig() Config {
	return Config{
		DataDir:        "/data",
		Database:       Database{Driver: "sqlite", DSN: "/data/other.db"},
		RootKey:        RootKey{File: "/keys/root"},
		Listen:         Listen{MojaloopHTTP: "10.0.0.1:443", Command: "10.0.0.1:7802", Probes: "[::1]:9000", Socket: "/run/cpm.sock"},
		TLS:            TLS{Cert: "c", Key: "k", ClientCA: "a"},
		Log:            Log{Level: "debug", Format: "mojaloop"},
		Metrics:        Metrics{FSPLabel: true},
		Limits:         Limits{Connections: 7, BytesInFlight: 33554432, RequestTimeout: 90 * time.Second},
		Workers:        Workers{Heavy: 2, Light: 3},
		Keys:           KeyFiles{Directory: "/keys/in", DirectoryDeletes: true, Sink: "/keys/out"},
		DrainTimeout:   5 * time.Second,
		RiskAcceptance: RiskAcceptance{By: "Jane Doe, operations", Date: "2026-01-31", Text: "accepted until the HSMs come"},
	}
}

func TestEveryKeyCanBeWrittenInTheFile(t *testing.T) {
	t.Parallel()
	got, err := Load(write(t, full), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullConfig(), *got, cmp.Transformer("clear", Secret.Reveal)); diff != "" {
		t.Error(diff)
	}
	if !got.RiskAcceptance.Given() || got.RiskAcceptance == (RiskAcceptance{}) {
		t.Error("the risk acceptance counts as not given")
	}
}

func TestEveryKeyCanBeSetByItsVariable(t *testing.T) {
	t.Parallel()
	want := fullConfig()
	want.Listen.MojaloopGRPC, want.Listen.KeyUpdate = ":1", ":2"
	clear := map[string]string{"database.dsn": want.Database.DSN.Reveal()}
	var environ []string
	for _, l := range leaves(&want) {
		value := l.text()
		if c := clear[l.path]; c != "" {
			value = c
		}
		environ = append(environ, l.env+"="+value)
	}
	got, err := Load("", environ)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got, cmp.Transformer("clear", Secret.Reveal)); diff != "" {
		t.Error(diff)
	}
}

func TestVariablesOverrideTheFile(t *testing.T) {
	t.Parallel()
	got, err := Load(write(t, full), []string{"CPM_WORKERS_HEAVY=9", "CPM_LOG_LEVEL=", "CPM_WORKERS_LIGHT=8", "CPM_WORKERS_LIGHT=5", "WORKERS_HEAVY=1", "CPM"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Workers != (Workers{Heavy: 9, Light: 5}) || got.Log.Level != "debug" {
		t.Errorf("got %+v, %+v", got.Workers, got.Log)
	}
}

func TestASecretComesFromAFile(t *testing.T) {
	t.Parallel()
	file := write(t, "/data/secret.db\r\n")
	got, err := Load(write(t, enough), []string{"CPM_DATABASE_DSN_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	if got.Database.DSN.Reveal() != "/data/secret.db" {
		t.Errorf("got %q", got.Database.DSN.Reveal())
	}
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	environ := []string{
		"CPM_SERVICE_HOST=10.0.0.1", "CPM_SERVICE_PORT=7800", "CPM_SERVICE_PORT_GRPC=7801", "CPM_PORT=tcp://10.0.0.1:7800",
		"CPM_PORT_7800_TCP=tcp://10.0.0.1:7800", "CPM_PORT_7800_TCP_PROTO=tcp", "CPM_PORT_7800_TCP_PORT=7800",
		"CPM_PORT_7800_TCP_ADDR=10.0.0.1", "CPM_HSM_SERVICE_HOST=10.0.0.2", "CPM_ADDR=x", "CPM_TOKEN=y", "PATH=/bin",
	}
	if _, err := Load(write(t, enough), environ); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	file := write(t, `dataDir: ""
databse: {driver: sqlite}
listen:
  mojaloopHTTP: 7800
  mojaloopGRPC: :7801
  probes: :7801
  port: 1
tls: c.pem
log: {level: loud, format: [json]}
limits:
  connections: many
  requestTimeout: 5
  bytesInFlight: 1
workers: {heavy: -1, light: 1.5}
metrics: {fspLabel: maybe}
drainTimeout:
riskAcceptance: {by: Jane}
`)
	_, err := Load(file, []string{"CPM_LISEN_PROBES=x", "CPM_WORKERS_LIGHT=none", "CPM_DATABASE_DRIVER=oracle", "CPM_DATABASE_DSN=a", "CPM_DATABASE_DSN_FILE=b"})
	want := []string{
		"databse: unknown key (line 2): remove it, or write one of dataDir, database, rootKey, listen, tls, log, metrics, limits, workers, keys, events, drainTimeout, riskAcceptance",
		"listen.port: unknown key (line 7): remove it, or write one of mojaloopHTTP, mojaloopGRPC, command, keyUpdate, probes, socket",
		"tls: not a section (line 8): write its keys below it, each on a line as name: value",
		"log.format: not a text (line 9): write a text, in quotes if it holds special characters",
		"limits.connections: not a number (line 11): write a whole number",
		"limits.requestTimeout: not a duration (line 12): write a duration such as 500ms, 2s or 1m30s",
		"workers.light: not a number (line 14): write a whole number",
		"metrics.fspLabel: not a boolean (line 15): write true or false",
		"drainTimeout: no value (line 16): write a duration such as 500ms, 2s or 1m30s, or remove the line",
		"database.dsn: both CPM_DATABASE_DSN and CPM_DATABASE_DSN_FILE are set: set one of the two",
		"workers.light: not a number (CPM_WORKERS_LIGHT): write a whole number",
		"CPM_LISEN_PROBES: unknown variable: unset it, or take the name from `cpm config explain`",
		"dataDir: no path (line 1): write the path of a file or directory",
		"database.driver: unknown driver (CPM_DATABASE_DRIVER): write sqlite, postgres or mysql",
		"listen.mojaloopHTTP: not an address (line 4): write host:port, or :port for every interface",
		"listen.probes: the same port as listen.mojaloopGRPC (line 6): write another port",
		"tls.cert: missing, the Mojaloop ports need mutual TLS: write the path of the certificate chain (PEM)",
		"tls.key: missing, the Mojaloop ports need mutual TLS: write the path of the certificate's private key (PEM)",
		"tls.clientCA: missing, the Mojaloop ports need mutual TLS: write the path of the authorities of client certificates (PEM)",
		"log.level: unknown word (line 9): write one of error, warn, audit, trace, info, perf, verbose, debug, silly",
		"limits.bytesInFlight: out of range (line 13): write 33554432 to 1099511627776",
		"workers.heavy: out of range (line 14): write 0 to 1024",
		"riskAcceptance.text: missing, the acceptance is incomplete: write what is accepted and where the decision is filed",
		"riskAcceptance.date: not a day: write year-month-day, such as 2026-01-31",
	}
	if diff := cmp.Diff(want, lines(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestStrictReading(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, want string }{
		"a key twice":                {"dataDir: a\ndataDir: b\n", "dataDir: written twice (line 2): remove one of the two"},
		"a section twice":            {"log: {level: info}\nlog: {format: json}\n", "log: written twice (line 2): remove one of the two"},
		"a key spelt otherwise":      {"datadir: a\n", "datadir: unknown key (line 1): "},
		"a key that is no text":      {"1: a\n", "1: unknown key (line 1): "},
		"a list as key":              {"? [a]\n: b\n", `"": unknown key (line 1): `},
		"a key with a line break":    {"\"a\\nb\": c\n", `"a\nb": unknown key (line 1): `},
		"a merge key":                {"log: &l {level: info}\n<<: *l\n", `"<<": unknown key (line 2): `},
		"an alias":                   {"dataDir: &a x\nlog: {level: *a}\n", "log.level: an alias (line 2): write the value itself"},
		"an alias for a section":     {"log: &a {level: info}\ntls: *a\n", "tls: not a section (line 2): "},
		"a list for the file":        {"- a\n", "file: not a section (line 1): "},
		"a text for the file":        {"hello\n", "file: not a section (line 1): "},
		"a tag of its own":           {"log: !x {level: info}\n", "log: not a section (line 1): "},
		"a second document":          {"---\nlog: {level: info}\n---\nlog: {level: info}\n", "file: more than one YAML document: "},
		"broken after the document":  {"log: {level: info}\n---\n{", "file: more than one YAML document: "},
		"broken YAML":                {"log: {level: info\n", "file: not YAML (line 1: did not find expected ',' or '}'): correct the line, or one beside it"},
		"bytes that are not UTF-8":   {"dataDir: \xff\xfe\n", "file: not YAML (invalid leading UTF-8 octet): "},
		"an empty secret":            {"database: {dsn: }\n", "database.dsn: no value (line 1): "},
		"a wrong kind of secret":     {"database: {dsn: [x]}\n", "database.dsn: not a text (line 1): "},
		"more than a file may have":  {strings.Repeat("#", maxFile+1), "file: cannot be read (longer than 1048576 bytes): "},
		"a number too large":         {"workers: {heavy: 99999999999999999999}\n", "workers.heavy: not a number (line 1): "},
		"yes for true":               {"metrics: {fspLabel: yes}\n", "metrics.fspLabel: not a boolean (line 1): write true or false"},
		"a fraction":                 {"workers: {heavy: 1.0}\n", "workers.heavy: not a number (line 1): "},
		"a number in quotes":         {"workers: {heavy: '1'}\n", "workers.heavy: not a number (line 1): "},
		"a text in base 64":          {"dataDir: !!binary aGk=\n", "dataDir: not a text (line 1): "},
		"a path with a line break":   {"rootKey: {file: \"a\\nb\"}\n", "rootKey.file: holds a control character (line 1): "},
		"an address for sqlite":      {"database: {dsn: 'postgres://u:hunter2@h/d'}\n", "database.dsn: an address, and driver is sqlite (line 1): "},
		"an unknown driver":          {"database: {driver: oracle}\n", "database.driver: unknown driver (line 1): write sqlite, postgres or mysql"},
		"a server without address":   {"database: {driver: mysql}\n", "database.dsn: missing, driver is mysql: write user:password@tcp(host:3306)/database?tls=true"},
		"a URL for mysql":            {"database: {driver: mysql, dsn: 'mysql://u:hunter2@h/d'}\n", "database.dsn: not an address of this driver (line 1): write user:"},
		"no database for mysql":      {"database: {driver: mysql, dsn: 'u:hunter2@tcp(h)'}\n", "database.dsn: not an address of this driver (line 1): write user:"},
		"a path for postgres":        {"database: {driver: postgres, dsn: /var/lib/cpm.db}\n", "database.dsn: not an address of this driver (line 1): write postgres://"},
		"an address in two lines":    {"database: {driver: postgres, dsn: \"host=a\\nuser=b\"}\n", "database.dsn: holds a control character (line 1): write postgres://"},
		"a port by name":             {"listen: {probes: 'localhost:http'}\n", "listen.probes: not a port (line 1): "},
		"a port out of range":        {"listen: {probes: ':65536'}\n", "listen.probes: not a port (line 1): "},
		"a host that is none":        {"listen: {probes: 'a b:1'}\n", "listen.probes: not an address (line 1): "},
		"the same port on all hosts": {"listen: {probes: '10.0.0.1:7800'}\n", "listen.probes: the same port as listen.mojaloopHTTP (line 1): "},
		"no Mojaloop port":           {"listen: {mojaloopHTTP: '', mojaloopGRPC: ''}\n", "listen.mojaloopHTTP: no Mojaloop port (line 1): "},
		"a socket path too long":     {"dataDir: /" + strings.Repeat("d", 100) + "\n", "listen.socket: longer than 103 bytes: "},
		"a drain without end":        {"drainTimeout: 100h\n", "drainTimeout: out of range (line 1): write 1s to 1h0m0s"},
		"a risk in two lines":        {"riskAcceptance: {by: J, date: 2026-01-31, text: \"a\\nb\"}\n", "riskAcceptance.text: longer than 1000 bytes, or more than one line (line 1): "},
		"a day there is not":         {"riskAcceptance: {by: J, date: 2026-02-30, text: a}\n", "riskAcceptance.date: not a day (line 1): "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(write(t, test.file), []string{"CPM_TLS_CERT=c", "CPM_TLS_KEY=k", "CPM_TLS_CLIENT_CA=a"})
			got := lines(t, err)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("got  %s\nwant %s…", strings.Join(got, "\n     "), test.want)
			}
		})
	}
}

func TestFilesThatSayNothing(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "null\n", "log:\ntls:\n  # cert: x\n"} {
		if _, err := Load(write(t, content), []string{"CPM_TLS_CERT=c", "CPM_TLS_KEY=k", "CPM_TLS_CLIENT_CA=a"}); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	_, err := Load(missing, nil)
	if got := lines(t, err); got[0] != "file: cannot be read (no such file or directory): name a file this user may read" || len(got) != 1 {
		t.Errorf("got %q", got)
	}
	for file, want := range map[string]string{
		missing:             "database.dsn: the file in CPM_DATABASE_DSN_FILE cannot be read (no such file or directory): name a file this user may read",
		write(t, "\n\n"):    "database.dsn: the file in CPM_DATABASE_DSN_FILE is empty: write the secret into it",
		t.TempDir():         "database.dsn: the file in CPM_DATABASE_DSN_FILE cannot be read (is a directory): name a file this user may read",
		write(t, long(1e5)): "database.dsn: the file in CPM_DATABASE_DSN_FILE cannot be read (longer than 65536 bytes): name a file this user may read",
	} {
		_, err := Load(write(t, enough), []string{"CPM_DATABASE_DSN_FILE=" + file})
		if got := lines(t, err); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestAReportIsBoundedAndHoldsNoValue(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 3000 {
		b.WriteString(long(i%200+1) + ": hunter2\n")
	}
	b.WriteString("dataDir: {hunter2: hunter2}\nworkers: {heavy: hunter2, light: [hunter2]}\nlog: {level: hunter2}\n")
	_, err := Load(write(t, b.String()), []string{"CPM_X=hunter2", "CPM_WORKERS_LIGHT=hunter2"})
	got := lines(t, err)
	if len(got) != maxProblems+1 || !strings.HasPrefix(got[maxProblems], "and ") {
		t.Errorf("got %d lines", len(got))
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a value is shown")
	}
}

func TestTheParsersWordsAreCutAndPlain(t *testing.T) {
	t.Parallel()
	if got := syntax(errors.New("yaml: line 1: a\n\u009bb " + long(500))); got[:13] != "line 1: a  b " || len(got) != maxSyntax {
		t.Errorf("got %q", got)
	}
}

func TestTheExampleInTheDocumentationLoads(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(pageHead, "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	got, err := Load(write(t, example), nil)
	if err != nil || !got.RiskAcceptance.Given() {
		t.Errorf("got %v", err)
	}
}
