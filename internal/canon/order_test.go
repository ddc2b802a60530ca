package canon

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// units is the plain definition that compareUnits is a shortcut for.
func units(text string) []uint16 {
	var all []uint16
	for len(text) > 0 {
		r, size := decodeText(text)
		all = utf16.AppendRune(all, r)
		if utf16.IsSurrogate(r) {
			all[len(all)-1] = uint16(r)
		}
		text = text[size:]
	}
	return all
}

func TestNamesCompareByCodeUnits(t *testing.T) {
	t.Parallel()
	const high, low = "\xed\xa0\xbd", "\xed\xb8\x80" // U+D83D, U+DE00
	parts := []string{"", "\x00", "a", "b", "\x7f", "\u0080", "é", "\u07ff", "\u0800", "日", "\ud7ff", high, "\xed\xa0\xbe", low, "\ue000", "ﬀ", "\uffff", "\U00010000", "😀", "😁", "🤔", "\U0010ffff"}
	texts := map[string][]uint16{}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range []string{"", low} {
				if text := a + b + c; !strings.Contains(text, high+low) {
					texts[text] = units(text)
				}
			}
		}
	}
	for a, x := range texts {
		for b, y := range texts {
			if got, want := compareUnits([]byte(a), []byte(b)), slices.Compare(x, y); got != want {
				t.Fatalf("compareUnits(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestArrayIndices(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int64{"0": 0, "7": 7, "10": 10, "4294967294": 4294967294} {
		if got, ok := arrayIndex([]byte(name)); !ok || got != want {
			t.Errorf("arrayIndex(%q) = %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "00", "01", "-0", "-1", "+1", "1.0", "1e3", " 1", "1a", "４", "4294967295", "4294967296", "9999999999", "10000000000", "18446744073709551617"} {
		if index, ok := arrayIndex([]byte(name)); ok {
			t.Errorf("arrayIndex(%q) = %d", name, index)
		}
	}
}

func TestPlainEndFindsTheFirst(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 20 {
			text := []byte(strings.Repeat("x", at) + string([]byte{byte(c)}) + "é\xff!#[]\" ")
			want := slices.IndexFunc(text, mustEscape)
			for from := range at + 1 {
				if got := plainEnd(text, from); got != want {
					t.Fatalf("plainEnd(%q, %d) = %d, want %d", text, from, got, want)
				}
			}
		}
	}
	if got := plainEnd([]byte("0123456789"), 1); got != 10 {
		t.Errorf("without any: %d", got)
	}
}
