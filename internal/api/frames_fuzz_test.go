package api

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

// FuzzFrames gives arbitrary bytes to what follows the frames: it finds the data that the reader of HTTP/2 finds, in as many frames, in
// whatever parts the bytes come.
func FuzzFrames(f *testing.F) {
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	_ = w.WriteSettings()
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true})
	_ = w.WriteData(1, false, []byte("data"))
	_ = w.WriteDataPadded(3, true, []byte("padded"), make([]byte, 9))
	_ = w.WriteData(1, true, nil)
	f.Add(b.Bytes(), uint8(3))
	f.Add(b.Bytes()[:40], uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		follow := func(step int) (all []byte, frames int) {
			var f framing
			for rest := in; len(rest) > 0; {
				part := rest[:min(step, len(rest))]
				rest = rest[len(part):]
				for len(part) > 0 {
					data, n, whole := f.next(part)
					if n == 0 {
						t.Fatal("does not go on")
					}
					part = part[n:]
					if all = append(all, data...); whole && f.data {
						frames++
					}
				}
			}
			return all, frames
		}
		all, frames := follow(len(in) + 1)
		if got, n := follow(int(step) + 1); !bytes.Equal(got, all) || n != frames {
			t.Errorf("%q in %d frames in parts, %q in %d at once", got, n, all, frames)
		}
		var want []byte
		least := 0
		r := http2.NewFramer(io.Discard, bytes.NewReader(in))
		r.SetMaxReadFrameSize(1<<24 - 1)
		r.AllowIllegalReads = true
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				break
			}
			if d, ok := frame.(*http2.DataFrame); ok {
				want = append(want, d.Data()...)
				least++
			}
		}
		if !bytes.HasPrefix(all, want) || frames < least {
			t.Errorf("%q in %d frames, and HTTP/2 has %q in %d", all, frames, want, least)
		}
	})
}
