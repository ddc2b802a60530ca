package api

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text is a JSON text (RFC 8259) that is read once, from its first byte to its last.
type text struct {
	in []byte
	at int
}

// malformed is why a text was not taken, by what was expected and where: never by what was found, which is input.
type malformed struct {
	expected string
	at       int
}

func (m *malformed) Error() string { return fmt.Sprintf("expected %s at byte %d", m.expected, m.at) }

func (t *text) expected(what string) error { return &malformed{what, t.at} }

// peek skips white space and gives the next byte, 0 at the end.
func (t *text) peek() byte {
	for t.at < len(t.in) {
		switch c := t.in[t.at]; c {
		case ' ', '\t', '\n', '\r':
			t.at++
		default:
			return c
		}
	}
	return 0
}

// take takes the byte if it comes next, after white space.
func (t *text) take(c byte) bool {
	if t.peek() != c || t.at >= len(t.in) {
		return false
	}
	t.at++
	return true
}

// takeWord takes null, true or false if it comes next.
func (t *text) takeWord(w string) bool {
	t.peek()
	if !strings.HasPrefix(string(t.in[t.at:min(len(t.in), t.at+len(w))]), w) {
		return false
	}
	t.at += len(w)
	return true
}

// ended says that nothing but white space is left.
func (t *text) ended() bool { return t.peek() == 0 && t.at == len(t.in) }

// digits takes an unsigned integer without sign, fraction and exponent. What follows must not continue a number.
func (t *text) digits() (digits []byte, err error) {
	t.peek()
	from := t.at
	for t.at < len(t.in) && '0' <= t.in[t.at] && t.in[t.at] <= '9' {
		t.at++
	}
	digits = t.in[from:t.at]
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return nil, t.expected("an integer")
	}
	return digits, nil
}

// quoted is a string of a text, not yet decoded.
type quoted struct {
	raw []byte
	// size is the length when decoded; it is len(raw) when there are no escapes.
	size int
}

func (q quoted) escaped() bool { return q.size != len(q.raw) }

// String decodes in one allocation.
func (q quoted) String() string {
	if !q.escaped() {
		return string(q.raw)
	}
	var out strings.Builder
	out.Grow(q.size)
	for raw := q.raw; ; {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 {
			out.Write(raw)
			break
		}
		out.Write(raw[:n])
		r, size, _ := escape(raw[n:])
		out.WriteRune(r)
		raw = raw[n+size:]
	}
	return out.String()
}

// plain is the length of what comes before the first backslash, quote or control character.
func plain(s []byte) int {
	for i, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// takeString takes a string that has at most so many bytes when decoded. It allocates nothing.
func (t *text) takeString(most int) (quoted, error) {
	if !t.take('"') {
		return quoted{}, t.expected("a string")
	}
	from, size := t.at, 0
	for {
		n := plain(t.in[t.at:])
		size += n
		t.at += n
		if size > most {
			return quoted{}, tooLarge("a text has more than %d bytes", most)
		}
		if t.at == len(t.in) || t.in[t.at] < ' ' {
			return quoted{}, t.expected("the end of a string")
		}
		if t.in[t.at] == '"' {
			break
		}
		r, n, ok := escape(t.in[t.at:])
		if !ok {
			return quoted{}, t.expected("an escape")
		}
		size += utf8.RuneLen(r)
		t.at += n
	}
	raw := t.in[from:t.at]
	if !utf8.Valid(raw) {
		return quoted{}, t.expected("UTF-8 before this")
	}
	t.at++
	return quoted{raw, size}, nil
}

// escape decodes the escape at the start of s; n is how many bytes it has. Half of a surrogate pair is none.
func escape(s []byte) (r rune, n int, ok bool) {
	if len(s) < 2 {
		return 0, 0, false
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'b':
		return '\b', 2, true
	case 'f':
		return '\f', 2, true
	case 'u':
		return unicodeEscape(s)
	default:
		return 0, 0, false
	}
}

func unicodeEscape(s []byte) (r rune, n int, ok bool) {
	r, ok = hex4(s)
	if !ok || !utf16.IsSurrogate(r) {
		return r, 6, ok
	}
	low, ok := hex4(s[6:])
	r = utf16.DecodeRune(r, low)
	return r, 12, ok && r != utf8.RuneError
}

// hex4 reads the four digits of \uXXXX.
func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
