package fspiop

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestDecodeBase64URLKnowsOneEncodingOnly(t *testing.T) {
	t.Parallel()
	accepted := map[string]string{"": "", "AA": "\x00", "AAA": "\x00\x00", "-_-_": "\xfb\xff\xbf", "e30": "{}"}
	for text, want := range accepted {
		if got, err := decodeBase64URL(text); err != nil || string(got) != want {
			t.Errorf("%q: %x, %v; want %x", text, got, err, want)
		}
	}
	refused := []string{
		"A", "AAAAA", "AA==", "AA=", "AAA=", "e30=", "+/+/", "AB", "AAB", "AA\n", "\nAA", "A\rA", "AA\r\n", " AA", "AA ", "A A",
		"AA\t", "AA\x00", "AA.", "e30,", "é0", "AA\u00a0", "=", "====",
	}
	for _, text := range refused {
		if got, err := decodeBase64URL(text); err == nil {
			t.Errorf("%q gives %x", text, got)
		}
	}
}

// FuzzDecodeBase64URL holds the strict decoder against its definition: the one text that encoding gives back.
func FuzzDecodeBase64URL(f *testing.F) {
	for _, text := range []string{"", "e30", "AB", "AA==", "-_-_", "A\nA", "+/+/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		octets, err := decodeBase64URL(text)
		if err == nil && base64.RawURLEncoding.EncodeToString(octets) != text {
			t.Errorf("%q is not the encoding of %x", text, octets)
		}
		lenient, lenientErr := base64.RawURLEncoding.DecodeString(text)
		same := lenientErr == nil && base64.RawURLEncoding.EncodeToString(lenient) == text && !strings.ContainsAny(text, "\r\n")
		if same && err != nil {
			t.Errorf("%q is refused", text)
		}
	})
}
