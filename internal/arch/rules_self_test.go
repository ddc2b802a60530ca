package arch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These tests prove that each rule can fail.

func TestEveryRoomHasOnePlace(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, floor := range house {
		for room := range strings.FieldsSeq(floor) {
			if seen[room] {
				t.Errorf("%s stands in two places", room)
			}
			seen[room] = true
		}
	}
	rooms := places(house)
	for _, pair := range strangers {
		for _, room := range pair {
			if _, ok := rooms[room]; !ok {
				t.Errorf("%s is kept apart from another, but has no room", room)
			}
		}
	}
}

func TestArrowsThatAreRefused(t *testing.T) {
	t.Parallel()
	rooms := places(house)
	for _, c := range []struct{ from, to, want string }{
		{"core", "cpm", ""},
		{"ssm", "operation", ""},
		{"cli", "bench", ""},
		{"cpmtest", "server", ""},
		{"hsm/pkcs11", "hsm", "must not know each other"},
		{"hsm", "hsm/pkcs11", "must not know each other"},
		{"core", "adapter", "must not know each other"},
		{"api", "keys", "must not know each other"},
		{"operation", "ssm", "stands to its right on floor 3"},
		{"core", "core", "stands to its right on floor 4"},
		{"fault", "core", "fault (floor 0) imports core (floor 4)"},
		{"core", "nowhere", "imports nowhere, which has no room"},
		{"nowhere", "cpm", "nowhere has no room"},
		{"core", "test/e2e", "imports nothing from test/"},
		{"cmd/cpm", "cli", ""},
		{"cmd/cpm", "test/e2e", "cmd/ may import only gen, internal"},
		{"cmd/cpm", "nowhere", "has no room"},
		{"sdk/go/client", "gen/cpm/v1", ""},
		{"sdk/go/client", "sdk/go/jws", ""},
		{"sdk/go/client", "fault", "sdk/ may import only gen, sdk"},
		{"test/interop", "cpmtest", ""},
		{"test/interop", "sdk/go/client", ""},
		{"gen/cpm/v1", "fault", "stands to its right"},
	} {
		t.Run(c.from+"→"+c.to, func(t *testing.T) {
			t.Parallel()
			expect(t, checkArrows(rooms, c.from, []string{c.to}), c.want)
		})
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ room, file, text, want string }{
		{"internal/core", "a.go", `import "database/sql"`, "only store speaks SQL"},
		{"internal/core", "a.go", `import "database/sql/driver"`, "only store speaks SQL"},
		{"internal/store", "a.go", `import "database/sql/driver"`, ""},
		{"internal/core", "a_test.go", `import "database/sql"`, ""},
		{"internal/cli", "a.go", `import "os/exec"`, "only the supervisors start programs"},
		{"internal/cpmtest", "a.go", `import "os/exec"`, ""},
		{"internal/adapter", "a.go", `import "os/exec"`, ""},
		{"internal/store/storetest", "a.go", `import "database/sql"`, ""},
		{"internal/cli", "a.go", `import "os"; var _ = os.StartProcess`, "only the supervisors start programs"},
		{"internal/core", "a.go", `import "log"`, "log through log/slog"},
		{"internal/core", "a.go", `import "log/slog"`, ""},
		{"internal/secret", "a.go", `import "unsafe"`, "no room needs it"},
		{"internal/hsm", "a.go", `import "C"`, "only cmd/cpm-pkcs11 may"},
		{"internal/hsm", "a_test.go", `import "C"`, "only cmd/cpm-pkcs11 may"},
		{"internal/core", "a.go", `import "github.com/mojaloop/cpm/internal/spec"`, "only tests import suites"},
		{"cmd/cpm", "a.go", `import "github.com/mojaloop/cpm/internal/cpmtest"`, "only tests import suites"},
		{"internal/core", "a_test.go", `import "github.com/mojaloop/cpm/internal/spec"`, ""},
		{"internal/cpm/moduletest", "a.go", `import "github.com/mojaloop/cpm/internal/spec"`, ""},
		{"test/e2e", "a.go", `import "github.com/mojaloop/cpm/internal/cpmtest"`, ""},
		{"cmd/cpm", "a.go", `import "C"`, "only cmd/cpm-pkcs11 may"},
		{"cmd/cpm-pkcs11", "a.go", `import "C"`, ""},
		{"internal/core", "a.go", `func init() {}`, "declares func init"},
		{"internal/core", "a.go", `type t struct{}; func (t) init() {}`, ""},
		{"cmd/cpm", "a.go", `func init() {}`, ""},
		{"internal/core", "a.go", `import "context"; var _ = context.Background()`, "core/a.go:2 uses context.Background"},
		{"internal/core", "a.go", `import c "context"; var f = c.TODO`, "uses context.TODO"},
		{"internal/core", "a.go", `import . "context"; var _ = Background()`, "by dot"},
		{"internal/core", "a_test.go", `import "context"; var _ = context.Background()`, ""},
		{"cmd/cpm", "a.go", `import "context"; var _ = context.Background()`, ""},
		{"internal/core", "a.go", `import "crypto/x509"; var _ = x509.ParsePKCS8PrivateKey`, "only where keys live"},
		{"internal/core", "a.go", `import "crypto/x509"; var _ = x509.ParsePKIXPublicKey`, ""},
		{"internal/keys", "a.go", `import "crypto/rsa"; var _ = rsa.GenerateKey`, ""},
		{"internal/cpm/moduletest", "a.go", `import "crypto/rsa"; var _ = rsa.GenerateKey`, ""},
		{"internal/cpm/moduletest", "a.go", `import "context"; var _ = context.Background()`, "uses context.Background"},
		{"internal/api", "a.go", `import "crypto/rsa"; var _ = rsa.GenerateKey`, "only where keys live"},
	} {
		t.Run(c.room+" "+c.text, func(t *testing.T) {
			t.Parallel()
			f := mustParse(t, c.room, c.file, c.text)
			found := append(checkImports(f), checkCalls(f)...)
			expect(t, append(found, checkInit(f)...), c.want)
		})
	}
}

