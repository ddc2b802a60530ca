package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/spec"
)

// logged is what the source says of an event: who logs it, and at which levels. A code made of a known and an unknown part
// has * for the unknown one.
type logged struct {
	rooms, levels map[string]bool
	open          bool // a level is decided at run time
}

// docs/events.md has a row for each event the product logs, with the levels and packages of the source, and no other row.
func TestTheDocumentHasEveryEvent(t *testing.T) {
	t.Parallel()
	found, problems := eventsOf(load(t))
	for _, p := range problems {
		t.Error(p)
	}
	for _, p := range compareEvents(found, documentedEvents(t)) {
		t.Error(p)
	}
}

// A rule that reads a syntax tree is only as good as the forms it knows.
func TestTheEventRuleSeesWhatItShould(t *testing.T) {
	t.Parallel()
	file, err := parse(module+"/internal/core", "a.go", []byte(`package core
import ("log/slog"; "github.com/mojaloop/cpm/internal/obs")
const away = "database.away"
func (c *Core) one() { c.log.LogAttrs(ctx, slog.LevelWarn, "m", obs.Event("a.one"), obs.Err(err)) }
func (c *Core) two() { c.log.LogAttrs(ctx, obs.LevelAudit, "m", append(attrs, obs.Event("a." + x))...) }
func (c *Core) three(x string) { c.log.LogAttrs(ctx, level(x), "m", obs.Event(x + ".three")) }
func (c *Core) attrs(event string) []slog.Attr { return []slog.Attr{obs.Event(event)} }
func (c *Core) four() { c.log.LogAttrs(ctx, slog.LevelError, "m", c.attrs(away)...) }
func (c *Core) six() { c.say2(ctx, slog.LevelDebug, "a.six") }
func (c *Core) say2(ctx context.Context, level slog.Level, event string) { c.log.LogAttrs(ctx, level, "m", obs.Event(event)) }
func (c *Core) five() { c.log.LogAttrs(ctx, slog.LevelError, "m", obs.Event(c.code())) }
`))
	if err != nil {
		t.Fatal(err)
	}
	found, problems := eventsOf([]source{file})
	var got []string
	for code, l := range found {
		got = append(got, fmt.Sprint(code, sorted(l.levels), l.open))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"*.three[] true", "a.*[audit] false", "a.one[warn] false", "a.six[debug] false", "database.away[error] false"}, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || !strings.HasPrefix(problems[0], "core/a.go:11: ") {
		t.Errorf("a code that cannot be read: %q", problems)
	}
	for _, p := range compareEvents(found, map[string]row{
		"b.three": {"info", "core"}, "a.six": {"debug", "core"}, "a.one": {"warn", "core"}, "a.two": {"audit", "core"}, "database.away": {"error", "core"},
	}) {
		t.Error(p)
	}
	wrong := compareEvents(found, map[string]row{"a.one": {"info, warn", "core"}, "a.two": {"audit", "api"}, "c": {"warn", "core"}})
	if len(wrong) != 6 { // a level too many, another package, an event nobody logs, and three of the source without a row
		t.Errorf("differences: %q", wrong)
	}
}

// row is what the document says of an event: its levels and its packages, each separated by commas.
type row struct{ levels, rooms string }

func documentedEvents(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("an event has code, level, package, meaning and specification, not %q", line)
			continue
		}
		code := strings.Trim(strings.TrimSpace(cells[0]), "`")
		checkSteps(t, code, cells[4])
		if _, twice := rows[code]; twice {
			t.Errorf("%s has two rows", code)
		}
		rows[code] = row{cells[1], cells[2]}
	}
	return rows
}

// checkSteps wants the steps of the specification by the ids the conformance list has: "ID, ID: words".
func checkSteps(t *testing.T, code, cell string) {
	t.Helper()
	ids, _, _ := strings.Cut(strings.TrimSpace(cell), ": ")
	for id := range strings.SplitSeq(ids, ", ") {
		if id != "" && !slices.ContainsFunc(spec.Steps(), func(s spec.Step) bool { return s.ID == id }) {
			t.Errorf("%s: the specification has no step %q", code, id)
		}
	}
}

// compareEvents says how source and document differ.
func compareEvents(found map[string]*logged, rows map[string]row) []string {
	var problems []string
	for _, code := range slices.Sorted(maps.Keys(rows)) {
		problems = append(problems, compareEvent(found, code, rows[code])...)
	}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(rows)), func(c string) bool { return isOf(code, c) }) {
			problems = append(problems, fmt.Sprintf("docs/events.md has no row for %s of %v at %v", code, sorted(found[code].rooms), sorted(found[code].levels)))
		}
	}
	return problems
}

