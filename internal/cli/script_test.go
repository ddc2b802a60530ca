package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mojaloop/cpm/internal/pki"
)

// TestMain lets a script run cpm as a process of its own: the test binary under that name is the command line.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "cpm" {
		os.Exit(m.Run())
	}
	os.Exit(Main(UntilSignal(context.Background()), os.Args[1:], Standard()))
}

// TestScripts runs the scripts of testdata. Beside the usual commands they have:
//
//	exec cpm ARGS        cpm as a process
//	cpm ARGS [< FILE]    cpm in this process, which must succeed
//	fails N cpm ARGS     the same, which must end with exit code N
//	ready                waits until the CPM behind $CPM_SOCKET is Active
//	until RE cpm ARGS [< FILE]  repeats cpm until its answer matches
//	listening ADDRESS    waits until somebody accepts connections there
//	certificates DIR     makes an authority, server and client certificates
//	ports FILE           writes the file again with $PORT and the like replaced
//	covers ID...         the script has asserted these steps of the specification
//	example DOC WORD FILE  writes the first example of a document that holds the word as a script
//	written RE FILE      waits until a process in the background has written what matches
//	terminate            sends SIGTERM to the processes in the background
//	managed              wants a process of a managed adapter below one in the background
//	killmanaged SIGNAL   sends the signal to it, by number
//	signal N WORD        sends signal N to the process in the background that has the word among its arguments
//	post STATUS URL FILE [NAME:VALUE...]  sends a file to a door as it is; the answer must have the status
//	weakupdate FSP NAME UPDATEKEY  a key update whose key is weak
func TestScripts(t *testing.T) {
	t.Parallel()
	given := &blocks{first: rand.IntN(allBlocks)}
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(6 * time.Minute), // a script that waits for what never comes says so, with its log
		Dir:      filepath.Join("testdata", "script"), Setup: func(e *testscript.Env) error { return setup(e, given) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cpm": succeeds, "fails": fails, "ready": ready, "certificates": certificates, "ports": ports,
			"terminate": terminate, "until": until, "listening": listening, "example": example, "managed": managed,
			"killmanaged": killManaged, "post": post, "signal": sendSignal, "weakupdate": weakUpdate,
			"covers": covers(t), "written": written,
		},
	})
}

// setup gives each script a cpm on its path, free ports, and a socket of its own.
func setup(e *testscript.Env, given *blocks) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(e.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, "cpm")); err != nil {
		return err
	}
	base, err := given.take()
	if err != nil {
		return err
	}
	e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("PORT", strconv.Itoa(base))
	e.Setenv("GRPC_PORT", strconv.Itoa(base+1))
	e.Setenv("COMMAND_PORT", strconv.Itoa(base+2))
	e.Setenv("OPERATOR_PORT", strconv.Itoa(base+20))
	e.Setenv("KEYUPDATE_PORT", strconv.Itoa(base+3))
	e.Setenv("FSP_PORT", strconv.Itoa(base+21))
	e.Setenv("PROBE_PORT", strconv.Itoa(base+30))
	e.Setenv("ADAPTER_PORT", strconv.Itoa(base+10))
	e.Setenv("ADAPTER_PORT_2", strconv.Itoa(base+11))
	e.Setenv("CPM_ADDR", "http://127.0.0.1:"+strconv.Itoa(base))
	e.Setenv("CPM_SOCKET", filepath.Join(e.WorkDir, "cpm-dev", "cpm.sock"))
	return nil
}

// blocks hands out blocks of ports, each once: scripts that run side by side have none in common, whenever they open them.
type blocks struct {
	first int
	given atomic.Int64
}

// All blocks are below the ports that the system hands out to connections.
const (
	firstPort = 10_000
	blockSize = 40
	allBlocks = 170 // other packages' tests begin at 17,000
)

