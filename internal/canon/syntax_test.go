package canon_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/canon"
)

// syntaxCases are texts to accept (y), or to refuse (n) at an offset.
var syntaxCases = []struct {
	name   string
	src    string
	offset int // of the fault
}{
	{"y array", `[]`, 0},
	{"y array with spaces", " [ 1 , 2 ]\n", 0},
	{"y array of arrays", `[[],[[]]]`, 0},
	{"y deepest arrays", strings.Repeat("[", 64) + strings.Repeat("]", 64), 0},
	{"y deepest objects", strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), 0},
	{"y wide is not deep", `[` + strings.Repeat(`[],{},`, 100) + `[]]`, 0},
	{"y object", `{}`, 0},
	{"y object with spaces", "{ \"a\" :\t1\r\n}", 0},
	{"y empty name", `{"":0}`, 0},
	{"y equal names", `{"a":1,"a":1}`, 0},
	{"y string", `"x"`, 0},
	{"y empty string", `""`, 0},
	{"y all escapes", `"\"\\\/\b\f\n\r\t\u0000"`, 0},
	{"y lone surrogate escape", `"\ud800"`, 0},
	{"y surrogate halves exchanged", `"\udc00\ud800"`, 0},
	{"y escaped null character", `"\u0000"`, 0},
	{"y DEL", "\"\x7f\"", 0},
	{"y U+2028", "\"\u2028\"", 0},
	{"y U+FEFF in a string", "\"\ufeff\"", 0},
	{"y non-character", "\"\U0010ffff\uffff\"", 0},
	{"y zero", `0`, 0},
	{"y minus zero", `-0`, 0},
	{"y fraction", `-0.5`, 0},
	{"y exponents", `[1e1,1E1,1e+1,1e-1,0e0,1.5e00]`, 0},
	{"y huge exponent", `1e999999999999999999999`, 0},
	{"y literals", `[true,false,null]`, 0},
	{"y literal alone", ` null `, 0},

	{"n nothing", ``, 0},
	{"n white space", " \n", 2},
	{"n byte order mark", "\ufeff{}", 0},
	{"n UTF-16", "[\x00]\x00", 1},
	{"n form feed as space", "[\f]", 1},
	{"n vertical tab as space", "\v1", 0},
	{"n no-break space", "[\u00a0]", 1},
	{"n NUL alone", "\x00", 0},
	{"n NUL behind", "1\x00", 1},
	{"n two values", `1 2`, 2},
	{"n bracket behind", `[]]`, 2},
	{"n comma behind", `{},`, 2},
	{"n comment", `[1/*x*/]`, 2},
	{"n array open", `[`, 1},
	{"n array open after value", `[1`, 2},
	{"n array open after comma", `[1,`, 3},
	{"n array trailing comma", `[1,]`, 3},
	{"n array double comma", `[1,,2]`, 3},
	{"n array leading comma", `[,1]`, 1},
	{"n array without comma", `[1 2]`, 3},
	{"n array closed as object", `[1}`, 2},
	{"n array with colon", `["a":1]`, 4},
	{"n object open", `{`, 1},
	{"n object open after name", `{"a"`, 4},
	{"n object open after colon", `{"a":`, 5},
	{"n object open after value", `{"a":1`, 6},
	{"n object open after comma", `{"a":1,`, 7},
	{"n object trailing comma", `{"a":1,}`, 7},
	{"n object without comma", `{"a":1 "b":2}`, 7},
	{"n object without colon", `{"a" 1}`, 5},
	{"n object without value", `{"a":}`, 5},
	{"n object of values", `{1}`, 1},
	{"n object name unquoted", `{a:1}`, 1},
	{"n object name single quoted", `{'a':1}`, 1},
	{"n object name number", `{1:1}`, 1},
	{"n object name unterminated", `{"a`, 3},
	{"n object closed as array", `{"a":1]`, 6},
	{"n object double colon", `{"a"::1}`, 5},
	{"n 65 arrays", strings.Repeat("[", 65) + strings.Repeat("]", 65), 64},
	{"n 65 objects", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), 320},
	{"n a million brackets", strings.Repeat("[", 1<<20), 64},
	{"n a million members", strings.Repeat(`{"a":`, 1<<20), 320},
	{"n string open", `"`, 1},
	{"n string open long", `"0123456789`, 11},
	{"n string open after backslash", `"\`, 1},
	{"n string newline", "\"a\nb\"", 2},
	{"n string tab", "\"0123456789\t\"", 11},
	{"n string NUL", "\"\x00\"", 1},
	{"n string U+001F", "\"\x1f\"", 1},
	{"n escape unknown", `"\x41"`, 1},
	{"n escape upper case U", `"\U0041"`, 1},
	{"n escape single quote", `"\'"`, 1},
	{"n escape raw", "\"\\é\"", 1},
	{"n escape short", `"\u004"`, 1},
	{"n escape cut", `"\u00`, 1},
	{"n escape not hex", `"ab\u00g0"`, 3},
	{"n escape second half bad", `"\ud83d\u12"`, 7},
	{"n escape second half cut", `"\ud83d\`, 7},
	{"n bad UTF-8", "\"\xff\"", 1},
	{"n bad UTF-8 behind", "\"é\" \xc3", 5},
	{"n overlong", "\"\xc0\xaf\"", 1},
	{"n encoded surrogate", "\"\xed\xa0\x80\"", 1},
	{"n beyond U+10FFFF", "\"\xf4\x90\x80\x80\"", 1},
	{"n cut character", "\"a\xe2\x82\"", 2},
	{"n bad UTF-8 in a name", "{\"\x80\":1}", 2},
	{"n minus alone", `-`, 0},
	{"n minus minus", `--1`, 0},
	{"n plus", `+1`, 0},
	{"n leading zero", `01`, 1},
	{"n leading zero after minus", `[-012]`, 3},
	{"n leading point", `.5`, 0},
	{"n point after minus", `-.5`, 0},
	{"n trailing point", `1.`, 0},
	{"n point before exponent", `1.e5`, 0},
	{"n exponent alone", `1e`, 0},
	{"n exponent sign alone", `[1e+]`, 1},
	{"n exponent twice", `1e2e3`, 3},
	{"n exponent fraction", `1e2.5`, 3},
	{"n point twice", `1.2.3`, 3},
	{"n hexadecimal", `0x10`, 1},
	{"n infinity", `Infinity`, 0},
	{"n minus infinity", `-Infinity`, 0},
	{"n NaN", `NaN`, 0},
	{"n full-width digit", `１`, 0},
	{"n literal cut", `[tru]`, 1},
	{"n literal at the end", `nul`, 0},
	{"n literal in upper case", `TRUE`, 0},
	{"n literal longer", `truee`, 4},
	{"n literal mixed", `falsE`, 0},
	{"n word", `abc`, 0},
}

func TestSyntaxIsRFC8259(t *testing.T) {
	t.Parallel()
	for _, test := range syntaxCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			doc, err := canon.Parse([]byte(test.src))
			if strings.HasPrefix(test.name, "y ") {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				checkForms(t, []byte(test.src))
				return
			}
			if doc != nil || err == nil {
				t.Fatal("accepted")
			}
			if got := checkSyntaxError(t, err, len(test.src)); got != test.offset {
				t.Errorf("%v: want byte %d", err, test.offset)
			}
		})
	}
}

var syntaxMessage = regexp.MustCompile(`^canon: [a-zA-Z0-9 -]+ at byte \d+$`)

// checkSyntaxError checks the error's shape and returns its offset.
func checkSyntaxError(t *testing.T, err error, length int) int {
	t.Helper()
	var syntax *canon.SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("%T, want *SyntaxError", err)
	}
	if syntax.Offset < 0 || syntax.Offset > length {
		t.Errorf("offset %d outside a text of %d bytes", syntax.Offset, length)
	}
	if !syntaxMessage.MatchString(err.Error()) {
		t.Errorf("message %q", err)
	}
	return syntax.Offset
}

func TestSyntaxErrorsNeverEchoInput(t *testing.T) {
	t.Parallel()
	for _, src := range []string{`{"pin":1234x}`, `{"pin":"12\q34"}`, `pin1234`, `[1234 pin]`, "\"pin1234\xff\""} {
		_, err := canon.Parse([]byte(src))
		if err == nil {
			t.Fatalf("%s accepted", src)
		}
		if strings.Contains(err.Error(), "pin") || strings.Contains(err.Error(), "1234") {
			t.Errorf("%q echoes its input", err)
		}
	}
}
