package canon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
)

func parse(t testing.TB, src string) *canon.Document {
	t.Helper()
	doc, err := canon.Parse([]byte(src))
	if err != nil {
		t.Fatalf("Parse(%.200q): %v", src, err)
	}
	return doc
}

func sorted(t testing.TB, src string) string {
	t.Helper()
	return string(parse(t, src).AppendSorted(nil))
}

func legacy(t testing.TB, src string) string {
	t.Helper()
	return string(parse(t, src).AppendLegacy(nil))
}

func TestFormsFollowEachRule(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, raw, sorted, legacy string }{
		{"members sort at every level", `{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}`, `{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}`},
		{"array indices sort as strings or numbers", `{"10":1,"9":2,"a":0}`, `{"10":1,"9":2,"a":0}`, `{"9":2,"10":1,"a":0}`},
		{"array indices come first", `{"b":1,"2":2,"a":3,"1":4}`, `{"1":4,"2":2,"a":3,"b":1}`, `{"1":4,"2":2,"b":1,"a":3}`},
		{"array indices end at 2^32-2", `{"4294967295":1,"4294967294":2,"4294967296":3}`, `{"4294967294":2,"4294967295":1,"4294967296":3}`, `{"4294967294":2,"4294967295":1,"4294967296":3}`},
		{"other spellings are no indices", `{"01":1,"-1":2,"1.0":3,"1":4}`, `{"-1":2,"01":1,"1":4,"1.0":3}`, `{"1":4,"01":1,"-1":2,"1.0":3}`},
		{"U+1F600 sorts before U+FB00", "{\"\ufb00\":1,\"\U0001f600\":2}", "{\"\U0001f600\":2,\"\ufb00\":1}", "{\"\ufb00\":1,\"\U0001f600\":2}"},
		{"lone surrogates sort as units", `{"\ud83e":1,"😀":2,"\ud83d":3,"\ud83dz":4}`, `{"\ud83d":3,"\ud83dz":4,"😀":2,"\ud83e":1}`, `{"\ud83e":1,"😀":2,"\ud83d":3,"\ud83dz":4}`},
		{"no white space", " { \"a\" :\t[ 1 ,\r\n2 ] } ", `{"a":[1,2]}`, `{"a":[1,2]}`},
		{"arrays keep order", `[3,1,2]`, `[3,1,2]`, `[3,1,2]`},
		{"short escapes", `"\u0008\u0009\u000A\u000c\u000d\u0022\u005c"`, `"\b\t\n\f\r\"\\"`, `"\b\t\n\f\r\"\\"`},
		{"other controls in lower case", `"\u0000\u000B\u001F"`, `"\u0000\u000b\u001f"`, `"\u0000\u000b\u001f"`},
		{"nothing else is escaped", `"\/\u003c\u003e\u0026\u007f\u2028\u2029\u00e9\ud83d\ude00"`, "\"/<>&\x7f\u2028\u2029é😀\"", "\"/<>&\x7f\u2028\u2029é😀\""},
		{"a lone surrogate stays an escape", `"\uD83D\uDE00\uD83D"`, `"😀\ud83d"`, `"😀\ud83d"`},
		{"numbers", `[1.0,1e2,-0,1e21,123456789012345678901,1e-7,0.1]`, `[1,100,0,1e+21,123456789012345680000,1e-7,0.1]`, `[1,100,0,1e+21,123456789012345680000,1e-7,0.1]`},
		{"beyond the doubles", `[1e400,-1e400,1e-400,-1e-400]`, `[null,null,0,0]`, `[null,null,0,0]`},
		{"last of equal names", `{"z":1,"a":2,"z":3}`, `{"a":2,"z":3}`, `{"z":3,"a":2}`},
		{"equal after decoding", `{"b":0,"a":1,"\u0061":2}`, `{"a":2,"b":0}`, `{"b":0,"a":2}`},
		{"equal ones among indices", `{"b":1,"2":2,"b":3,"1":4,"2":5}`, `{"1":4,"2":5,"b":3}`, `{"1":4,"2":5,"b":3}`},
		{"equal ones at every level", `[{"a":{"x":1},"a":{"y":1,"y":2}}]`, `[{"a":{"y":2}}]`, `[{"a":{"y":2}}]`},
		{"literals", `[null,true,false]`, `[null,true,false]`, `[null,true,false]`},
		{"__proto__ is a name", `{"b":1,"__proto__":2}`, `{"__proto__":2,"b":1}`, `{"b":1,"__proto__":2}`},
		{"empty values", `{"b":{},"a":[],"":""}`, `{"":"","a":[],"b":{}}`, `{"b":{},"a":[],"":""}`},
		{"members of RFC 8785 3.2.3", `{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`, "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}", "{\"1\":4,\"€\":1,\"\\r\":2,\"\ufb33\":3,\"😀\":5,\"\u0080\":6,\"ö\":7}"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.sorted, sorted(t, test.raw)); diff != "" {
				t.Errorf("sorted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.legacy, legacy(t, test.raw)); diff != "" {
				t.Errorf("legacy (-want +got):\n%s", diff)
			}
		})
	}
}

