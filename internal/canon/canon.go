// Package canon turns JSON text into the two canonical forms that FSPIOP
// signatures are made and checked over:
//
//   - sorted: the JSON Canonicalization Scheme of RFC 8785, members in the order
//     of their names' UTF-16 code units;
//   - legacy: what ECMAScript's JSON.stringify(JSON.parse(text)) gives, members
//     in property order.
//
// Both forms share the spelling of scalars: strings escape only what they must,
// numbers are ECMAScript's Number::toString of the nearest IEEE 754 double.
//
// A text is parsed once into a flat tape of nodes that point into the source;
// either form is then appended from the tape. Spans of the source that are
// canonical already are copied as they are.
package canon

import (
	"errors"
	"math"
	"slices"
)

// MaxDepth is the number of arrays and objects that may be nested in each other.
const MaxDepth = 64

// Reasons not to trust a re-serialised form. Readers of JSON differ on what such
// a text says (RFC 8259 sections 4, 6 and 8.2; RFC 7493 forbids all three).
var (
	// ErrDuplicateMember says that an object has two members of one name.
	ErrDuplicateMember = errors.New("canon: an object has two members of one name")
	// ErrLossyNumber says that a number changes its value as an IEEE 754 double.
	ErrLossyNumber = errors.New("canon: a number changes its value as a double")
	// ErrLoneSurrogate says that a string escapes half of a surrogate pair.
	ErrLoneSurrogate = errors.New("canon: a string has half of a surrogate pair")
)

// Document is one parsed JSON text. It is read-only, so any number of goroutines
// may use it, as long as nobody changes the source it refers to.
type Document struct {
	src   []byte
	nodes []node
	// order holds, for each object whose members must be sorted, the index after
	// the object, the number of members left without duplicates, and their names'
	// indices in sorted order.
	order []uint32
	// text and spans hold the names that are written with escapes, decoded.
	text    []byte
	spans   []span
	suspect bool // some node is worth a look by Ambiguous
}

// node is a value or a member name. An array's elements follow it on the tape; an
// object's members do too, each as its name and its value.
type node struct {
	start, end uint32 // the value's bytes in the source
	// link is, for an array or object, the index after its last descendant (in
	// order, if the object is shuffled); for an escaped name, its span.
	link  uint32
	kind  Kind
	flags flags
}

type span struct{ start, end uint32 }

type flags uint8

const (
	sortedForm flags = 1 << iota // the bytes in the source are the sorted form
	legacyForm                   // the bytes in the source are the legacy form
	escaped                      // a string has escapes
	lone                         // a string has half of a surrogate pair
	shuffled                     // an object's names do not ascend: see order
	duplicated                   // an object has two equal names
	relisted                     // an object's property order is not the source's
)

// Parse reads one JSON text (RFC 8259): UTF-8 without byte order mark, at most
// MaxDepth nested. The Document refers to src; do not change src while using it.
// It allocates at most about 16 times the size of src, in all. Every error is a
// *SyntaxError.
func Parse(src []byte) (*Document, error) {
	if uint64(len(src)) > math.MaxUint32 {
		return nil, &SyntaxError{reason: tooLong}
	}
	if at := invalidUTF8(src); at >= 0 {
		return nil, &SyntaxError{reason: notUTF8, Offset: at}
	}
	p := newParser(src)
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// AppendSorted appends the sorted form. Of members with one name the last counts.
// A number beyond the doubles is written null, as ECMAScript does.
func (d *Document) AppendSorted(dst []byte) []byte {
	return d.appendValue(slices.Grow(dst, len(d.src)), 0, sortedForm)
}

// AppendLegacy appends the legacy form. Members whose names are array indices
// come first, ascending; the others follow as they first appear. Of members with
// one name the first gives the place and the last the value. A number beyond the
// doubles is written null, as ECMAScript does.
func (d *Document) AppendLegacy(dst []byte) []byte {
	return d.appendValue(slices.Grow(dst, len(d.src)), 0, legacyForm)
}

// Ambiguous returns nil, or why readers may disagree on what the text says:
// ErrDuplicateMember, ErrLossyNumber or ErrLoneSurrogate, the first one met in
// source order, an object's names counting before its content. An ambiguous
// text's re-serialised form must not be trusted.
func (d *Document) Ambiguous() error { return d.ambiguous(true) }

// AmbiguousCopied is Ambiguous for a text that is copied and not re-serialised:
// its numbers stay as they are spelled, so none of them is lossy.
func (d *Document) AmbiguousCopied() error { return d.ambiguous(false) }

func (d *Document) ambiguous(numbers bool) error {
	if !d.suspect {
		return nil
	}
	for i := range d.nodes {
		n := &d.nodes[i]
		switch {
		case n.flags&duplicated != 0:
			return ErrDuplicateMember
		case n.flags&lone != 0:
			return ErrLoneSurrogate
		case numbers && n.kind == Number && n.flags&sortedForm == 0 && lossy(d.raw(n)):
			return ErrLossyNumber
		}
	}
	return nil
}

func (d *Document) raw(n *node) []byte { return d.src[n.start:n.end] }

// after returns the index that follows node i and all its descendants.
func (d *Document) after(i uint32) uint32 {
	n := &d.nodes[i]
	switch {
	case n.flags&shuffled != 0:
		return d.order[n.link]
	case n.kind == Array || n.kind == Object:
		return n.link
	default:
		return i + 1
	}
}
