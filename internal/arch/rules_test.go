package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// Size limits of product code in internal/, cmd/ and sdk/, in lines.
const (
	maxFunction = 80
	maxFile     = 400
)

// suites are test code that tests of other packages import; they may start programs, open databases
// and make keys.
var suites = []string{"cpm/moduletest", "hsm/drivertest", "spec", "store/storetest", "cpmtest"}

// importRule keeps a package of the standard library in the rooms that are made for it. The
// pattern is a path, or a path and everything under it when it ends in "/...".
type importRule struct {
	pattern string
	rooms   []string // the only rooms that may import it
	why     string
}

var importRules = []importRule{
	{"database/sql/...", []string{"store"}, "only store speaks SQL"},
	{"os/exec", []string{"adapter", "hsm/pkcs11"}, "only the supervisors start programs"},
	{"log", nil, "log through log/slog"},
	{"unsafe", nil, "no room needs it"},
}

// callRule keeps functions in the rooms that are made for them.
type callRule struct {
	names []string // import path, dot, name
	rooms []string
	why   string
}

var callRules = []callRule{
	{
		names: []string{
			"crypto/x509.ParsePKCS8PrivateKey", "crypto/x509.ParsePKCS1PrivateKey", "crypto/x509.ParseECPrivateKey",
			"crypto/rsa.GenerateKey", "crypto/rsa.GenerateMultiPrimeKey",
			"crypto/ecdsa.GenerateKey", "crypto/ecdsa.ParseRawPrivateKey",
			"crypto/ed25519.GenerateKey", "crypto/ed25519.NewKeyFromSeed",
		},
		rooms: slices.Concat([]string{"keys", "ssm", "seal", "pki", "bench"}, suites),
		why:   "private keys are parsed and generated only where keys live; bench makes its own to measure the bare primitive",
	},
	{
		names: []string{"context.Background", "context.TODO"},
		why:   "the context is a parameter; after a cancelled one use context.WithoutCancel",
	},
	{
		names: []string{"os.StartProcess", "syscall.StartProcess", "syscall.ForkExec", "syscall.Exec"},
		rooms: []string{"adapter", "hsm/pkcs11"},
		why:   "only the supervisors start programs",
	},
}

// checkImports judges one file by importRules and keeps cgo in its one binary.
func checkImports(f source) []string {
	var found []string
	for _, path := range f.imports() {
		if path == "C" && f.room != "cmd/cpm-pkcs11" {
			found = append(found, fmt.Sprintf("%s uses cgo: only cmd/cpm-pkcs11 may, all else is built with CGO_ENABLED=0", f.name))
		}
		if f.test || slices.Contains(suites, f.room) || wing(f.room) == "test" {
			continue
		}
		if strings.HasPrefix(path, module+"/") && slices.Contains(suites, roomOf(path)) {
			found = append(found, fmt.Sprintf("%s imports %s: only tests import suites", f.name, roomOf(path)))
		}
		if wing(f.room) != "internal" {
			continue
		}
		for _, r := range importRules {
			if matches(r.pattern, path) && !slices.Contains(r.rooms, f.room) {
				found = append(found, fmt.Sprintf("%s imports %s: %s", f.name, path, r.why))
			}
		}
	}
	return found
}

func matches(pattern, path string) bool {
	base, tree := strings.CutSuffix(pattern, "/...")
	return path == base || tree && strings.HasPrefix(path, base+"/")
}

// checkCalls judges one product file of internal/ by callRules. A dot import would hide its calls
// from these rules and is refused.
func checkCalls(f source) []string {
	if f.test || wing(f.room) != "internal" {
		return nil
	}
	var found []string
	for _, spec := range f.tree.Imports {
		if spec.Name != nil && spec.Name.Name == "." {
			found = append(found, fmt.Sprintf("%s imports %s by dot: write where a name comes from", f.name, importPath(spec)))
		}
	}
	f.selected(func(u use) {
		for _, r := range callRules {
			if slices.Contains(r.names, u.String()) && !slices.Contains(r.rooms, f.room) {
				found = append(found, fmt.Sprintf("%s uses %s: %s", f.at(u.line), u, r.why))
			}
		}
	})
	return found
}

// checkInit refuses func init in product files of internal/: what happens at start is written in
// the order it happens, in server.
func checkInit(f source) []string {
	if f.test || wing(f.room) != "internal" {
		return nil
	}
	var found []string
	for fn := range functions(f) {
		if fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, fmt.Sprintf("%s declares func init: start-up is written out in server", f.at(f.line(fn.Pos()))))
		}
	}
	return found
}

// sizes holds what checkSize measured.
type sizes struct{ functions, lines int }

func (s sizes) mean() float64 { return float64(s.lines) / float64(max(s.functions, 1)) }

// checkSize measures one product file of internal/, cmd/ or sdk/.
func checkSize(f source) ([]string, sizes) {
	if w := wing(f.room); f.test || w != "internal" && w != "cmd" && w != "sdk" || ast.IsGenerated(f.tree) {
		return nil, sizes{}
	}
	var found []string
	if n := f.fset.File(f.tree.Pos()).LineCount(); n > maxFile {
		found = append(found, fmt.Sprintf("%s has %d lines, the limit is %d: one idea a file", f.name, n, maxFile))
	}
	var s sizes
	for fn := range functions(f) {
		lines := f.line(fn.End()) - f.line(fn.Pos()) + 1
		s.functions++
		s.lines += lines
		if lines > maxFunction {
			found = append(found, fmt.Sprintf("%s: func %s has %d lines, the limit is %d", f.at(f.line(fn.Pos())), fn.Name.Name, lines, maxFunction))
		}
	}
	return found, s
}

// functions yields the declared functions and methods of a file that have a body.
func functions(f source) func(func(*ast.FuncDecl) bool) {
	return func(yield func(*ast.FuncDecl) bool) {
		for _, d := range f.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && !yield(fn) {
				return
			}
		}
	}
}
