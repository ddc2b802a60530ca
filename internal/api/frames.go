package api

import "encoding/binary"

// What is looked for in the frames of HTTP/2 (RFC 9113, sections 3.4, 4.1 and 6).
const (
	prefaceBytes  = 24
	dataFrame     = 0
	headersFrame  = 1
	resetFrame    = 3
	endStreamFlag = 0x1
	paddedFlag    = 0x8

	continuationFrame = 9
)

// framing follows one half of an HTTP/2 connection, in whatever parts it is read or written. It looks for DATA and the ends of
// streams, and leaves every error to gRPC, which reads the same bytes.
type framing struct {
	preface int // bytes of the preface that are missing, which only the caller's half has
	head    [9]byte
	have    int // bytes of head
	size    int // of the payload
	// left is how much of the payload is to come, and padding how much after it. padded says that the next byte is the length
	// of the padding.
	left, padding int
	padded        bool
	stream        uint32
	data          bool
	// ends says that the last HEADERS or DATA were the end of the stream.
	ends bool
	// reset says that the frame is RST_STREAM, last that nothing comes after it on the stream.
	reset, last bool
}

// next takes a part of in, of n bytes: data of the stream, or something else. Whole says that it was the end of a frame.
func (f *framing) next(in []byte) (data []byte, n int, whole bool) {
	switch {
	case f.preface > 0:
		n = min(f.preface, len(in))
		f.preface -= n
		return nil, n, false
	case f.have < len(f.head):
		n = copy(f.head[f.have:], in)
		if f.have += n; f.have < len(f.head) {
			return nil, n, false
		}
		f.begin()
	case f.padded:
		f.padded, n = false, 1
		f.padding = min(int(in[0]), f.left-1)
		f.left -= 1 + f.padding
	case f.left > 0:
		n = min(f.left, len(in))
		if f.left -= n; f.data {
			data = in[:n]
		}
	default:
		n = min(f.padding, len(in))
		f.padding -= n
	}
	if whole = f.left == 0 && f.padding == 0; whole {
		f.have = 0
	}
	return data, n, whole
}

// sizeOf is the length of a frame's payload, by its head.
func sizeOf(head []byte) int { return int(head[0])<<16 | int(head[1])<<8 | int(head[2]) }

// begin reads the head of a frame.
func (f *framing) begin() {
	f.size = sizeOf(f.head[:])
	f.left = f.size
	f.stream = binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31)
	kind, flags := f.head[3], f.head[4]
	f.data = kind == dataFrame
	f.padded = f.data && flags&paddedFlag != 0 && f.left > 0
	f.reset = kind == resetFrame
	f.last = f.reset
	if kind == dataFrame || kind == headersFrame {
		f.ends = flags&endStreamFlag != 0
		f.last = f.ends
	}
}
