package canon

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a canonical JSON string (RFC 8785 section 3.2.2.2):
// only the quote, the backslash and controls below U+0020 are escaped. A surrogate
// that s encodes by itself, as Value.Text does, is written as a lower-case escape;
// any other byte that is not UTF-8 as U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start, i := 0, 0
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf && !mustEscape(c) {
			i++
			continue
		}
		r, size := decodeText(s[i:])
		if !copyable(r, size) {
			dst = appendRune(append(dst, s[start:i]...), r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func mustEscape(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

// copyable says whether a character that took size bytes stands in a canonical
// string as those bytes.
func copyable(r rune, size int) bool { return r >= utf8.RuneSelf && utf8.RuneLen(r) == size }

// decodeText returns the first character of a text that is not empty, and its
// size. Surrogates may be encoded like other characters, and two halves make one
// character; any other byte that is not UTF-8 gives U+FFFD and size 1.
func decodeText(s string) (rune, int) {
	r, size := utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || size != 1 {
		return r, size
	}
	r = encodedSurrogate(s)
	if r < 0 {
		return utf8.RuneError, 1
	}
	if pair := utf16.DecodeRune(r, encodedSurrogate(s[3:])); pair != utf8.RuneError {
		return pair, 6
	}
	return r, 3
}

// encodedSurrogate returns the surrogate whose three bytes s begins with, or -1.
func encodedSurrogate(s string) rune {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return -1
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F)
}

// appendRune appends one character as a canonical string has it.
func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	if r < ' ' || utf16.IsSurrogate(r) {
		return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// appendRespelled appends the canonical form of what stands between the quotes of
// a valid JSON string.
func appendRespelled(dst, inner []byte) []byte {
	return appendUnescaped(dst, inner, appendRune)
}

// appendDecoded appends the text that stands between the quotes of a valid JSON
// string. Lone surrogates are encoded like other characters, so that texts that
// differ stay different.
func appendDecoded(dst, inner []byte) []byte {
	return appendUnescaped(dst, inner, func(dst []byte, r rune) []byte {
		if utf16.IsSurrogate(r) {
			return append(dst, 0xED, 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
		}
		return utf8.AppendRune(dst, r)
	})
}

// appendUnescaped copies what is not escaped and hands each escape to add.
func appendUnescaped(dst, inner []byte, add func([]byte, rune) []byte) []byte {
	for {
		plain := bytes.IndexByte(inner, '\\')
		if plain < 0 {
			return append(dst, inner...)
		}
		r, size := decodeEscape(inner[plain:])
		dst = add(append(dst, inner[:plain]...), r)
		inner = inner[plain+size:]
	}
}

// decodeEscape returns the character of the escape that b begins with, and its
// size in bytes: 2, 6, or 12 for a surrogate pair. The size is 0 if it is not an
// escape; the character is a surrogate if it is half a pair.
func decodeEscape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	first := decodeUnit(b)
	if first < 0 {
		return 0, 0
	}
	if pair := utf16.DecodeRune(first, decodeUnit(b[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return first, 6
}

// decodeUnit returns the code unit of the \u escape that b begins with, or -1.
func decodeUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var unit rune
	for _, c := range b[2:6] {
		digit := hexValue(c)
		if digit < 0 {
			return -1
		}
		unit = unit<<4 | digit
	}
	return unit
}

func hexValue(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	default:
		return -1
	}
}

// canonicalEscape says whether a canonical string writes r as the escape raw.
func canonicalEscape(r rune, raw []byte) bool {
	var buffer [6]byte
	return string(appendRune(buffer[:0], r)) == string(raw)
}

const (
	everyByte = 0x0101010101010101
	topBits   = 0x8080808080808080
)

// plainEnd returns the index from i on of the first quote, backslash or control,
// or len(src). It looks at eight bytes at a time: in each of the three terms the
// lowest top bit that is set belongs to a byte that was sought.
func plainEnd(src []byte, i int) int {
	for ; i+8 <= len(src); i += 8 {
		word := binary.LittleEndian.Uint64(src[i:])
		quote, backslash := word^'"'*everyByte, word^'\\'*everyByte
		found := (quote-everyByte)&^quote | (backslash-everyByte)&^backslash | (word-' '*everyByte)&^word
		if found &= topBits; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(src) && !mustEscape(src[i]) {
		i++
	}
	return i
}
