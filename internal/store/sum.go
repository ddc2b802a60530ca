package store

import (
	"encoding/binary"
	"math/bits"
)

// sum is a number modulo 2^256, the lowest word first. The root is the sum of the shares of all live rows: it can be
// kept up to date row by row and does not depend on their order, and without the key nobody can find rows that add up to
// a given root.
type sum [4]uint64

func sumOf(b [32]byte) (s sum) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[len(b)-8*(i+1):])
	}
	return s
}

func (s *sum) bytes() (b [32]byte) {
	for i, word := range s {
		binary.BigEndian.PutUint64(b[len(b)-8*(i+1):], word)
	}
	return b
}

func (s *sum) add(o sum) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}

func (s *sum) subtract(o sum) {
	var borrow uint64
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
}
