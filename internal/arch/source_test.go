package arch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mojaloop/cpm"

// source is one parsed Go file of the repository.
type source struct {
	room string // the package, see roomOf
	name string // room and file name, as shown to the reader
	test bool   // a _test.go file
	fset *token.FileSet
	tree *ast.File
}

// listed is the part of `go list -json` that is read here.
type listed struct {
	ImportPath, Dir string

	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

// load parses every Go file of the module's packages. Files which build constraints switch off here
// are read as well: an arrow that only another platform has is an arrow all the same. (A package
// none of whose files builds here is not listed; such a package needs a stub.)
func load(t *testing.T) []source {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var files []source
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return files
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		files = append(files, p.parse(t)...)
	}
}

func (p listed) parse(t *testing.T) []source {
	t.Helper()
	var files []source
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue // the go command never builds these; editors leave them behind
		}
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parse(p.ImportPath, name, text)
		if err != nil {
			t.Errorf("%s/%s cannot be read: %v", roomOf(p.ImportPath), name, err)
			continue
		}
		files = append(files, f)
	}
	return files
}

// parse reads one file of the package with this import path.
func parse(importPath, name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	room := roomOf(importPath)
	return source{room: room, name: room + "/" + name, test: strings.HasSuffix(name, "_test.go"), fset: fset, tree: tree}, nil
}

// roomOf shortens an import path of this module to the name the house uses: internal/ is left out.
func roomOf(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module+"/"), "internal/")
}

// ours keeps the imports that belong to this module, as rooms.
func ours(imports []string) []string {
	var rooms []string
	for _, path := range imports {
		if strings.HasPrefix(path, module+"/") {
			rooms = append(rooms, roomOf(path))
		}
	}
	return rooms
}

// imports lists the paths a file imports.
func (f source) imports() []string {
	var paths []string
	for _, spec := range f.tree.Imports {
		paths = append(paths, importPath(spec))
	}
	return paths
}

func importPath(spec *ast.ImportSpec) string {
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return path
}

// selected lists every use of a name from an imported package, such as {context, Background},
// whether it is called or passed on.
func (f source) selected(yield func(use use)) {
	names := map[string]string{}
	for _, spec := range f.tree.Imports {
		path := importPath(spec)
		local := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = path
	}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && names[id.Name] != "" {
			yield(use{path: names[id.Name], name: sel.Sel.Name, line: f.line(sel.Pos())})
		}
		return true
	})
}

// use is one mention of an imported name.
type use struct {
	path, name string
	line       int
}

func (u use) String() string { return u.path + "." + u.name }

func (f source) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// at names a place in the file.
func (f source) at(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

// byRoom groups the imports of product files by the package they stand in, in stable order.
func byRoom(files []source) []room {
	found := map[string][]string{}
	for _, f := range files {
		var imports []string // none from tests, yet a package of tests alone needs a room too
		if !f.test {
			imports = ours(f.imports())
		}
		found[f.room] = append(found[f.room], imports...)
	}
	rooms := make([]room, 0, len(found))
	for name, imports := range found {
		slices.Sort(imports)
		rooms = append(rooms, room{name: name, imports: slices.Compact(imports)})
	}
	slices.SortFunc(rooms, func(a, b room) int { return cmp.Compare(a.name, b.name) })
	return rooms
}

// room is one package with what its product files import of this module.
type room struct {
	name    string
	imports []string
}
