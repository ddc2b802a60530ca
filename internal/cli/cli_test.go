package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// decliningSocket answers every request with the same decline.
func decliningSocket(t *testing.T, e *fault.Error) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cpm") // the path of a socket has at most about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{
		"errorInformation": map[string]any{
			"errorCode": e.Kind.Code().FSPIOP, "errorDescription": "x",
			"extensionList": map[string]any{"extension": []map[string]string{{"key": "kind", "value": e.Kind.String()}}},
		},
		"requestId": "R1", "message": e.Public,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(e.Kind.Code().HTTP)
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return path
}

func TestEveryDeclineHasItsExitCodeItsRequestIDAndAHint(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		socket := decliningSocket(t, fault.New(kind, "the reason"))
		code, out, talk := run(t, strings.NewReader(""), false, nil, "fsp", "list", "--socket", socket)
		if code != kind.Code().Exit {
			t.Errorf("%v: exit code %d, want %d", kind, code, kind.Code().Exit)
		}
		if out != "" {
			t.Errorf("%v: standard output has %q", kind, out)
		}
		if !strings.HasPrefix(talk, "cpm: error: the reason (request R1)\ncpm: hint: ") || strings.Contains(talk, "cause") {
			t.Errorf("%v: %s", kind, talk)
		}
	}
}

func TestHintIsTakenOutOfTheText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no key; add one with: cpm key add":               "cpm: error: no key (request R1)\ncpm: hint: add one with: cpm key add\n",
		"it is open; hint: chmod 600":                     "cpm: error: it is open (request R1)\ncpm: hint: chmod 600\n",
		"the CPM is shutting down; ask another":           "cpm: error: the CPM is shutting down; ask another (request R1)\n",
		"one: wrong\ntwo: wrong; see: cpm config explain": "cpm: error: one: wrong\ncpm: error: two: wrong (request R1)\ncpm: hint: see: cpm config explain\n",
	} {
		socket := decliningSocket(t, fault.New(fault.State, "%s", text))
		if _, _, talk := run(t, strings.NewReader(""), false, nil, "fsp", "list", "--socket", socket); talk != want {
			t.Errorf("%s: %q, want %q", text, talk, want)
		}
	}
}

func TestNothingIsCutOffUnlessItsNameIsTyped(t *testing.T) {
	t.Parallel()
	socket := decliningSocket(t, fault.New(fault.Conflict, "it reached the CPM"))
	for reply, reached := range map[string]bool{
		"payerfsp\n": true, " payerfsp \n": true, "payerfsp": true, "": false, "\n": false, "y\n": false, "payerfs\n": false, "PAYERFSP\n": false,
		strings.Repeat(" ", maxReply) + "payerfsp\n": false,
	} {
		code, _, talk := run(t, strings.NewReader(reply), true, nil, "fsp", "suspend", "payerfsp", "--socket", socket)
		if (code == fault.Conflict.Code().Exit) != reached || strings.Contains(talk, "it reached the CPM") != reached {
			t.Errorf("reply %q: exit code %d, %s", reply, code, talk)
		}
	}
}

func TestPrivateKeyComesFromADescriptor(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("key text"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	got, err := (&app{}).readSecret("/dev/fd/" + strconv.Itoa(int(r.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Open(secret.Token{})) != "key text" {
		t.Error("another key was read")
	}
}

func TestPrivateKeyIsBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{0: fault.Invalid, 1: nil, maxPEM: nil, maxPEM + 1: fault.TooLarge} {
		a := &app{io: Streams{In: bytes.NewReader(make([]byte, size))}}
		got, err := a.readSecret("-")
		if !errors.Is(err, want) || (err == nil && got.Len() != size) {
			t.Errorf("%d bytes: %d bytes, %v, want %v", size, got.Len(), err, want)
		}
	}
	if _, err := (&app{}).readSecret(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

func TestSocketIsFoundInItsOrder(t *testing.T) { // it changes the working directory
	t.Chdir(t.TempDir())
	a := &app{env: map[string]string{}}
	if got := a.socket(""); got == devSocket {
		t.Error("a socket was found that is not there")
	}
	if err := os.Mkdir("cpm-dev", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(devSocket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := a.socket(""); got != devSocket {
		t.Errorf("got %s, want that of cpm dev", got)
	}
	a.env[envSocket] = "variable"
	if got := a.socket(""); got != "variable" {
		t.Errorf("got %s, want the variable's", got)
	}
	if got := a.socket("flag"); got != "flag" {
		t.Errorf("got %s, want the flag's", got)
	}
}

func TestSocketOfAnotherUserIsNotTakenForOurs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("cpm-dev", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(devSocket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(devSocket, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if got := (&app{}).socket(""); got == devSocket {
		t.Error("the socket of another user was taken")
	}
}

func TestStoppedCommandSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var talk bytes.Buffer
	code := Main(ctx, []string{"fsp", "list", "--socket", "/none"}, Streams{In: strings.NewReader(""), Out: &talk, Err: &talk})
	if code != fault.Timeout.Code().Exit || !strings.Contains(talk.String(), "stopped before the answer came") {
		t.Errorf("exit code %d: %s", code, talk.String())
	}
}

func TestTimesInTablesAreShort(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "0s ago", 59 * time.Second: "59s ago", time.Minute: "1m ago", 47 * time.Hour: "47h ago", 48 * time.Hour: "2d ago",
		-90 * time.Minute: "in 1h", -1000 * 24 * time.Hour: "in 1000d",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if got := ago(time.Time{}, now); got != "" {
		t.Errorf("no time: %s", got)
	}
}

func TestTableKeepsTheTerminalSafe(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (table{header: []string{"A", "B"}, rows: [][]string{{"\x1b[2J\t\u009b", ""}, {"x", "y"}}}).write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "A       B\n?[2J??  -\nx       y\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestYAMLSaysTheSameAsJSON(t *testing.T) {
	t.Parallel()
	got, err := toYAML([]byte(`{"b":"1","a":["yes","null","a: b","","1:20"],"c":{"t":"2026-01-31","n":1.5,"z":null,"e":{}},"m":"x\ny"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "b: \"1\"\na:\n  - \"yes\"\n  - \"null\"\n  - 'a: b'\n  - \"\"\n  - \"1:20\"\nc:\n  t: \"2026-01-31\"\n  \"n\": 1.5\n  z: null\n  e: {}\nm: |-\n  x\n  y\n"
	if string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestGRPCPortIsTheNextOne(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"https://h:7800": "h:7801", "https://[::1]:1": "[::1]:2", "https://h": ""} {
		u, err := (&port{app: &app{}, addr: addr}).url()
		if err != nil {
			t.Fatal(err)
		}
		if got := nextPort(u); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