func compareEvent(found map[string]*logged, code string, r row) []string {
	all := &logged{rooms: map[string]bool{}, levels: map[string]bool{}}
	for pattern, l := range found {
		if isOf(pattern, code) && (pattern == code || found[code] == nil) {
			maps.Copy(all.rooms, l.rooms)
			maps.Copy(all.levels, l.levels)
			all.open = all.open || l.open
		}
	}
	levels := strings.Split(r.levels, ", ")
	slices.Sort(levels)
	switch {
	case len(all.rooms) == 0:
		return []string{fmt.Sprintf("nobody logs %s of docs/events.md", code)}
	case strings.Join(sorted(all.rooms), ", ") != r.rooms:
		return []string{fmt.Sprintf("%s is logged by %v, not %s", code, sorted(all.rooms), r.rooms)}
	case all.open && !contains(levels, sorted(all.levels)), !all.open && !slices.Equal(levels, sorted(all.levels)):
		return []string{fmt.Sprintf("%s is logged at the levels %v, not %s", code, sorted(all.levels), r.levels)}
	}
	return nil
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func isOf(pattern, code string) bool {
	ok, err := path.Match(pattern, code)
	return ok && err == nil
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// eventReader collects the events of one package.
type eventReader struct {
	found     map[string]*logged
	problems  []string
	constants map[string]string      // of the package
	carriers  map[string]int         // functions that log the event they are given: its place among the arguments
	handed    map[*ast.CallExpr]bool // the calls of obs.Event in them; their callers say what it is
}

// eventsOf reads the codes that product files give to obs.Event.
func eventsOf(files []source) (map[string]*logged, []string) {
	rooms := map[string][]source{}
	for _, f := range files {
		if !f.test {
			rooms[f.room] = append(rooms[f.room], f)
		}
	}
	r := &eventReader{found: map[string]*logged{}}
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		r.constants, r.carriers, r.handed = constantsOf(rooms[name]), map[string]int{}, map[*ast.CallExpr]bool{}
		for _, f := range rooms[name] {
			r.carry(f)
		}
		for _, f := range rooms[name] {
			r.read(f)
		}
	}
	return r.found, r.problems
}

// constantsOf reads the texts that a package gives a name.
func constantsOf(files []source) map[string]string {
	all := map[string]string{}
	for _, f := range files {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			for i := 0; ok && i < len(v.Names) && i < len(v.Values); i++ {
				if text, isText := textOf(v.Values[i]); isText {
					all[v.Names[i].Name] = text
				}
			}
			return true
		})
	}
	return all
}

// textOf is the value of a literal.
func textOf(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// carry finds the functions that hand an argument of theirs to obs.Event.
func (r *eventReader) carry(f source) {
	for _, d := range f.tree.Decls {
		function, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(function, func(n ast.Node) bool {
			call, isCall := n.(*ast.CallExpr)
			if !isCall || !isEvent(call) {
				return true
			}
			if name, isName := call.Args[0].(*ast.Ident); isName {
				if place := slices.Index(parameters(function), name.Name); place >= 0 {
					r.carriers[function.Name.Name], r.handed[call] = place, true
				}
			}
			return true
		})
	}
}

func parameters(f *ast.FuncDecl) []string {
	var names []string
	for _, field := range f.Type.Params.List {
		for _, n := range field.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// read collects the codes of a file, each with the level of the call of the logger around it.
func (r *eventReader) read(f source) {
	var around []ast.Node
	ast.Inspect(f.tree, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		around = append(around, n)
		if call, ok := n.(*ast.CallExpr); ok {
			if code, here := r.codeOf(call); here {
				r.add(f, call, code, r.levelAround(around))
			}
		}
		return true
	})
}

// codeOf is the code a call logs; empty if it cannot be told.
func (r *eventReader) codeOf(call *ast.CallExpr) (code string, here bool) {
	if isEvent(call) {
		return r.eval(call.Args[0]), !r.handed[call]
	}
	place, ok := r.carriers[called(call)]
	if !ok || place >= len(call.Args) {
		return "", false
	}
	return r.eval(call.Args[place]), true
}

func (r *eventReader) eval(e ast.Expr) string {
	if text, ok := textOf(e); ok {
		return text
	}
	switch e := e.(type) {
	case *ast.Ident:
		return r.constants[e.Name]
	case *ast.BinaryExpr:
		if left, ok := textOf(e.X); ok {
			return left + "*"
		}
		if right, ok := textOf(e.Y); ok {
			return "*" + right
		}
	}
	return ""
}

func (r *eventReader) add(f source, call *ast.CallExpr, code, level string) {
	if code == "" {
		r.problems = append(r.problems, fmt.Sprintf("%s: the code of an event is a literal, a constant, or a literal and one part more", f.at(f.line(call.Pos()))))
		return
	}
	l := r.found[code]
	if l == nil {
		l = &logged{rooms: map[string]bool{}, levels: map[string]bool{}}
		r.found[code] = l
	}
	l.rooms[f.room] = true
	if level == "" {
		l.open = true
		return
	}
	l.levels[level] = true
}

// levelAround is the level of the innermost call of LogAttrs, or of a function of this package like it, if it stands there
// as a name.
func (r *eventReader) levelAround(around []ast.Node) string {
	for _, n := range slices.Backward(around) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			continue
		}
		level, named := call.Args[1].(*ast.SelectorExpr)
		name, isLevel := "", false
		if named {
			name, isLevel = strings.CutPrefix(level.Sel.Name, "Level")
		}
		_, carrier := r.carriers[called(call)]
		if isLevel && (carrier || called(call) == "LogAttrs") {
			return strings.ToLower(name)
		}
		if called(call) == "LogAttrs" {
			return ""
		}
	}
	return ""
}

func isEvent(call *ast.CallExpr) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Event" || len(call.Args) != 1 {
		return false
	}
	from, ok := s.X.(*ast.Ident)
	return ok && from.Name == "obs"
}

// called is the name of the function or method a call names.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// Whoever is woken by an event of level error finds it in the runbook, and no entry there is about an event nobody logs.
func TestTheRunbookHasEveryEventOfLevelError(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, entries := documentedEvents(t), map[string]bool{}
	for line := range strings.Lines(string(text)) {
		heading, ok := strings.CutPrefix(strings.TrimSpace(line), "### ")
		if !ok {
			continue
		}
		for code := range strings.SplitSeq(heading, ", ") {
			code = strings.Trim(code, "`")
			if entries[code] {
				t.Errorf("%s has two entries", code)
			}
			entries[code] = true
			if _, known := rows[code]; !known {
				t.Errorf("docs/events.md does not have %s", code)
			}
		}
	}
	for code, r := range rows {
		if strings.Contains(r.levels, "error") && !entries[code] {
			t.Errorf("docs/runbook.md has no entry for %s", code)
		}
	}
}
