package canon

import (
	"strconv"
	"unicode/utf8"
)

// SyntaxError says that a text is not the JSON this package reads. Its message
// never holds a part of the text.
type SyntaxError struct {
	reason reason
	Offset int // in bytes, of what could not be read
}

// Error gives the reason and the offset.
func (e *SyntaxError) Error() string {
	return "canon: " + string(e.reason) + " at byte " + strconv.Itoa(e.Offset)
}

type reason string

const (
	tooLong      reason = "text of 4 GiB or more"
	notUTF8      reason = "invalid UTF-8"
	tooDeep      reason = "too many nested values"
	noValue      reason = "value expected"
	noName       reason = "member name expected"
	noColon      reason = "colon expected"
	noSeparator  reason = "comma or closing bracket expected"
	trailingData reason = "data after the value"
	badLiteral   reason = "unknown literal"
	badNumber    reason = "malformed number"
	badEscape    reason = "malformed escape"
	rawControl   reason = "control character in a string"
	unterminated reason = "unterminated string"
)

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}
