package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// example is a command of a document and the answer beside it; empty if there is none.
type example struct{ command, answer string }

// examples are those of a document that ask the JSON port of `cpm dev`.
func examples(t *testing.T, name string) (found []example) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:\n```json\n(.*?)```\n)?")
	for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], "http://127.0.0.1:7800/") {
			found = append(found, example{m[1], m[2]})
		}
	}
	return found
}

// The examples run in the order of the document, each in the directory of those before it, and answer with the members that are
// written there.
func TestTheExamplesOfTheOperationsRun(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the examples need " + program)
		}
	}
	base := devBase(t)
	runDev(t, base)
	dir := t.TempDir()
	all := examples(t, "operations.md")
	if len(all) < 20 {
		t.Errorf("only %d examples were found", len(all))
	}
	for _, e := range all {
		command := strings.ReplaceAll(e.command, "127.0.0.1:7800", fmt.Sprintf("127.0.0.1:%d", base))
		c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			t.Errorf("%s\n%v: %s", e.command, err, out)
			continue
		}
		if e.answer == "" {
			continue
		}
		if diff := cmp.Diff(members(t, []byte(e.answer)), members(t, out)); diff != "" {
			t.Errorf("%s\nanswers %s\nother members than the document says (-document +answer):\n%s", e.command, out, diff)
		}
	}
}

// members lists the paths of a JSON text's members, and what is true or false.
func members(t *testing.T, text []byte) []string {
	t.Helper()
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var paths []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(path+"."+name, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), inner)
			}
		case bool:
			path += fmt.Sprintf("=%t", v)
		}
		paths = append(paths, path)
	}
	walk("", document)
	slices.Sort(paths)
	return paths
}

// devBase is a port that is free together with those `cpm dev` takes beside it.
func devBase(t *testing.T) int {
	t.Helper()
	for base := 21000; base < 32000; base += 97 {
		if !slices.ContainsFunc([]int{0, 1, 2, 3, 30}, func(by int) bool { return taken(t, base+by) }) {
			return base
		}
	}
	t.Fatal("no port is free")
	return 0
}

func taken(t *testing.T, port int) bool {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	return l.Close() != nil
}

// runDev runs `cpm dev` until the test ends.
func runDev(t *testing.T, base int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out, log buffer
	ended := make(chan error, 1)
	go func() {
		ended <- Dev(ctx, DevOptions{DataDir: t.TempDir(), PortBase: base, Version: "test", Out: &out, Log: &log})
	}()
	for !strings.Contains(out.String(), "Ctrl-C") {
		select {
		case err := <-ended:
			t.Fatalf("ended: %v\n%s\n%s", err, out.String(), log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