// vector is what the real libraries make of a raw text.
type vector struct{ Raw, Sorted, Legacy string }

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 400 {
		t.Fatalf("%d vectors, want at least 400", len(all))
	}
	return all
}

func TestFormsEqualTheReferenceLibraries(t *testing.T) {
	t.Parallel()
	for i, v := range vectors(t) {
		if diff := cmp.Diff(v, vector{v.Raw, sorted(t, v.Raw), legacy(t, v.Raw)}); diff != "" {
			t.Errorf("vector %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFormsAreAppended(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"b":1, "a":2}`)
	if got := string(doc.AppendLegacy(doc.AppendSorted([]byte("x")))); got != `x{"a":2,"b":1}{"b":1,"a":2}` {
		t.Errorf("got %s", got)
	}
}

func TestAmbiguousTextsAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want error
	}{
		{`{"a":1,"b":[1,2],"c":{"a":1}}`, nil},
		{`{"b":1,"a":2}`, nil},
		{`[{"a":1},{"a":1}]`, nil},
		{`[0.1,1.0,1e2,-0,-0.0e9,0.10,12.5e-8,1e22,5e-324,1e300,123456789012345680000,1000000000000000128e-3]`, canon.ErrLossyNumber},
		{`[0.1,1.0,1e2,-0,-0.0e9,0.10,12.5e-8,1e22,5e-324,1e300,123456789012345680000,9007199254740993e0]`, canon.ErrLossyNumber},
		{`[0.1,1.0,1e2,-0,-0.0e9,0.10,12.5e-8,1e22,5e-324,1e300,123456789012345680000]`, nil},
		{`123456789012345678901`, canon.ErrLossyNumber},
		{`0.1000000000000000055`, canon.ErrLossyNumber},
		{`1e400`, canon.ErrLossyNumber},
		{`-1e-400`, canon.ErrLossyNumber},
		{`{"a":1,"a":1}`, canon.ErrDuplicateMember},
		{`{"a":1,"b":2,"\u0061":1}`, canon.ErrDuplicateMember},
		{`{"😀":1,"\ud83d\ude00":2}`, canon.ErrDuplicateMember},
		{`[[{"x":{"b":1,"a":1,"b":1}}]]`, canon.ErrDuplicateMember},
		{`{"\ud800":1,"\uD800":2}`, canon.ErrDuplicateMember},
		{`"\ud83d\ude00"`, nil},
		{`"\ude00\ud83d"`, canon.ErrLoneSurrogate},
		{`"\\ud83d"`, nil},
		{`{"\udfff":1}`, canon.ErrLoneSurrogate},
		{`["\ud800",1e400,{"a":1,"a":1}]`, canon.ErrLoneSurrogate},
		{`[1e400,"\ud800",{"a":1,"a":1}]`, canon.ErrLossyNumber},
		{`{"\ud800":1e400,"a":1,"a":1}`, canon.ErrDuplicateMember},
	}
	for _, test := range tests {
		if got := parse(t, test.raw).Ambiguous(); !errors.Is(got, test.want) {
			t.Errorf("Ambiguous(%s) = %v, want %v", test.raw, got, test.want)
		}
	}
}

// hostile texts make a naive implementation quadratic, deep or hungry.
func hostile(n int) map[string]string {
	var unsorted, equal, indices, escapes, prefixed strings.Builder
	long := strings.Repeat("p", 2000)
	for i := range n {
		fmt.Fprintf(&unsorted, `"%x":0,`, uint32(i)*2654435761)
		fmt.Fprintf(&equal, `"%d":0,`, i%3)
		fmt.Fprintf(&indices, `"%d":0,`, n-i)
		fmt.Fprintf(&escapes, `"\u%04x":0,`, n-i&0x7fff)
		if i%100 == 0 {
			fmt.Fprintf(&prefixed, `"%s%d":0,`, long, n-i)
		}
	}
	object := func(members string) string { return "{" + members + `"":0}` }
	return map[string]string{
		"unsorted":   object(unsorted.String()),
		"equal":      object(equal.String()),
		"indices":    object(indices.String()),
		"escapes":    object(escapes.String()),
		"prefixed":   object(prefixed.String()),
		"elements":   "[" + strings.Repeat("0,", n) + "0]",
		"empties":    "[" + strings.Repeat("{},", n) + "0]",
		"pairs":      "[" + strings.Repeat(`{"b":0,"a":0},`, n) + "0]",
		"twins":      "[" + strings.Repeat(`{"":0,"":0},`, n) + "0]",
		"separators": `"` + strings.Repeat(`,:[{`, n) + `"`,
		"backslash":  `"` + strings.Repeat(`\"`, n) + `"`,
		"digits":     "0." + strings.Repeat("1", n),
		"zeros":      "9" + strings.Repeat("0", n) + fmt.Sprintf("e-%d", n),
		"nested":     strings.Repeat(`{"b":0,"a":`, canon.MaxDepth) + "0" + strings.Repeat("}", canon.MaxDepth),
	}
}

func TestHostileTextsKeepTheProperties(t *testing.T) {
	t.Parallel()
	for name, src := range hostile(10_000) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkForms(t, []byte(src))
		})
	}
}

