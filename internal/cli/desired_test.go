package cli

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestDesiredReadsYAMLAndJSONAlike(t *testing.T) {
	t.Parallel()
	want := `{"adapters":[{"kind":"ssm","name":"s","operations":["jws.sign"],"settings":{"deep":[1,2.5,true,null,"x","2026-01-31"]}}],` +
		`"fsps":[{"name":"123","policy":{"dateWindow":"5m","unprotectedDestination":true}}],"grants":[],` +
		`"settings":{"commonName":"cpm","keyOverlap":"1h"}}`
	for name, text := range map[string]string{
		"YAML": "settings: {commonName: cpm, keyOverlap: 1h}\n" +
			"fsps:\n- name: 123\n  policy:\n    dateWindow: 5m\n    unprotectedDestination: true\n" +
			"adapters:\n- name: s\n  kind: ssm\n  operations:\n  - jws.sign\n  settings:\n    deep: [1, 2.5, true, null, x, 2026-01-31]\n" +
			"grants: []\n",
		"JSON":           want,
		"JSON with tabs": strings.ReplaceAll(want, ",", ",\n\t\t"),
	} {
		got, err := desired([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		var d core.Document
		if err := json.Unmarshal(got, &d); err != nil {
			t.Errorf("%s: the core cannot read it: %v", name, err)
		}
	}
}

func TestDesiredNamesEveryMistake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown keys": {
			"fsp: []\nroutes:\n- {operatoin: x, fsp: '*'}\n",
			"fsp (line 1): unknown key: remove it, or write one of settings, fsps, adapters, routes, grants, groups, users, whitelist\n" +
				"routes[0].operatoin (line 3): unknown key: remove it, or write one of fsp, operation, adapter, disabled, timeout",
		},
		"a key with a dot is not the key behind the dot": {
			"x.fsps: []\n", "x.fsps (line 1): unknown key: remove it, or write one of settings, fsps, adapters, routes, grants, groups, users, whitelist",
		},
		"wrong shapes": {
			"settings: []\nfsps: {}\nadapters: x\nroutes:\n- disabled: 1\n- fsp: [a]\n- timeout: -5m\n- timeout: 5\n",
			"settings (line 1): not a mapping: write name: value lines\n" +
				"fsps (line 2): not a list: write its elements below it, each after a dash\n" +
				"adapters (line 3): not a list: write its elements below it, each after a dash\n" +
				"routes[0].disabled (line 5): not a boolean: write true or false\n" +
				"routes[1].fsp (line 6): not a text: write a text, in quotes if it holds special characters\n" +
				"routes[2].timeout (line 7): not readable: a duration is written like 5m or 250ms\n" +
				"routes[3].timeout (line 8): not a duration: write one like 5m or 250ms",
		},
		"nothing":        {"routes:\n", "routes (line 1): no value: write one, or [] for an empty list, or remove the line"},
		"twice":          {"fsps: []\nfsps: []\n", "fsps (line 2): written twice: remove one of the two"},
		"alias":          {"fsps: &a []\ngrants: *a\n", "grants (line 2): an alias: write the value itself"},
		"merge":          {"fsps: &a []\n<<: {}\n", "file (line 2): a key that is not a plain name: write letters, digits and . _ - only"},
		"strange key":    {"\"a\\u0007b\": 1\n", "file (line 1): a key that is not a plain name: write letters, digits and . _ - only"},
		"not a mapping":  {"- a\n", "file (line 1): not a mapping: write name: value lines"},
		"two documents":  {"fsps: []\n---\nfsps: []\n", "file: more than one YAML document: apply them one by one"},
		"empty":          {"# nothing\n", "file: is empty: write at least one of settings, fsps, adapters, routes, grants, groups, users, whitelist"},
		"not YAML":       {"fsps: [\n", "file: not YAML or JSON (line 1: did not find expected node content): correct the line, or the one before it"},
		"no JSON number": {"settings: {x: .inf}\n", "settings.x (line 1): not a number of JSON: write a finite number, or a text in quotes"},
		"alias inside":   {"settings: {x: [&a 1, *a]}\n", "settings.x[1] (line 1): an alias: write the value itself"},
		"too deep":       {"settings: {x: " + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "}\n", "settings.x" + strings.Repeat("[0]", 64) + " (line 1): nested too deep: write it flatter"},
	} {
		_, err := desired([]byte(c.text))
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, e.Public); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDesiredBoundsItsReport(t *testing.T) {
	t.Parallel()
	_, err := desired([]byte("fsps:\n" + strings.Repeat("- {nam: x}\n", 150)))
	e := fault.From(err)
	if lines := strings.Split(e.Public, "\n"); len(lines) != 101 || lines[100] != "and 50 more: correct these first" {
		t.Errorf("%d lines: %s", len(lines), e.Public[max(0, len(e.Public)-100):])
	}
}

// TestDesiredKnowsEveryTypeOfADocument: a type that value does not know would be read as a text.
func TestDesiredKnowsEveryTypeOfADocument(t *testing.T) {
	t.Parallel()
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		switch {
		case typ == reflect.TypeFor[json.RawMessage](), typ == reflect.TypeFor[core.Duration](), typ.Kind() == reflect.String, typ.Kind() == reflect.Bool, typ.Kind() == reflect.Int:
		case typ.Kind() == reflect.Slice, typ.Kind() == reflect.Map:
			walk(path, typ.Elem())
		case typ.Kind() == reflect.Struct:
			for i := range typ.NumField() {
				walk(path+"."+memberName(typ.Field(i)), typ.Field(i).Type)
			}
		default:
			t.Errorf("%s has the type %v, which desired does not know", path, typ)
		}
	}
	walk("document", reflect.TypeFor[core.Document]())
}

// FuzzDesired: whatever is taken is JSON that says the same when it is read again.
func FuzzDesired(f *testing.F) {
	for _, seed := range []string{
		"fsps:\n- name: a\n  policy: {forms: [raw]}\n", `{"settings":{"x":{"y":[1e3,-0.5,"\u00e9"]}}}`, "routes: []\n", "settings: {a: 0x1F, b: 1_000, c: 0o17, d: ~}\n",
		"settings: {a: !!binary aGk=}\n", "settings: {a: !!binary G+k=}\n", "settings: {a: !!str 5}\n", "settings: {<<: {}}\n", "grants: [{principal: 'x', fsp: '*', operations: ['*']}]\n", "a: &a [*a]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := desired(text)
		if err != nil {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Invalid {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		second, err := desired(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if string(first) != string(second) {
			t.Fatalf("%s became %s", first, second)
		}
	})
}