// take finds a block whose ports nobody uses, and gives the first of them.
func (b *blocks) take() (int, error) {
	for range allBlocks {
		base := firstPort + (b.first+int(b.given.Add(1)))%allBlocks*blockSize
		if free(base) && free(base+1) && free(base+2) && free(base+3) && free(base+20) && free(base+21) && free(base+10) && free(base+11) && free(base+30) {
			return base, nil
		}
	}
	return 0, errors.New("no free ports")
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func succeeds(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("write: fails CODE cpm …")
	}
	if code := inProcess(ts, args); code != 0 {
		ts.Fatalf("cpm ended with exit code %d", code)
	}
}

func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "cpm" {
		ts.Fatalf("usage: fails CODE cpm ARGS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := inProcess(ts, args[2:]); code != want {
		ts.Fatalf("cpm ended with exit code %d, want %d", code, want)
	}
}

// inProcess runs cpm here, so that its lines are counted as covered.
func inProcess(ts *testscript.TestScript, args []string) int {
	args, in := input(ts, args)
	s := Streams{In: strings.NewReader(in), Out: ts.Stdout(), Err: ts.Stderr(), Env: environment(ts)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Main(ctx, args, s)
}

// input takes "< FILE" from the arguments.
func input(ts *testscript.TestScript, args []string) (rest []string, in string) {
	i := slices.Index(args, "<")
	if i < 0 || i+1 >= len(args) {
		return args, ""
	}
	return slices.Delete(slices.Clone(args), i, i+2), ts.ReadFile(args[i+1])
}

func environment(ts *testscript.TestScript) []string {
	var all []string
	for _, name := range []string{envAddr, envCert, envKey, envCA, envOutput, envSocket, envCommandURL, envTokenFile, "CPM_LOG_LEVEL"} {
		if value := ts.Getenv(name); value != "" {
			all = append(all, name+"="+value)
		}
	}
	return all
}

// ready polls `cpm status`.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	var last bytes.Buffer
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		last.Reset()
		s := Streams{In: strings.NewReader(""), Out: &last, Err: &last, Env: environment(ts)}
		if Main(context.Background(), []string{"status", "-o", "json"}, s) == 0 && strings.Contains(last.String(), `"state":"Active"`) {
			return
		}
	}
	ts.Fatalf("the CPM did not become Active: %s", last.String())
}

// until repeats a command whose answer follows what other processes do.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "cpm" {
		ts.Fatalf("usage: until RE cpm ARGS")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	rest, in := input(ts, args[2:])
	var last bytes.Buffer
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		last.Reset()
		s := Streams{In: strings.NewReader(in), Out: &last, Err: &last, Env: environment(ts)}
		Main(context.Background(), rest, s)
		if want.Match(last.Bytes()) {
			return
		}
	}
	ts.Fatalf("the answer does not match %q: %s", args[0], last.String())
}

// written waits for the output of a process in the background that writes into a file.
func written(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: written RE FILE")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var text []byte
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if text, _ = os.ReadFile(ts.MkAbs(args[1])); want.Match(text) {
			return
		}
	}
	ts.Fatalf("%s does not match %q: %s", args[1], args[0], text)
}

func listening(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", args[0]); err == nil {
			_ = c.Close()
			return
		}
	}
	ts.Fatalf("nobody listens on %s", args[0])
}

func certificates(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	authority, err := pki.NewAuthority(time.Now(), "script authority")
	ts.Check(err)
	ts.Check(authority.Write(dir, "ca"))
	for _, name := range []string{"server", "client"} {
		leaf, err := authority.Issue(time.Now(), name, name+".example", "localhost")
		ts.Check(err)
		ts.Check(leaf.Write(dir, name))
	}
}

func ports(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}

// run runs cpm with standard input and gives what it wrote.
func run(t *testing.T, in io.Reader, terminal bool, env []string, args ...string) (code int, out, talk string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, Streams{In: in, Out: &o, Err: &e, Env: env, IsTerminal: terminal})
	return code, o.String(), e.String()
}

// example takes a command out of a document, so that what stands there is what is run.
func example(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: example DOC WORD FILE")
	}
	text, err := os.ReadFile(args[0])
	ts.Check(err)
	for _, block := range strings.Split(string(text), "```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.Contains(block, args[1]) {
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(block), 0o600))
			return
		}
	}
	ts.Fatalf("%s has no example with %s", args[0], args[1])
}
