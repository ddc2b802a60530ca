package fspiop

import "encoding/binary"

// oerReader reads the canonical Octet Encoding Rules (ITU-T X.696), as far as packets use them. After a fault everything it
// gives is zero or empty, so that one look at failed at the end is enough.
type oerReader struct {
	rest   []byte
	failed bool
}

func (r *oerReader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *oerReader) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *oerReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// sized reads an octet string of variable size. Its length is one octet below 128; otherwise the first octet says how many
// follow, and they are as few as can be.
func (r *oerReader) sized() []byte {
	first := r.octet()
	if first < 0x80 {
		return r.take(int(first))
	}
	count := int(first & 0x7f)
	if count == 0 || count > 3 { // no packet is as long as 2^24
		r.failed = true
		return nil
	}
	length := 0
	for _, b := range r.take(count) {
		length = length<<8 | int(b)
	}
	if length < 0x80 || length>>(8*(count-1)) == 0 {
		r.failed = true
	}
	return r.take(length)
}

// appendSized writes what sized reads.
func appendSized(dst, octets []byte) []byte {
	n := len(octets)
	if n < 0x80 {
		return append(append(dst, byte(n)), octets...)
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(n))
	first := 0
	for length[first] == 0 {
		first++
	}
	dst = append(dst, 0x80|byte(8-first)) //nolint:gosec // at most 8
	return append(append(dst, length[first:]...), octets...)
}