func TestSizesThatAreRefused(t *testing.T) {
	t.Parallel()
	body := func(lines int) string {
		return "func f() {\n" + strings.Repeat("\tprintln()\n", lines-2) + "}\n"
	}
	for _, c := range []struct {
		name, room, file, text, want string
	}{
		{"longest function", "internal/core", "a.go", body(maxFunction), ""},
		{"function too long", "internal/core", "a.go", body(maxFunction + 1), "func f has 81 lines"},
		{"binary too", "cmd/cpm", "a.go", body(maxFunction + 1), "func f has 81 lines"},
		{"test may", "internal/core", "a_test.go", body(maxFunction + 1), ""},
		{"longest file", "internal/core", "a.go", strings.Repeat("//\n", maxFile-1), ""},
		{"file too long", "internal/core", "a.go", strings.Repeat("//\n", maxFile), "the limit is 400"},
		{"generated", "internal/core", "a.go", "// Code generated by x. DO NOT EDIT.\n\npackage a\n" + strings.Repeat("//\n", maxFile), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found, _ := checkSize(mustParse(t, c.room, c.file, c.text))
			expect(t, found, c.want)
		})
	}
}

func TestMeanCountsWholeFunctions(t *testing.T) {
	t.Parallel()
	_, got := checkSize(mustParse(t, "internal/core", "a.go", "func a() {\n}\n\nfunc b() {\n\tprintln()\n\tprintln()\n}\n"))
	if diff := cmp.Diff("2 functions, mean 3.0", fmt.Sprintf("%d functions, mean %.1f", got.functions, got.mean())); diff != "" {
		t.Error(diff)
	}
}

// mustParse reads a made-up file. The package clause is put before the text where it has none.
func mustParse(t *testing.T, path, file, text string) source {
	t.Helper()
	if !strings.Contains(text, "package a\n") {
		text = "package a\n" + text
	}
	f, err := parse(module+"/"+path, file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// expect wants no finding, or exactly one that contains the text.
func expect(t *testing.T, found []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(found) > 0:
		t.Errorf("unexpected: %s", strings.Join(found, "; "))
	case want != "" && (len(found) != 1 || !strings.Contains(found[0], want)):
		t.Errorf("got %q, want one finding with %q", found, want)
	}
}
