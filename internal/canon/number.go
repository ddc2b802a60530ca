package canon

import (
	"bytes"
	"math"
	"strconv"
)

// scanNumber returns where the number that starts at i ends, or -1 if it is none
// (RFC 8259 section 6), and whether it has neither fraction nor exponent.
func scanNumber(src []byte, i int) (end int, whole bool) {
	if src[i] == '-' {
		i++
	}
	end = skipDigits(src, i)
	if end == i {
		return -1, false
	}
	if src[i] == '0' {
		end = i + 1 // a zero leads nothing; a digit behind it is no separator
	}
	whole = true
	if end < len(src) && src[end] == '.' {
		start := end + 1
		if end = skipDigits(src, start); end == start {
			return -1, false
		}
		whole = false
	}
	if end < len(src) && (src[end] == 'e' || src[end] == 'E') {
		start := end + 1
		if start < len(src) && (src[start] == '+' || src[start] == '-') {
			start++
		}
		if end = skipDigits(src, start); end == start {
			return -1, false
		}
		whole = false
	}
	return end, whole
}

func skipDigits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// decimal is the exact value of a number token, without its sign:
// 0.d₁d₂…dₙ × 10^point, where d₁ and dₙ are not zero.
type decimal struct {
	digits []byte // d₁…dₙ in the token, perhaps with the decimal point among them
	count  int    // n, or 0 for zero
	point  int64
}

// parseDecimal takes time linear in the token and no memory.
func parseDecimal(token []byte) decimal {
	mantissa, exponent := token, int64(0)
	if e := bytes.IndexAny(token, "eE"); e >= 0 {
		mantissa, exponent = token[:e], parseExponent(token[e+1:])
	}
	first := bytes.IndexAny(mantissa, "123456789")
	if first < 0 {
		return decimal{}
	}
	last := bytes.LastIndexAny(mantissa, "123456789")
	n := decimal{digits: mantissa[first : last+1], count: last + 1 - first}
	dot := bytes.IndexByte(mantissa, '.')
	switch {
	case dot < 0:
		n.point = int64(len(mantissa) - first)
	case dot < first:
		n.point = int64(dot + 1 - first)
	default:
		n.point = int64(dot - first)
		if dot < last {
			n.count--
		}
	}
	n.point += exponent
	return n
}

// maxExponent is more than the longest mantissa can make up for.
const maxExponent = 1 << 40

func parseExponent(token []byte) int64 {
	negative := token[0] == '-'
	var exponent int64
	for _, c := range token {
		if isDigit(c) && exponent < maxExponent {
			exponent = exponent*10 + int64(c-'0')
		}
	}
	if negative {
		return -exponent
	}
	return exponent
}

// The doubles end far within these powers of ten.
const (
	maxPoint = 310
	minPoint = -330
)

// maxSignificant is more digits than any point halfway between two doubles has
// (767), so those behind decide only whether there is something behind.
const maxSignificant = 780

// double returns the nearest IEEE 754 double, perhaps infinite. It hands strconv a
// bounded text: the exponents that strconv reads are limited, a token's are not.
func (n decimal) double() float64 {
	switch {
	case n.count == 0 || n.point < minPoint:
		return 0
	case n.point > maxPoint:
		return math.Inf(1)
	}
	var buffer [maxSignificant + 16]byte
	text := append(buffer[:0], "0."...)
	for _, c := range n.digits {
		if len(text) == maxSignificant {
			text = append(text, '1')
			break
		}
		if c != '.' {
			text = append(text, c)
		}
	}
	text = strconv.AppendInt(append(text, 'e'), n.point, 10)
	value, _ := strconv.ParseFloat(string(text), 64) // out of range gives infinity
	return value
}

// shortest is the shortest decimal that reads as a double, as for decimal, and of
// those the nearest.
type shortest struct {
	digits []byte
	point  int
}

// shorten writes value, positive and finite, into buffer.
func shorten(buffer *[32]byte, value float64) shortest {
	text := strconv.AppendFloat(buffer[:0], value, 'e', -1, 64) // d.ddde±dd
	e := bytes.IndexByte(text, 'e')
	exponent, _ := strconv.Atoi(string(text[e+1:]))
	if e > 1 {
		text[1] = text[0]
		return shortest{digits: text[1:e], point: exponent + 1}
	}
	return shortest{digits: text[:1], point: exponent + 1}
}

// lossy says whether a number token's exact value differs from that of its
// canonical form. It takes time linear in the token and no memory.
func lossy(token []byte) bool {
	n := parseDecimal(token)
	if n.count == 0 {
		return false
	}
	value := n.double()
	if value == 0 || math.IsInf(value, 1) {
		return true
	}
	var buffer [32]byte
	s := shorten(&buffer, value)
	return n.count != len(s.digits) || n.point != int64(s.point) || !sameDigits(n.digits, s.digits)
}

// sameDigits compares digits in a token with as many without decimal point.
func sameDigits(token, digits []byte) bool {
	i := 0
	for _, c := range token {
		if c == '.' {
			continue
		}
		if c != digits[i] {
			return false
		}
		i++
	}
	return true
}

// appendNumber appends the canonical form of a number token: ECMA-262
// Number::toString of the nearest double, or null if that is infinite, which is
// how JSON.stringify writes it.
func appendNumber(dst, token []byte) []byte {
	value := parseDecimal(token).double()
	if math.IsInf(value, 1) {
		return append(dst, "null"...)
	}
	if value == 0 {
		return append(dst, '0')
	}
	if token[0] == '-' {
		dst = append(dst, '-')
	}
	var buffer [32]byte
	return shorten(&buffer, value).append(dst)
}

// zeros are as many as stand in front of or behind digits without an exponent.
const zeros = "00000000000000000000"

// append follows the cases of ECMA-262 Number::toString, steps 6 to 10.
func (s shortest) append(dst []byte) []byte {
	count := len(s.digits)
	switch {
	case count <= s.point && s.point <= 21:
		return append(append(dst, s.digits...), zeros[:s.point-count]...)
	case 0 < s.point && s.point <= 21:
		dst = append(append(dst, s.digits[:s.point]...), '.')
		return append(dst, s.digits[s.point:]...)
	case -6 < s.point && s.point <= 0:
		dst = append(append(dst, "0."...), zeros[:-s.point]...)
		return append(dst, s.digits...)
	}
	dst = append(dst, s.digits[0])
	if count > 1 {
		dst = append(append(dst, '.'), s.digits[1:]...)
	}
	dst = append(dst, 'e')
	if s.point > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(s.point-1), 10)
}
