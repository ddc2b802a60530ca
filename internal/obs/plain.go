package obs

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plainWriter escapes what a terminal or a log viewer would obey or hide in a line of JSON: DEL, the C1 controls, line
// separators, bidirectional overrides. JSON itself escapes only what is below U+0020. A line in ASCII passes unchanged.
type plainWriter struct{ w io.Writer }

// Write writes one line in one call; the line end stays.
func (p plainWriter) Write(line []byte) (int, error) {
	if bytes.IndexFunc(line, suspect) < 0 {
		return p.w.Write(line)
	}
	if _, err := p.w.Write(appendPlain(make([]byte, 0, len(line)+64), string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// suspect finds what may need an escape in JSON that is otherwise well-formed.
func suspect(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) || r == utf8.RuneError }

// appendPlain escapes, as JSON does, every rune of s that cannot be printed and is not ASCII.
func appendPlain(dst []byte, s string) []byte {
	for _, r := range s {
		if suspect(r) && r != utf8.RuneError {
			dst = appendEscape(dst, r)
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// appendEscape writes a rune as \uXXXX, or two of them for one beyond the basic plane.
func appendEscape(dst []byte, r rune) []byte {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		return fmt.Appendf(dst, `\u%04x\u%04x`, hi, lo)
	}
	return fmt.Appendf(dst, `\u%04x`, r)
}

// escapeControls makes text fit for the middle of a line: ASCII controls become \n, \t or \uXXXX. What is beyond ASCII
// is left to plainWriter.
func escapeControls(text string) string {
	if !strings.ContainsFunc(text, isASCIIControl) {
		return text
	}
	var dst []byte
	for _, r := range text {
		switch {
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case isASCIIControl(r):
			dst = appendEscape(dst, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return string(dst)
}

func isASCIIControl(r rune) bool { return r < ' ' || r == 0x7f }
