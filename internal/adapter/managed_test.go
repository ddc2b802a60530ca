package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpm/moduletest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/ssm"
)

// asProcess is the adapter's process in these tests: what `cpm adapter ssm --managed` is in the product.
func asProcess(arguments []string) int {
	switch arguments[0] {
	case "serve":
		if err := serveManaged(); err != nil {
			fmt.Println(err)
			return 1
		}
	case "speak": // it says what no log has, and ends
		fmt.Println("panic: something\ngoroutine 1 [running]:")
		return 2
	case "wait": // it never says where it listens
		_, _ = io.Copy(io.Discard, os.NewFile(handoverDescriptor, "handover"))
	case "outside":
		fmt.Println("192.0.2.1:1")
		_, _ = fmt.Fprintln(os.NewFile(reportDescriptor, "report"), "192.0.2.1:1")
		_, _ = io.Copy(io.Discard, os.NewFile(handoverDescriptor, "handover"))
	case "mute": // nobody answers where it says that it listens
		_, _ = fmt.Fprintln(os.NewFile(reportDescriptor, "report"), "127.0.0.1:1")
		_, _ = io.Copy(io.Discard, os.NewFile(handoverDescriptor, "handover"))
	case "core": // a core with a managed adapter, to be killed
		m := Supervise(context.Background(), managedConfig(os.Stdout, "serve"))
		_ = m.Connected(context.Background())
		select {}
	}
	return 0
}

func serveManaged() error {
	inherited, err := Inherit()
	if err != nil {
		return err
	}
	t, err := inherited.Handover.TLS()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		<-inherited.Orphaned
		end()
	}()
	log := obs.NewLogger(os.Stdout, "json", slog.LevelInfo)
	s := NewServer(ServerConfig{
		Name: inherited.Handover.Name, Allowed: []string{inherited.Handover.Core}, Logger: log, Now: time.Now, Ended: end,
		New: func(operations []cpm.Operation, _ []byte) (cpm.Module, error) {
			return ssm.New(ssm.Config{Mandated: operations, HeavyWorkers: 2, Now: time.Now}), nil
		},
	})
	log.LogAttrs(ctx, slog.LevelInfo, "given", slog.String("options", string(inherited.Handover.Options)), slog.String("environment", strings.Join(os.Environ(), " ")),
		slog.String("arguments", strings.Join(os.Args, " ")))
	if err := inherited.Report(l.Addr().String()); err != nil {
		return err
	}
	return s.Serve(ctx, l, t)
}

func managedConfig(log io.Writer, arguments ...string) ManagedConfig {
	return ManagedConfig{
		Name: "ssm1", Arguments: arguments, Options: json.RawMessage(`{"x":1}`), Now: time.Now,
		Operations: append(moduletest.SecretKeyOperations(), cpm.JWSSign, cpm.JWSVerify, cpm.JWEEncrypt, cpm.JWEDecrypt), Logger: obs.NewLogger(log, "json", slog.LevelInfo),
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for a match in the log and gives its groups.
func (l *lines) until(t *testing.T, pattern string, n int) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if all := re.FindAllStringSubmatch(l.String(), -1); len(all) >= n {
			return all[n-1]
		}
	}
	t.Fatalf("%q is not in the log %d times:\n%s", pattern, n, l.String())
	return nil
}

const startedLine = `"event":"adapter.started","adapter":"ssm1","pid":(\d+)`

