package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Key describes one key of the configuration.
type Key struct {
	// Path is the key's place in the file, its names joined by dots.
	Path string `json:"path"`
	// Type is what to write: text, number, boolean or duration.
	Type string `json:"type"`
	// Default is the value in force when nothing is written, in the form it would be written in; "" is none.
	Default string `json:"default"`
	// Env is the variable that overrides the file.
	Env string `json:"env"`
	// EnvFile is the variable that names a file holding the value; only secrets have one.
	EnvFile string `json:"envFile,omitempty"`
	// Doc is what the key means.
	Doc string `json:"doc"`
}

// Keys lists every key in the order of the file.
func Keys() []Key {
	var (
		all []Key
		d   = Default()
		doc = docs()
	)
	for _, l := range leaves(&d) {
		k := Key{Path: l.path, Type: l.kind(), Default: l.preset, Env: l.env, EnvFile: l.envFile(), Doc: doc[l.path]}
		if k.Default == "" {
			k.Default = l.text()
		}
		all = append(all, k)
	}
	return all
}

// Explain describes the key at a path or with a variable's name, or every key of a section; false when there is none.
func Explain(path string) (string, bool) {
	var b strings.Builder
	for _, k := range Keys() {
		if k.answers(path) {
			k.explain(&b)
		}
	}
	return b.String(), b.Len() > 0
}

// answers says whether name is the key's path, its section or one of its variables.
func (k Key) answers(name string) bool {
	return name != "" && (k.Path == name || k.Env == name || k.EnvFile == name || strings.HasPrefix(k.Path, name+"."))
}

func (k Key) explain(b *strings.Builder) {
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(k.Path + "\n" + wrap(k.Doc))
	fmt.Fprintf(b, "  type:     %s\n  default:  %s\n  variable: %s\n", k.Type, k.orNone(), k.Env)
	if k.EnvFile != "" {
		fmt.Fprintf(b, "  or:       %s, the path of a file that holds the value\n", k.EnvFile)
	}
}

// wrap breaks a text into indented lines of at most 96 characters.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString("  ")
		case column+len(word) > 94:
			b.WriteString("\n  ")
			column = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	b.WriteByte('\n')
	return b.String()
}

func (k Key) orNone() string {
	if k.Default == "" {
		return "none"
	}
	return k.Default
}

// leaf is one key together with its field in a Config.
type leaf struct {
	path   string
	env    string
	preset string // the default in words, where it follows from another key
	field  reflect.Value
}

// leaves walks the struct in the order of its fields; the tags are the schema.
func leaves(c *Config) []leaf { return walk(nil, "", reflect.ValueOf(c).Elem()) }

func walk(all []leaf, prefix string, v reflect.Value) []leaf {
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, field := f.Tag.Get("yaml"), v.FieldByIndex(f.Index)
		switch {
		case name == "-":
		case field.Kind() == reflect.Struct:
			all = walk(all, prefix+name+".", field)
		default:
			all = append(all, leaf{path: prefix + name, env: f.Tag.Get("env"), preset: f.Tag.Get("default"), field: field})
		}
	}
	return all
}

func (l leaf) secret() bool { return l.field.Type() == reflect.TypeFor[Secret]() }

func (l leaf) envFile() string {
	if !l.secret() {
		return ""
	}
	return l.env + "_FILE"
}

// text is the value in the form it would be written in, with secrets hidden.
func (l leaf) text() string {
	if l.field.IsZero() && l.field.Kind() == reflect.String {
		return ""
	}
	return fmt.Sprint(l.field.Interface())
}

func (l leaf) kind() string {
	switch {
	case l.field.Type() == reflect.TypeFor[time.Duration]():
		return "duration"
	case l.field.CanInt():
		return "number"
	case l.field.Kind() == reflect.Bool:
		return "boolean"
	}
	return "text"
}

// takes says whether a YAML scalar with this tag may stand for the leaf. The library alone would cut 1.5 to 1 and take
// yes for true. A text may be written without quotes, whatever it looks like.
func (l leaf) takes(tag string) bool {
	switch l.kind() {
	case "number":
		return tag == "!!int"
	case "boolean":
		return tag == "!!bool"
	case "duration":
		return tag == "!!str"
	}
	return slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, tag)
}

// wanted says what to write for the leaf's type.
func (l leaf) wanted() string {
	switch l.kind() {
	case "duration":
		return "write a duration such as 500ms, 2s or 1m30s"
	case "number":
		return "write a whole number"
	case "boolean":
		return "write true or false"
	}
	return "write a text, in quotes if it holds special characters"
}

// names lists what may stand directly below a section, "" being the whole file.
func names(section string) []string {
	var (
		all []string
		c   Config
	)
	for _, l := range leaves(&c) {
		rest, ok := strings.CutPrefix(l.path, section)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
