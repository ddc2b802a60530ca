package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mojaloop/cpm/internal/fault"
)

var update = flag.Bool("update", false, "write docs/cli.md again")

// commands lists every command that does something, by its path.
func commands(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			continue
		}
		if !c.HasSubCommands() {
			all = append(all, c)
		}
		all = append(all, commands(c)...)
	}
	return all
}

func tree() *cobra.Command { return (&app{env: map[string]string{}}).root() }

func TestEveryCommandHasTwoExamplesThatParse(t *testing.T) {
	t.Parallel()
	for _, c := range commands(tree()) {
		examples := slices.DeleteFunc(strings.Split(c.Example, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
		if len(examples) < 2 {
			t.Errorf("%s has %d examples, want 2", c.CommandPath(), len(examples))
		}
		for _, line := range examples {
			if err := parses(c.CommandPath(), line); err != "" {
				t.Errorf("%s: %s", strings.TrimSpace(line), err)
			}
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short text is missing or ends in a full stop", c.CommandPath())
		}
	}
}

// parses says what is wrong with an example of a command: the line of a shell without pipes or quotes with spaces.
func parses(path, line string) string {
	words := strings.Fields(line)
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:]
	}
	if i := slices.IndexFunc(words, func(w string) bool { return w == "<" || w == ">" }); i >= 0 {
		words = words[:i]
	}
	for i, w := range words {
		words[i] = strings.Trim(w, "'")
	}
	if len(words) == 0 || words[0] != "cpm" {
		return "does not begin with cpm"
	}
	c, rest, err := tree().Find(words[1:])
	switch {
	case err != nil:
		return err.Error()
	case c.CommandPath() != path:
		return "is of " + c.CommandPath()
	}
	if err := c.ParseFlags(rest); err != nil {
		return err.Error()
	}
	for _, check := range []error{c.ValidateArgs(c.Flags().Args()), c.ValidateRequiredFlags(), c.ValidateFlagGroups()} {
		if check != nil {
			return check.Error()
		}
	}
	return ""
}

// TestEveryCommandIsRunByAScript: an example that nobody runs is a promise nobody keeps.
func TestEveryCommandIsRunByAScript(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, c := range commands(tree()) {
		run := slices.ContainsFunc([]string{"\n", "\nexec ", "\nexec sh -c '"}, func(before string) bool {
			return bytes.Contains(all.Bytes(), []byte(before+c.CommandPath()))
		})
		if !run {
			t.Errorf("no script runs %s with success", c.CommandPath())
		}
	}
}

func TestDocumentationIsCurrent(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "cli.md")
	want := document(tree())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/cli.md is not current; run: go test ./internal/cli -run Documentation -update\n%s", diff)
	}
}

// document writes docs/cli.md.
func document(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("<!-- Generated from internal/cli by go test ./internal/cli -run Documentation -update. Do not edit. -->\n" +
		"# Command line\n\n" +
		"One binary, `cpm`, is the server, its administration and its clients.\n\n" +
		"- Data goes to standard output, talk to standard error: `cpm: error: …`, `cpm: cause: …`, `cpm: hint: …` with what to do next.\n" +
		"- `-o json` prints exactly the message of the API, `-o yaml` the same as YAML, `-o name` one name a line, `-o table` a table for people.\n" +
		"- A flag goes before its variable: `CPM_ADDR CPM_CERT CPM_KEY CPM_CA` lead to the Mojaloop port, `CPM_SOCKET` to the\n" +
		"  administration socket, `CPM_COMMAND_URL` to a Command adapter (with `CPM_TOKEN_FILE`), `CPM_OUTPUT` is the format.\n" +
		"- Without `--socket` and `CPM_SOCKET` the administration socket is `./cpm-dev/cpm.sock` if it belongs to this user, else\n" +
		"  `/run/cpm/cpm.sock`, else that of the default configuration.\n" +
		"- Private keys come from files, descriptors or standard input, never from the command line.\n" +
		"- Commands that cut something off ask for its name; `--yes` answers for scripts.\n\n" +
		"## Exit codes\n\n| Code | Meaning | Kinds of decline |\n|---|---|---|\n")
	meanings := map[int]string{
		1: "failed here or in the CPM; a signature that is not valid (`op verify`)", 2: "used wrongly", 3: "not allowed", 4: "not found",
		5: "not possible in the present state", 6: "try again later, or find out whether it happened",
	}
	b.WriteString("| 0 | done | |\n")
	for code := 1; code <= 6; code++ {
		var kinds []string
		for _, k := range fault.Kinds() {
			if k.Code().Exit == code {
				kinds = append(kinds, k.String())
			}
		}
		b.WriteString("| " + string(rune('0'+code)) + " | " + meanings[code] + " | " + strings.Join(kinds, ", ") + " |\n")
	}
	for _, c := range commands(root) {
		documentCommand(&b, c)
	}
	return b.String()
}

func documentCommand(b *strings.Builder, c *cobra.Command) {
	b.WriteString("\n## " + c.CommandPath() + "\n\n" + c.Short + ".")
	if c.Long != "" {
		b.WriteString(" " + strings.ReplaceAll(c.Long, "\n", " "))
	}
	b.WriteString("\n\n```\n" + c.UseLine() + "\n\n")
	for line := range strings.SplitSeq(c.Example, "\n") {
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	b.WriteString("```\n")
	first := true
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		if first {
			b.WriteString("\n| Flag | Meaning | Default |\n|---|---|---|\n")
			first = false
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		preset := f.DefValue
		if slices.Contains([]string{"", "false", "0", "0s", "[]"}, preset) {
			preset = ""
		} else {
			preset = "`" + preset + "`"
		}
		b.WriteString("| " + name + " | " + strings.ReplaceAll(f.Usage, "|", "\\|") + " | " + preset + " |\n")
	})
}
