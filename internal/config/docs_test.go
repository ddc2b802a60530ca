package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs.go and docs/config.md from the comments in config.go")

func TestGeneratedDocumentationIsCurrent(t *testing.T) {
	t.Parallel()
	types := parseTypes(t)
	source := renderSource(t, types)
	current(t, "docs.go", source)
	current(t, filepath.Join("..", "..", "docs", "config.md"), renderPage(types))
}

// current compares a generated file with the one in the repository, or writes it.
func current(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is out of date, run go test ./internal/config -run Documentation -update (-want +got):\n%s", name, diff)
	}
}

// commented is a struct of config.go: its own comment and those of its fields, by Go name.
type commented struct {
	doc    string
	fields map[string]string
}

func parseTypes(t *testing.T) map[string]commented {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]commented{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || len(g.Specs) == 0 {
			continue
		}
		if spec, ok := g.Specs[0].(*ast.TypeSpec); ok {
			types[spec.Name.Name] = comments(g, spec)
		}
	}
	return types
}

func comments(g *ast.GenDecl, spec *ast.TypeSpec) commented {
	c := commented{doc: flat(g.Doc), fields: map[string]string{}}
	if s, ok := spec.Type.(*ast.StructType); ok {
		for _, f := range s.Fields.List {
			c.fields[f.Names[0].Name] = flat(f.Doc)
		}
	}
	return c
}

func flat(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// entry is a section or a key in the order of the struct.
type entry struct {
	path, doc string
	section   bool
}

func entries(types map[string]commented, prefix string, typ reflect.Type) []entry {
	var all []entry
	for f := range typ.Fields() {
		path := prefix + f.Tag.Get("yaml")
		switch {
		case f.Tag.Get("yaml") == "-":
		case f.Type.Kind() == reflect.Struct:
			all = append(all, entry{path, types[f.Type.Name()].doc, true})
			all = append(all, entries(types, path+".", f.Type)...)
		default:
			all = append(all, entry{path, types[typ.Name()].fields[f.Name], false})
		}
	}
	return all
}

func renderSource(t *testing.T, types map[string]commented) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Code generated from config.go by go test ./internal/config -run Documentation -update. DO NOT EDIT.\n\npackage config\n\n")
	b.WriteString("func docs() map[string]string {\n\treturn map[string]string{\n")
	for _, e := range entries(types, "", reflect.TypeFor[Config]()) {
		if !e.section {
			fmt.Fprintf(&b, "%q: %q,\n", e.path, e.doc)
		}
	}
	b.WriteString("}\n}\n")
	src, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

const pageHead = `<!-- Generated from internal/config/config.go by go test ./internal/config -run Documentation -update. Do not edit. -->
# Bootstrap configuration

` + "`cpm server -c cpm.yaml`" + ` reads one YAML file. It holds only what a CPM must know before it can open its database; FSPs,
keys, adapters, routes and grants are in the database (` + "`cpm apply -f`" + `).

- A variable of the environment overrides the file. One without a value counts as not set.
- A secret can also be given as a file: the variable's name with ` + "`_FILE`" + ` behind it holds the path. The line end at the end
  of that file is not part of the secret.
- Reading is strict: an unknown or repeated key, a wrong type, an alias, a second document and an unknown ` + "`CPM_*`" + ` variable
  are errors. Every problem is reported at once, a line each: path, what is wrong, what to write. ` + "`cpm config check -c cpm.yaml`" + `
  does this without starting anything, and ` + "`cpm config explain listen.probes`" + ` shows one key of this page.
- The names Kubernetes makes for a Service (` + "`CPM_SERVICE_HOST`, `CPM_PORT_7800_TCP`" + ` …) and those of the command line
  (` + "`CPM_ADDR CPM_CERT CPM_KEY CPM_CA CPM_TOKEN CPM_OUTPUT CPM_SOCKET`" + `,
  ` + "`CPM_COMMAND_URL CPM_TOKEN_FILE`" + `) are not taken for configuration.
- ` + "`<dataDir>`" + ` in a default stands for the value of dataDir; it is not a word to write.

The smallest file that starts:

` + "```yaml" + `
tls:
  cert: /etc/cpm/tls/cert.pem
  key: /etc/cpm/tls/key.pem
  clientCA: /etc/cpm/tls/clients.pem
riskAcceptance: # only while there is no hardware adapter
  by: Jane Doe, head of operations
  date: 2026-01-31
  text: software keys until the HSMs are delivered, decision 42
` + "```" + `
`

func renderPage(types map[string]commented) string {
	keys := map[string]Key{}
	for _, k := range Keys() {
		keys[k.Path] = k
	}
	var b strings.Builder
	b.WriteString(pageHead)
	for _, e := range entries(types, "", reflect.TypeFor[Config]()) {
		if e.section || !strings.Contains(e.path, ".") {
			fmt.Fprintf(&b, "\n## %s\n\n", e.path)
		} else {
			fmt.Fprintf(&b, "\n### %s\n\n", e.path)
		}
		b.WriteString(e.doc + "\n")
		if k, ok := keys[e.path]; ok {
			fmt.Fprintf(&b, "\n- type: %s\n- default: %s\n- variable: `%s`\n", k.Type, quoted(k.Default), k.Env)
			if k.EnvFile != "" {
				fmt.Fprintf(&b, "- or: `%s`, the path of a file that holds the value\n", k.EnvFile)
			}
		}
	}
	return b.String()
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return "`" + s + "`"
}
