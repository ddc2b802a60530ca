package canon_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
)

type member struct {
	Name   string
	Kind   canon.Kind
	Raw    string
	Text   string
	IsText bool
}

func members(doc *canon.Document) []member {
	var all []member
	for name, value := range doc.Members() {
		text, ok := value.Text()
		all = append(all, member{name, value.Kind(), string(value.Raw()), text, ok})
	}
	return all
}

func TestMembersAreYieldedInSourceOrder(t *testing.T) {
	t.Parallel()
	doc := parse(t, ` {"z":"x\u00e9\n😀", "10" : {"b":1, "a":"q"},"9":[ 1 ],"n":-1.50,"t":true,"f":false,"\u0061":null,"z":"","e":"\ud83d"}`)
	want := []member{
		{"z", canon.String, `"x\u00e9\n😀"`, "xé\n😀", true},
		{"10", canon.Object, `{"b":1, "a":"q"}`, "", false},
		{"9", canon.Array, `[ 1 ]`, "", false},
		{"n", canon.Number, `-1.50`, "", false},
		{"t", canon.True, `true`, "", false},
		{"f", canon.False, `false`, "", false},
		{"a", canon.Null, `null`, "", false},
		{"z", canon.String, `""`, "", true},
		{"e", canon.String, `"\ud83d"`, "\xed\xa0\xbd", true},
	}
	if diff := cmp.Diff(want, members(doc)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !doc.IsObject() {
		t.Error("IsObject is false")
	}
}

func TestMembersEndWhenTheLoopDoes(t *testing.T) {
	t.Parallel()
	for name := range parse(t, `{"a":1,"b":2}`).Members() {
		if name != "a" {
			t.Errorf("yielded %q", name)
		}
		break
	}
}

func TestOnlyObjectsHaveMembers(t *testing.T) {
	t.Parallel()
	for _, src := range []string{`[{"a":1}]`, `"a"`, `1`, `null`} {
		doc := parse(t, src)
		if doc.IsObject() || members(doc) != nil {
			t.Errorf("%s has members", src)
		}
	}
	if doc := parse(t, `{}`); !doc.IsObject() || members(doc) != nil {
		t.Error("{} is no object, or has members")
	}
}

func TestZeroValueIsNothing(t *testing.T) {
	t.Parallel()
	var v canon.Value
	if _, ok := v.Text(); ok || v.Kind() != 0 || v.Raw() != nil {
		t.Error("the zero Value is something")
	}
}

func TestAppendStringEscapesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"", `""`},
		{"plain", `"plain"`},
		{"\x00\x07\b\t\n\v\f\r\x1f", `"\u0000\u0007\b\t\n\u000b\f\r\u001f"`},
		{`"quoted\"`, `"\"quoted\\\""`},
		{"/<>&\x7f\u2028\u2029é😀\ufffd", "\"/<>&\x7f\u2028\u2029é😀\ufffd\""},
		{"a\xffb", "\"a\ufffdb\""},
		{"a\xe2\x82", "\"a\ufffd\ufffd\""},
		{"a\xed\xa0\xbdb\xed\xb8\x80", `"a\ud83db\ude00"`},
		{"\xed\xa0\xbd\xed\xb8\x80", `"😀"`},
		{"\xed\xa0", "\"\ufffd\ufffd\""},
	}
	for _, test := range tests {
		if got := string(canon.AppendString([]byte("x"), test.text)); got != "x"+test.want {
			t.Errorf("AppendString(%q) = %s, want %s", test.text, got[1:], test.want)
		}
	}
}

func TestNestedValuesAreFound(t *testing.T) {
	t.Parallel()
	const text = ` {"z":1,"a":{"q\u0020":[ true, {"b":"x"},[] ],"c":{"b":2}},"d":{"e":1,"e":2,"f":3}} `
	doc := parse(t, text)
	a, _ := doc.Root().Member("a")
	q, ok := a.Member("q ")
	if start, end := q.Span(); !ok || text[start:end] != `[ true, {"b":"x"},[] ]` || string(q.Raw()) != text[start:end] {
		t.Errorf("found %q", q.Raw())
	}
	var elements []string
	for e := range q.Elements() {
		elements = append(elements, string(e.Raw()))
	}
	if diff := cmp.Diff([]string{"true", `{"b":"x"}`, "[]"}, elements); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	for range q.Elements() {
		break
	}
	if c, _ := a.Member("c"); string(c.Raw()) != `{"b":2}` {
		t.Errorf("found %q", c.Raw())
	}
}

func TestAMemberThatIsNotThereOrNotAloneIsNotFound(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"d":{"e":1,"e":2,"f":3},"s":"e","l":["e"]}`)
	for _, path := range [][]string{{"x"}, {"d", "e"}, {"d", "f"}, {"s", "e"}, {"l", "0"}, {""}} {
		v, ok := doc.Root(), true
		for _, name := range path {
			v, ok = v.Member(name)
		}
		if start, end := v.Span(); ok || v.Kind() != 0 || v.Raw() != nil || start != 0 || end != 0 {
			t.Errorf("%q: found %q", path, v.Raw())
		}
	}
	for v := range doc.Root().Elements() {
		t.Errorf("an object has the element %q", v.Raw())
	}
}

func TestOnlyNumbersAreClearOnceCopied(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`{"n":1e400,"m":9007199254740993}`: nil,
		`{"n":1e400,"a":1,"a":2}`:          canon.ErrDuplicateMember,
		`[1e400,"\ud800"]`:                 canon.ErrLoneSurrogate,
		`{"a":1}`:                          nil,
	} {
		if got := parse(t, text).AmbiguousCopied(); !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
