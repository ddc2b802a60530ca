package symmetric

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// FuzzUnwrap holds unwrapping against wrapping: what unwraps is what wrapping makes, and everything else is refused.
func FuzzUnwrap(f *testing.F) {
	key := make([]byte, 16)
	kw, kwp := working[*KW](f, "A128KW", cpm.UseWrap, key), working[*KWP](f, "A128KWP", cpm.UseWrap, key)
	for _, length := range []int{1, 7, 8, 9, 16, 24, 31} {
		for _, w := range []interface {
			Wrap(material []byte) ([]byte, error)
		}{kw, kwp} {
			if wrapped, err := w.Wrap(make([]byte, length)); err == nil {
				f.Add(wrapped)
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		for _, w := range []interface {
			Wrap(material []byte) ([]byte, error)
			Unwrap(wrapped []byte) ([]byte, error)
		}{kw, kwp} {
			before := bytes.Clone(wrapped)
			material, err := w.Unwrap(wrapped)
			if !bytes.Equal(before, wrapped) {
				t.Fatal("unwrapping changed its input")
			}
			if err != nil {
				if !errors.Is(err, fault.Refused) {
					t.Errorf("%x: %v", wrapped, err)
				}
				continue
			}
			if again, err := w.Wrap(material); err != nil || !bytes.Equal(again, wrapped) {
				t.Errorf("%x unwraps as %x, and that wraps as %x: %v", wrapped, material, again, err)
			}
		}
	})
}

// FuzzPaddedLength holds the length that is read without branches against one that is read with them.
func FuzzPaddedLength(f *testing.F) {
	f.Add([]byte("\xa6\x59\x59\xa6\x00\x00\x00\x07forPasi\x00"))
	f.Add([]byte("\xa6\x59\x59\xa6\x00\x00\x00\x08material"))
	f.Add([]byte("\xa6\x59\x59\xa6\x80\x00\x00\x08material"))
	f.Fuzz(func(t *testing.T, clear []byte) {
		if !wrappedLength(len(clear), 2*semiblock) {
			return
		}
		material := clear[semiblock:]
		n := uint64(clear[4])<<24 | uint64(clear[5])<<16 | uint64(clear[6])<<8 | uint64(clear[7])
		size := uint64(len(material))
		want := bytes.HasPrefix(clear, []byte{0xa6, 0x59, 0x59, 0xa6}) && n+semiblock > size && n <= size &&
			len(bytes.Trim(material[min(n, size):], "\x00")) == 0
		length, ok := paddedLength(clear)
		if (ok == 1) != want || want && uint64(length) != n {
			t.Errorf("%x: %d %d", clear, length, ok)
		}
	})
}

// FuzzGCMOpen opens nothing but what was sealed.
func FuzzGCMOpen(f *testing.F) {
	g := working[*GCM](f, "A128GCM", cpm.UseDataEncryption, make([]byte, 16))
	sealed, err := g.Seal([]byte("x"), []byte("a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, []byte("b"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ciphertext, associated []byte) {
		clear, err := g.Open(ciphertext, associated)
		// The processes of a fuzzing run each seal with a nonce of their own.
		if err == nil && (string(clear) != "x" || string(associated) != "a") || err != nil && !errors.Is(err, fault.Refused) {
			t.Errorf("%x opens as %x: %v", ciphertext, clear, err)
		}
	})
}
