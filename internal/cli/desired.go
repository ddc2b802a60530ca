package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of a report and of nesting in free values.
const (
	maxProblems = 100
	maxDepth    = 64
	maxSyntax   = 160
)

// desired turns the YAML or JSON text of a core.Document into its JSON.
func desired(text []byte) ([]byte, error) { return shaped(text, reflect.TypeFor[core.Document]()) }

// shaped turns the YAML or JSON text of a value of type t into its JSON. The shape is taken from the Go type; every
// unknown key and wrong type is reported, a line each: path (line): what is wrong: what to write.
func shaped(text []byte, t reflect.Type) ([]byte, error) {
	root, err := parseYAML(text, t)
	if err != nil {
		return nil, err
	}
	var r reading
	value := r.value("file", root, t)
	if err := r.report(); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// parseYAML gives the root of the one document in text.
func parseYAML(text []byte, t reflect.Type) (*yaml.Node, error) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		// JSON may be indented by tabs, and has none inside its texts; YAML takes none for indentation.
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	}
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, wrongUse("file: is empty: write at least one of %s", strings.Join(members(t), ", "))
	case err != nil:
		return nil, wrongUse("file: not YAML or JSON (%s): correct the line, or the one before it", syntax(err))
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, wrongUse("file: more than one YAML document: apply them one by one")
	}
	return doc.Content[0], nil
}

// syntax is the parser's message on one short line.
func syntax(err error) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.TrimPrefix(err.Error(), "yaml: "))
	return clean[:min(len(clean), maxSyntax)]
}

// reading collects what is wrong.
type reading struct{ problems []string }

func (r *reading) add(path string, n *yaml.Node, wrong, write string) any {
	r.problems = append(r.problems, fmt.Sprintf("%s (line %d): %s: %s", path, n.Line, wrong, write))
	return nil
}

func (r *reading) report() error {
	if len(r.problems) == 0 {
		return nil
	}
	shown := r.problems[:min(len(r.problems), maxProblems)]
	text := strings.Join(shown, "\n")
	if more := len(r.problems) - len(shown); more > 0 {
		text += fmt.Sprintf("\nand %d more: correct these first", more)
	}
	return fault.New(fault.Invalid, "%s", text)
}

// value reads a node as a value of type t and gives what json.Marshal makes the right JSON of.
func (r *reading) value(path string, n *yaml.Node, t reflect.Type) any {
	switch {
	case n.Kind == yaml.AliasNode:
		return r.add(path, n, "an alias", "write the value itself")
	case t == reflect.TypeFor[json.RawMessage]():
		return r.free(path, n, maxDepth)
	case isNull(n):
		return r.add(path, n, "no value", "write one, or [] for an empty list, or remove the line")
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return r.own(path, n, t)
	}
	switch t.Kind() { //nolint:exhaustive // the other kinds do not occur in a core.Document, which a test checks
	case reflect.Struct:
		return r.object(path, n, t)
	case reflect.Slice:
		return r.list(path, n, t.Elem())
	case reflect.Map:
		return r.dictionary(path, n, func(_, path string, n *yaml.Node) any { return r.value(path, n, t.Elem()) })
	case reflect.Bool:
		return r.flag(path, n)
	case reflect.Int:
		return r.number(path, n)
	}
	return r.text(path, n)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func (r *reading) object(path string, n *yaml.Node, t reflect.Type) any {
	return r.dictionary(path, n, func(name, at string, value *yaml.Node) any {
		for i := range t.NumField() {
			if memberName(t.Field(i)) == name {
				return r.value(at, value, t.Field(i).Type)
			}
		}
		return r.add(at, value, "unknown key", "remove it, or write one of "+strings.Join(members(t), ", "))
	})
}

// members lists the names a struct has in JSON.
func members(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, memberName(t.Field(i)))
	}
	return names
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// dictionary reads a mapping; each value is read by read, which is given its name and its path.
func (r *reading) dictionary(path string, n *yaml.Node, read func(name, path string, n *yaml.Node) any) any {
	if n.Kind != yaml.MappingNode {
		return r.add(path, n, "not a mapping", "write name: value lines")
	}
	prefix := path + "."
	if path == "file" {
		prefix = ""
	}
	all := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || !plain(key.Value) {
			r.add(path, key, "a key that is not a plain name", "write letters, digits and . _ - only")
			continue
		}
		if _, twice := all[key.Value]; twice {
			r.add(prefix+key.Value, key, "written twice", "remove one of the two")
			continue
		}
		all[key.Value] = read(key.Value, prefix+key.Value, n.Content[i+1])
	}
	return all
}

// plain keeps a name from the file fit for one line of a report.
func plain(name string) bool {
	const limit = 80
	return name != "" && len(name) <= limit && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("._-", c)
	})
}

func (r *reading) list(path string, n *yaml.Node, t reflect.Type) any {
	if n.Kind != yaml.SequenceNode {
		return r.add(path, n, "not a list", "write its elements below it, each after a dash")
	}
	all := make([]any, 0, len(n.Content))
	for i, element := range n.Content {
		all = append(all, r.value(fmt.Sprintf("%s[%d]", path, i), element, t))
	}
	return all
}

func (r *reading) flag(path string, n *yaml.Node) any {
	var b bool
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
		return r.add(path, n, "not a boolean", "write true or false")
	}
	return b
}

func (r *reading) number(path string, n *yaml.Node) any {
	var i int
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&i) != nil {
		return r.add(path, n, "not a whole number", "write one, such as 100")
	}
	return i
}

// text reads a text; a name that looks like a number may stand without quotes.
func (r *reading) text(path string, n *yaml.Node) any {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!binary" {
		return r.add(path, n, "not a text", "write a text, in quotes if it holds special characters")
	}
	return n.Value
}

// own reads a text of a type that reads itself, such as a duration.
func (r *reading) own(path string, n *yaml.Node, t reflect.Type) any {
	v, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	if !ok || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return r.add(path, n, "not a duration", "write one like 5m or 250ms")
	}
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		return r.add(path, n, "not readable", err.Error())
	}
	return n.Value
}

// free reads a value of any shape.
func (r *reading) free(path string, n *yaml.Node, depth int) any {
	switch {
	case depth == 0:
		return r.add(path, n, "nested too deep", "write it flatter")
	case n.Kind == yaml.MappingNode:
		return r.dictionary(path, n, func(_, path string, n *yaml.Node) any { return r.free(path, n, depth-1) })
	case n.Kind == yaml.SequenceNode:
		all := make([]any, 0, len(n.Content))
		for i, element := range n.Content {
			all = append(all, r.free(fmt.Sprintf("%s[%d]", path, i), element, depth-1))
		}
		return all
	case n.Kind != yaml.ScalarNode:
		return r.add(path, n, "an alias", "write the value itself")
	}
	switch n.ShortTag() {
	case "!!timestamp":
		return n.Value
	case "!!binary": // bytes are no text of JSON
		return r.add(path, n, "not a text", "write a text, in quotes if it holds special characters")
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return r.add(path, n, "not readable", "write a text in quotes, a number, true or false")
	}
	if _, err := json.Marshal(v); err != nil {
		return r.add(path, n, "not a number of JSON", "write a finite number, or a text in quotes")
	}
	return v
}