func (l *lines) pid(t *testing.T, n int) int {
	t.Helper()
	pid, err := strconv.Atoi(l.until(t, startedLine, n)[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func supervised(t *testing.T, log io.Writer) *Managed {
	t.Helper()
	m := Supervise(context.WithoutCancel(t.Context()), managedConfig(log, "serve"))
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	if err := m.Connected(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return m
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

func TestModuleInAManagedProcess(t *testing.T) {
	moduletest.Test(t, func(t *testing.T) cpm.Module { return supervised(t, io.Discard) })
}

// The process is given its name and certificate through a descriptor, and nothing of ours by its environment.
func TestAManagedProcessInheritsNoSecrets(t *testing.T) {
	t.Setenv("CPM_DATABASE_DSN", "postgres://secret")
	t.Setenv("GOGC", "100")
	var log lines
	m := supervised(t, &log)
	if given := log.until(t, `"msg":"given".*`, 1)[0]; strings.Contains(given, "secret") || !strings.Contains(given, `"arguments":"cpm serve"`) ||
		!strings.Contains(given, `"options":"{\"x\":1}"`) || !strings.Contains(given, "GOGC=100") || strings.Count(given, `"adapter":"ssm1"`) != 1 {
		t.Error(given)
	}
	pid := log.pid(t, 1)
	if err := m.Shutdown(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	if s, err := m.Status(t.Context()); err != nil || s.State != cpm.Inactive || m.Up() || m.Restarts() != 0 {
		t.Errorf("%+v %v, up %v, %d restarts", s, err, m.Up(), m.Restarts())
	}
	if strings.Contains(log.String(), "adapter.restarting") {
		t.Error("it was started again")
	}
}

// One that is killed serves again, with keys put anew; one that is stopped in its tracks and continued was never gone.
func TestAKilledProcessServesAgain(t *testing.T) {
	var log lines
	m := supervised(t, &log)
	for n := 1; n <= 3; n++ {
		if err := syscall.Kill(log.pid(t, n), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		log.until(t, `"event":"adapter.exited","adapter":"ssm1","error":"signal: killed"`, n)
		log.pid(t, n+1)
		if err := m.Connected(within(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
		if m.Restarts() != uint64(n) || !m.Up() {
			t.Errorf("%d restarts after %d", m.Restarts(), n)
		}
		r := &cpm.Request{
			FSP: "payerfsp", Operation: cpm.JWSSign, Keys: []cpm.KeyRef{{ID: cpm.KeyID{9}, Name: "jws", Version: 1}},
			Payload: cpm.Payload{Message: &cpmv1.JwsSignRequest{Method: "POST", Uri: "/quotes", Headers: map[string]string{"fspiop-source": "payerfsp"}, Content: &cpmv1.JwsSignRequest_Body{Body: "{}"}}},
		}
		if _, err := m.Do(within(t, 20*time.Second), r); !errors.Is(err, cpm.ErrKeyNotHeld) {
			t.Errorf("a new process holds keys, or cannot say that it does not: %v", err)
		}
	}
}

func TestAProcessThatCannotBeUsedIsStartedAgainWithPauses(t *testing.T) {
	for argument, want := range map[string]string{
		"speak":   `"event":"adapter.output","adapter":"ssm1","line":"panic: something"`,
		"outside": `does not listen on loopback`,
	} {
		t.Run(argument, func(t *testing.T) {
			var log lines
			m := Supervise(t.Context(), managedConfig(&log, argument))
			log.until(t, want, 2)
			log.until(t, `"event":"adapter.restarting","adapter":"ssm1","restarts":2`, 1)
			if m.Up() {
				t.Error("it counts as up")
			}
			_, err := m.Do(t.Context(), request("x"))
			kind(t, err, fault.Unavailable)
			kind(t, m.Connected(within(t, 10*time.Millisecond)), fault.Unavailable)
			if err := errors.Join(m.Shutdown(t.Context()), m.Drop(t.Context(), cpm.KeyID{1})); err != nil {
				t.Error(err)
			}
			if strings.Contains(log.String(), `"event":"adapter.started"`) {
				t.Error("it counts as started")
			}
		})
	}
}

func TestAProcessThatSaysNothingIsEndedWithItsCore(t *testing.T) {
	var log lines
	m := Supervise(t.Context(), managedConfig(&log, "wait"))
	time.Sleep(50 * time.Millisecond)
	if err := m.Shutdown(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "restarting") {
		t.Error(log.String())
	}
}

func TestAProcessThatRunsAndDoesNotAnswerIsStartedAnew(t *testing.T) {
	var log lines
	c := managedConfig(&log, "mute")
	c.stuck = 100 * time.Millisecond
	m := Supervise(t.Context(), c)
	first := log.pid(t, 1)
	log.until(t, `"event":"adapter.exited","adapter":"ssm1","error":"it runs and does not answer`, 1)
	gone(t, first)
	log.pid(t, 2)
	if err := m.Shutdown(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
}

// A core that is killed takes the processes it started with it.
func TestProcessesEndWithTheirCore(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	core := exec.CommandContext(t.Context(), self, "core")
	core.Args[0], core.Stdout = "cpm", &log
	if err := core.Start(); err != nil {
		t.Fatal(err)
	}
	pid := log.pid(t, 1)
	if err := errors.Join(syscall.Kill(pid, 0), core.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = core.Wait()
	gone(t, pid)
}

// On systems that do not tell a process of its parent's end, the end of the pipe does.
func TestAnOrphanIsTold(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &Handover{Name: "ssm1", Core: "core.cpm", certificate: []byte("c"), authority: []byte("a")}
	if err := h.write(w); err != nil {
		t.Fatal(err)
	}
	i, err := inherit(r, nil)
	if err != nil || i.Handover.Name != "ssm1" || !slices.Equal(i.Handover.certificate, h.certificate) {
		t.Fatalf("%+v %v", i, err)
	}
	select {
	case <-i.Orphaned:
		t.Error("too early")
	default:
	}
	_ = w.Close()
	<-i.Orphaned
	if _, err := i.Handover.TLS(); err == nil {
		t.Error("a certificate that is none")
	}
	if _, err := inherit(r, nil); !errors.Is(err, fault.State) {
		t.Errorf("started by hand: %v", err)
	}
}

func FuzzHandover(f *testing.F) {
	var b bytes.Buffer
	_ = (&Handover{Name: "ssm1", certificate: []byte("c")}).write(&b)
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := readHandover(bytes.NewReader(b)); (h == nil) == (err == nil) {
			t.Errorf("%+v %v", h, err)
		}
		if a, err := readAddress(bytes.NewReader(b)); err == nil && !strings.HasPrefix(a, "127.") && !strings.HasPrefix(a, "[") {
			t.Errorf("%q", a)
		}
	})
}

func FuzzRelayLog(f *testing.F) {
	for _, line := range []string{
		`{"level":"info","msg":"x","adapter":"other","n":1,"o":{"a":1}}`, "panic", "", strings.Repeat("x", 20<<10) + "\nshort", `{"level":"x","msg":"x"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var log bytes.Buffer
		relayLog(t.Context(), io.NopCloser(bytes.NewReader(b)), obs.NewLogger(&log, "json", slog.LevelInfo), "ssm1")
		for line := range strings.Lines(log.String()) {
			if !json.Valid([]byte(line)) || strings.Count(line, `"adapter":"ssm1"`) == 0 {
				t.Errorf("%q", line)
			}
		}
	})
}
