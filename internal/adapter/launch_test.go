package adapter

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launched starts a shell script and gives what it has written by its end.
func launched(t *testing.T, ctx context.Context, script string) (ended <-chan error, output string) {
	t.Helper()
	output = filepath.Join(t.TempDir(), "output")
	f, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ended, err = Launch(ctx, Program{Path: "/bin/sh", Name: "cpm", Args: []string{"-c", script}, Env: []string{"CPM_A=1"}, Output: f})
	if err != nil {
		t.Fatal(err)
	}
	return ended, output
}

func TestALaunchedProgramHasItsOwnSessionAndEnvironment(t *testing.T) {
	t.Parallel()
	ended, output := launched(t, t.Context(), `echo "$0 $CPM_A $HOME"; ps -o pid=,sid= -p $$; exit 3`)
	if err := <-ended; err == nil || err.Error() != "exit status 3" {
		t.Error(err)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	if len(words) != 4 || words[0] != "cpm" || words[1] != "1" || words[2] != words[3] {
		t.Errorf("%q", text)
	}
}

func TestALaunchedProgramOutlivesWhoStartedIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ended, output := launched(t, ctx, "echo $$; while :; do sleep 0.05; done")
	cancel()
	pid := 0
	for pid == 0 {
		text, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range strings.TrimSpace(string(text)) {
			pid = pid*10 + int(b-'0')
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-ended:
		t.Fatal("it ended:", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("killed, and it says it ended by itself")
	}
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := Launch(t.Context(), Program{Path: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("no error")
	}
}
