package arch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/dependencies.md has a row for each module that go.mod requires directly, of the version that is required, no other
// row, and the number of the others.
func TestTheDocumentHasEveryDirectDependency(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, heading := range []string{"## Linked into `cpm`", "## For tests only"} {
		for module, version := range documentedModules(t, string(text), heading) {
			if _, twice := documented[module]; twice {
				t.Errorf("%s has two rows", module)
			}
			documented[module] = version
		}
	}
	direct, indirect := required(t)
	if diff := cmp.Diff(direct, documented); diff != "" {
		t.Errorf("go.mod and document differ (-go.mod +document):\n%s", diff)
	}
	if phrase := fmt.Sprintf("The modules above bring %d more with them", indirect); !strings.Contains(string(text), phrase) {
		t.Errorf("the document does not say %q", phrase)
	}
}

// documentedModules reads the table under a heading: module, version, licence and reason.
func documentedModules(t *testing.T, text, heading string) map[string]string {
	t.Helper()
	_, section, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	modules := map[string]string{}
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || strings.TrimSpace(cells[2]) == "" || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("a dependency has module, version, licence and reason, not %q", line)
			continue
		}
		modules[strings.Trim(strings.TrimSpace(cells[0]), "`")] = strings.TrimSpace(cells[1])
	}
	return modules
}

// required lists the direct requirements of go.mod with their versions, and counts the indirect ones.
func required(t *testing.T) (direct map[string]string, indirect int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	command.Dir = "../.."
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var file struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	direct = map[string]string{}
	for _, r := range file.Require {
		if r.Indirect {
			indirect++
		} else {
			direct[r.Path] = r.Version
		}
	}
	return direct, indirect
}
