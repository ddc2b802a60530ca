package canon_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/mojaloop/cpm/internal/canon"
)

// depth returns how deep the arrays and objects of valid JSON are nested.
func depth(src []byte) int {
	deepest, current := 0, 0
	decoder := json.NewDecoder(bytes.NewReader(src))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			current++
			deepest = max(deepest, current)
		case json.Delim('}'), json.Delim(']'):
			current--
		}
	}
}

// hasLongNumber finds what strconv, and so encoding/json, may misread: it loses
// the decimal point behind 800 digits.
func hasLongNumber(src []byte) bool {
	run := 0
	for _, c := range src {
		if run++; c < '0' || c > '9' {
			run = 0
		}
		if run >= 800 {
			return true
		}
	}
	return false
}

// checkForms checks what holds for every text: it is read if and only if
// encoding/json does, within our limits; the forms are fixed points of
// themselves; the sorted form does not depend on the order it is made from; and
// all mean the same.
func checkForms(t *testing.T, src []byte) {
	t.Helper()
	doc, err := canon.Parse(src)
	want := json.Valid(src) && utf8.Valid(src) && depth(src) <= canon.MaxDepth
	if (err == nil) != want {
		t.Fatalf("Parse(%.500q) = %v, but valid is %v", src, err, want)
	}
	if err != nil {
		checkSyntaxError(t, err, len(src))
		return
	}
	sorted, legacy := doc.AppendSorted(nil), doc.AppendLegacy(nil)
	fromSorted, fromLegacy := reparse(t, sorted), reparse(t, legacy)
	equal(t, "sorted(sorted)", fromSorted.AppendSorted(nil), sorted)
	equal(t, "legacy(legacy)", fromLegacy.AppendLegacy(nil), legacy)
	equal(t, "sorted(legacy)", fromLegacy.AppendSorted(nil), sorted)
	if doc.Ambiguous() == nil && !hasLongNumber(src) {
		sameMeaning(t, src, sorted)
		sameMeaning(t, src, legacy)
	}
	checkResidue(t, fromSorted)
	checkResidue(t, fromLegacy)
}

// checkResidue checks that only lone surrogates are left ambiguous by a form.
func checkResidue(t *testing.T, doc *canon.Document) {
	t.Helper()
	if err := doc.Ambiguous(); err != nil && !errors.Is(err, canon.ErrLoneSurrogate) {
		t.Errorf("a canonical form is ambiguous: %v", err)
	}
}

func reparse(t *testing.T, form []byte) *canon.Document {
	t.Helper()
	doc, err := canon.Parse(form)
	if err != nil {
		t.Fatalf("Parse(%.500q): %v", form, err)
	}
	return doc
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is %.500q, want %.500q", what, got, want)
	}
}

func sameMeaning(t *testing.T, a, b []byte) {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(x, y) { // cmp.Diff is too slow for the large ones
		t.Errorf("%.500q and %.500q differ", a, b)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Raw))
	}
	for _, test := range syntaxCases {
		if len(test.src) < 4096 { // mutating the large ones takes all the time
			f.Add([]byte(test.src))
		}
	}
	f.Fuzz(checkForms)
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "é😀\u2028", "\"\\/\b\t\n\f\r\x00\x1f\x7f", "\xff", "\xed\xa0\xbd", "\xed\xa0\xbd\xed\xb8\x80", "\xed\xb8\x80\xed\xa0\xbd", "\xed\xa0", "\xe2\x82"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := canon.AppendString(nil, s)
		doc := reparse(t, quoted)
		equal(t, "the form of a canonical string", doc.AppendSorted(nil), quoted)
		text, ok := textOf(quoted)
		if !ok {
			t.Fatalf("%q is not a string", quoted)
		}
		equal(t, "the string of its text", canon.AppendString(nil, text), quoted)
		if utf8.ValidString(s) && text != s {
			t.Errorf("%q is read as %q", s, text)
		}
	})
}

// textOf returns the text of a string by making it the only member of an object.
func textOf(quoted []byte) (string, bool) {
	doc, err := canon.Parse([]byte(`{"a":` + string(quoted) + `}`))
	if err != nil {
		return "", false
	}
	for _, value := range doc.Members() {
		return value.Text()
	}
	return "", false
}
