package deploy

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the top of the repository.
const root = "../.."

// exposure is the most that systemd may find exposed in a unit, in tenths of its scale of 10.
const exposure = "15"

func TestUnitsAreConfined(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here; the Debian package systemd has it")
	}
	for _, unit := range files(t, "deploy/systemd/*.service", 4) {
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold="+exposure, unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(unit), err, out)
		}
	}
}

// TestCommandLinesAreThoseOfTheBinary asks the binary for the flags of every command that a unit, the image or a manifest
// runs.
func TestCommandLinesAreThoseOfTheBinary(t *testing.T) {
	t.Parallel()
	cpm := build(t)
	lines := map[string][]string{}
	for _, unit := range files(t, "deploy/systemd/*.service", 4) {
		text := strings.ReplaceAll(read(t, unit), "\\\n", " ")
		start := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/cpm (.*)$`).FindStringSubmatch(text)
		if start == nil {
			t.Fatalf("%s starts no cpm", unit)
		}
		lines[unit] = strings.Fields(start[1])
	}
	for _, manifest := range files(t, "deploy/kubernetes/*.yaml", 6) {
		for i, args := range argumentsOf(read(t, manifest)) {
			lines[manifest+" "+string(rune('a'+i))] = args
		}
	}
	if len(lines) < 10 {
		t.Fatalf("only %d command lines were found", len(lines))
	}
	for where, line := range lines {
		checkLine(t, cpm, where, line)
	}
}

// argumentsOf finds the args of a manifest, in both forms of a YAML list.
func argumentsOf(text string) (all [][]string) {
	for _, m := range regexp.MustCompile(`(?m)^ +args: \[(.*)\]$`).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Split(m[1], ", "))
	}
	for _, m := range regexp.MustCompile(`(?m)^ +args:\n((?: +- .*\n)+)`).FindAllStringSubmatch(text, -1) {
		var args []string
		for line := range strings.Lines(m[1]) {
			args = append(args, strings.TrimPrefix(strings.TrimSpace(line), "- "))
		}
		all = append(all, args)
	}
	return all
}

func checkLine(t *testing.T, cpm, where string, line []string) {
	t.Helper()
	var command []string
	for _, word := range line {
		if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "/") {
			break
		}
		command = append(command, word)
	}
	help, err := exec.CommandContext(t.Context(), cpm, append(command, "--help")...).CombinedOutput()
	if err != nil || len(command) == 0 || !strings.Contains(string(help), "cpm "+strings.Join(command, " ")) {
		t.Errorf("%s: %v: %v\n%s", where, command, err, help)
		return
	}
	for _, word := range line {
		name, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(name, "-") && !strings.Contains(string(help), name+" ") && !strings.Contains(string(help), name+",") {
			t.Errorf("%s: cpm %s has no flag %s", where, strings.Join(command, " "), name)
		}
	}
}

func TestTheImageHoldsTheStaticBinaryAndNoRoot(t *testing.T) {
	t.Parallel()
	var (
		text     = strings.ReplaceAll(read(t, filepath.Join(root, "deploy/docker/Dockerfile")), "\\\n", " ")
		stages   = regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1)
		last     = text[strings.LastIndex(text, "\nFROM "):]
		user     = regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(last)
		entry    = regexp.MustCompile(`(?m)^ENTRYPOINT \["([^"]+)"\]$`).FindStringSubmatch(last)
		compiler = regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(root, "go.mod")))
	)
	switch {
	case len(stages) != 2 || stages[1][1] != "scratch" || compiler == nil || !strings.HasPrefix(stages[0][1], "golang:"+compiler[1]+"-"):
		t.Errorf("the stages are %v, Go is %v", stages, compiler)
	case user == nil || user[1] == "0":
		t.Error("the image runs as root")
	case entry == nil || !regexp.MustCompile(`(?m)^COPY .* `+regexp.QuoteMeta(entry[1])+`$`).MatchString(last):
		t.Error("what the image starts is not in it")
	case !strings.Contains(text, "CGO_ENABLED=0 go build -trimpath"):
		t.Error("the binary is not the static one")
	}
	binary, err := elf.Open(build(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = binary.Close() }()
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the binary needs a dynamic linker, which an empty image has not")
	}
}

// build makes the binary as the image does.
func build(t *testing.T) string {
	t.Helper()
	cpm := filepath.Join(t.TempDir(), "cpm")
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", cpm, root+"/cmd/cpm")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return cpm
}

// files lists the files of a pattern, of which there must be some.
func files(t *testing.T, pattern string, least int) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(all) < least {
		t.Fatalf("%s: %d files, %v", pattern, len(all), err)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
