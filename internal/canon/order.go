package canon

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf16"
)

// nameOrder follows an object's names while they are read.
type nameOrder struct {
	last      []byte
	index     int64 // the last array index
	any       bool  // there is a name before
	named     bool  // there is one that is not an array index
	ascending bool  // strictly, by code units: sorted, and no duplicates
	listed    bool  // array indices first, and ascending
}

func newNameOrder() nameOrder {
	return nameOrder{index: -1, ascending: true, listed: true}
}

func (o *nameOrder) add(name []byte) {
	if o.any && o.ascending {
		o.ascending = compareUnits(o.last, name) < 0
	}
	o.last, o.any = name, true
	index, ok := arrayIndex(name)
	if !ok {
		o.named = true
		return
	}
	if o.named || index <= o.index {
		o.listed = false
	}
	o.index = index
}

// arrayIndex returns the array index that a name spells: canonical decimal, at
// most 2^32-2 (ECMA-262, "array index").
func arrayIndex(name []byte) (int64, bool) {
	if len(name) == 0 || len(name) > 10 || name[0] == '0' && len(name) > 1 {
		return 0, false
	}
	var index int64
	for _, c := range name {
		if c < '0' || c > '9' {
			return 0, false
		}
		index = index*10 + int64(c-'0')
	}
	return index, index < 1<<32-1
}

// place is a member's rank in ECMAScript's property order.
type place struct {
	rank uint64
	name uint32
}

// propertyOrder returns an object's names in ECMAScript's property order
// (ECMA-262, OrdinaryOwnPropertyKeys). Of equal names it returns the last, whose
// value counts, at the place of the first.
func (d *Document) propertyOrder(self uint32) []uint32 {
	var names []uint32
	for name, after := self+1, d.after(self); name < after; name = d.after(name + 1) {
		names = append(names, name)
	}
	if d.nodes[self].flags&duplicated != 0 {
		d.sortByName(names)
	}
	places := d.places(names)
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.rank, b.rank) })
	names = names[:len(places)]
	for i, p := range places {
		names[i] = p.name
	}
	return names
}

// places ranks names, of which equal ones stand together, in source order.
func (d *Document) places(names []uint32) []place {
	places := make([]place, 0, len(names))
	var last []byte
	for i, name := range names {
		text := d.name(name)
		if i > 0 && bytes.Equal(text, last) {
			places[len(places)-1].name = name
			continue
		}
		last = text
		rank, ok := arrayIndex(text)
		if !ok {
			rank = 1<<32 + int64(name)
		}
		places = append(places, place{rank: uint64(rank), name: name})
	}
	return places
}

// compareUnits compares two names, in UTF-8 that may hold lone surrogates, by
// their UTF-16 code units (RFC 8785 section 3.2.3).
func compareUnits(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return compareDiffering(a[i:], b[i:])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareDiffering compares the ends of two names from where their bytes differ.
// Bytes order as code units do, except that surrogates, of which characters
// beyond U+FFFF (first byte 0xF0 and up) have two, stand before U+E000.
func compareDiffering(a, b []byte) int {
	if a[0] < 0xF0 && b[0] < 0xF0 || a[0] < 0xED || b[0] < 0xED {
		return cmp.Compare(a[0], b[0])
	}
	x, y := firstUnits(a), firstUnits(b)
	return slices.Compare(x[:], y[:])
}

// firstUnits returns the first two code units of a text that is not empty; -1
// stands for none. Two decide: a lone surrogate is never followed by its half.
func firstUnits(text []byte) [2]rune {
	s := string(text[:min(len(text), 8)])
	first, size := decodeText(s)
	if high, low := utf16.EncodeRune(first); high != noPair {
		return [2]rune{high, low}
	}
	if size == len(s) {
		return [2]rune{first, -1}
	}
	second, _ := decodeText(s[size:])
	if high, _ := utf16.EncodeRune(second); high != noPair {
		second = high
	}
	return [2]rune{first, second}
}

// noPair is what utf16.EncodeRune gives for a character of one code unit.
const noPair = '\uFFFD'
