package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file before it is parsed; a full one has 2 KiB.
const maxFile = 1 << 20

// maxSyntax bounds the parser's own words in a report.
const maxSyntax = 160

// origins tells where the value of a path was written, for the report.
type origins map[string]string

// decode reads a YAML file into c. It walks the document by itself because the library's strict mode names neither the
// path of an unknown key nor the key of a wrong value.
func decode(src []byte, c *Config) ([]problem, origins) {
	d := decoder{where: origins{}, leaves: leaves(c)}
	root, wrong := parse(src)
	if wrong != nil {
		return []problem{*wrong}, d.where
	}
	if root != nil {
		d.section("", root)
	}
	return d.problems, d.where
}

// parse gives the root of the one document; nil for a file without any.
func parse(src []byte) (*yaml.Node, *problem) {
	if len(src) > maxFile {
		return nil, &problem{"file", fmt.Sprintf("longer than %d bytes", maxFile), "write only the keys of this configuration"}
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(src))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, &problem{"file", "not YAML (" + syntax(err) + ")", "correct the line, or one beside it"}
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &problem{"file", "more than one YAML document", "remove the line --- and what follows it"}
	}
	return doc.Content[0], nil
}

// syntax is the parser's message on one short line, without the library's name.
func syntax(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.TrimPrefix(err.Error(), "yaml: "))
	return text[:min(len(text), maxSyntax)]
}

type decoder struct {
	problems []problem
	where    origins
	leaves   []leaf
}

func (d *decoder) add(path string, n *yaml.Node, wrong, write string) {
	d.problems = append(d.problems, problem{path, fmt.Sprintf("%s (line %d)", wrong, n.Line), write})
}

// section reads a mapping; prefix is its path with a dot behind it, or "" for the whole file.
func (d *decoder) section(prefix string, n *yaml.Node) {
	path := strings.TrimSuffix(prefix, ".")
	if path == "" {
		path = "file"
	}
	switch {
	case isNull(n):
		return // a section whose lines are all commented out
	case n.Kind != yaml.MappingNode || n.ShortTag() != "!!map":
		d.add(path, n, "not a section", "write its keys below it, each on a line as name: value")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		d.member(prefix, n.Content[i], n.Content[i+1], seen)
	}
}

func (d *decoder) member(prefix string, key, value *yaml.Node, seen map[string]bool) {
	path := prefix + plainName(key.Value)
	known := names(prefix)
	switch {
	case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || !slices.Contains(known, key.Value):
		d.add(path, key, "unknown key", "remove it, or write one of "+strings.Join(known, ", "))
		return
	case seen[key.Value]:
		d.add(path, key, "written twice", "remove one of the two")
		return
	}
	seen[key.Value] = true
	i := slices.IndexFunc(d.leaves, func(l leaf) bool { return l.path == path })
	if i < 0 {
		d.section(path+".", value)
		return
	}
	d.value(d.leaves[i], value)
}

func (d *decoder) value(l leaf, n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		d.add(l.path, n, "an alias", "write the value itself")
	case isNull(n):
		d.add(l.path, n, "no value", l.wanted()+", or remove the line")
	case n.Kind != yaml.ScalarNode || !l.takes(n.ShortTag()) || n.Decode(l.field.Addr().Interface()) != nil:
		d.add(l.path, n, "not a "+l.kind(), l.wanted())
	default:
		d.where[l.path] = fmt.Sprintf("line %d", n.Line)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
