// Package secret holds key bytes. They are shown as "[secret]" by every verb of fmt, by JSON and by slog, can be read
// only with a Token, so that a search for secret.Token finds each place that touches clear bytes, and are zeroised when
// destroyed.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const shown = "[secret]"

// Token is what a caller shows to read clear bytes.
type Token struct{}

// Bytes are secret. Copies share the same memory: Destroy on one ends all. The zero value is empty.
type Bytes struct{ b *[]byte }

// Take makes Bytes of b and owns b from then on.
func Take(b []byte) Bytes { return Bytes{&b} }

// Open gives the clear bytes, not a copy; nil after Destroy.
func (s Bytes) Open(Token) []byte {
	if s.b == nil {
		return nil
	}
	return *s.b
}

// Len is the number of bytes.
func (s Bytes) Len() int { return len(s.Open(Token{})) }

// Equal compares in constant time.
func (s Bytes) Equal(o Bytes) bool {
	return subtle.ConstantTimeCompare(s.Open(Token{}), o.Open(Token{})) == 1
}

// Destroy overwrites the bytes with zeros and forgets them. It must not run while another goroutine reads them.
func (s Bytes) Destroy() {
	if s.b == nil {
		return
	}
	clear(*s.b)
	*s.b = nil
}

// String shows nothing.
func (s Bytes) String() string { return shown }

// GoString shows nothing.
func (s Bytes) GoString() string { return shown }

// Format shows nothing, whatever the verb.
func (s Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(shown)) }

// MarshalText shows nothing.
func (s Bytes) MarshalText() ([]byte, error) { return []byte(shown), nil }

// MarshalJSON shows nothing.
func (s Bytes) MarshalJSON() ([]byte, error) { return []byte(`"` + shown + `"`), nil }

// LogValue shows nothing.
func (s Bytes) LogValue() slog.Value { return slog.StringValue(shown) }