// A quadratic step would take 100,000 members beyond the test's time limit.
func TestManyEqualMembersLeaveTheLast(t *testing.T) {
	t.Parallel()
	const n = 100_000
	var src, want strings.Builder
	for i := range 2 * n {
		fmt.Fprintf(&src, `"k%05d":%d,`, (i*7919)%n, i/n)
	}
	for i := range n {
		fmt.Fprintf(&want, `,"k%05d":1`, i)
	}
	doc := parse(t, "{"+src.String()[:src.Len()-1]+"}")
	if err := doc.Ambiguous(); !errors.Is(err, canon.ErrDuplicateMember) {
		t.Errorf("Ambiguous: %v", err)
	}
	if got := string(doc.AppendSorted(nil)); got != "{"+want.String()[1:]+"}" {
		t.Errorf("sorted begins with %.100s", got)
	}
	if got := doc.AppendLegacy(nil); len(got) != want.Len()+1 {
		t.Errorf("legacy has %d bytes, want %d", len(got), want.Len()+1)
	}
}

func TestParseMemoryIsBoundedByTheText(t *testing.T) {
	for name, text := range hostile(40_000) {
		src := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := canon.Parse(src)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		// All that was allocated on the way, kept or not.
		got := after.TotalAlloc - before.TotalAlloc
		if limit := uint64(16*len(src) + 4096); got > limit {
			t.Errorf("%s: %d bytes for a text of %d, want at most %d", name, got, len(src), limit)
		}
	}
}

func TestRefusedTextsCostLittle(t *testing.T) {
	src := []byte(strings.Repeat("[", 5<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := canon.Parse(src)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Fatal("accepted")
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(src)) {
		t.Errorf("%d bytes to refuse what is nested too deeply", got)
	}
}

func TestDocumentsMayBeSharedAmongGoroutines(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"b":[1.0,"\u00e9"],"2":0,"\u0061":{"y":1,"x":2},"1":0,"b":3}`)
	wantSorted, wantLegacy := string(doc.AppendSorted(nil)), string(doc.AppendLegacy(nil))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				if string(doc.AppendSorted(nil)) != wantSorted || string(doc.AppendLegacy(nil)) != wantLegacy || !errors.Is(doc.Ambiguous(), canon.ErrDuplicateMember) {
					t.Error("another result")
				}
			}
		})
	}
	group.Wait()
}
