package canon

import "iter"

// Kind is what a JSON value is. The zero Kind is none: that of a Value which does
// not come from a Document.
type Kind uint8

// The kinds of RFC 8259 section 3.
const (
	Null Kind = iota + 1
	False
	True
	Number
	String
	Array
	Object
)

// Value is a view of one value in a Document. It refers to the Document's source.
// The zero Value is none.
type Value struct {
	doc *Document
	at  uint32
}

// Root is the value that the whole text is.
func (d *Document) Root() Value { return Value{doc: d} }

// Kind returns what the value is.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return 0
	}
	return v.doc.nodes[v.at].kind
}

// Raw returns the value as the source has it; do not change it.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	return v.doc.raw(&v.doc.nodes[v.at])
}

// Span returns where in the source the value begins and ends, so that others can be
// put in its place and the rest keeps its bytes.
func (v Value) Span() (start, end int) {
	if v.doc == nil {
		return 0, 0
	}
	n := &v.doc.nodes[v.at]
	return int(n.start), int(n.end)
}

// Text returns a string's text, and false for any other value. Half a surrogate
// pair, of which Ambiguous warns, is encoded like other characters: the text is
// then not UTF-8, equals no other, and AppendString turns it back.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	n := &v.doc.nodes[v.at]
	inner := v.doc.inner(n)
	if n.flags&escaped != 0 {
		inner = appendDecoded(make([]byte, 0, len(inner)), inner)
	}
	return string(inner), true
}

// Member returns the member of an object that has this name, decoded as by Text. It
// is false if there is none; an object with two members of one name has none, whatever
// the name: nobody could say which of them is meant.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind() != Object || v.doc.nodes[v.at].flags&duplicated != 0 {
		return Value{}, false
	}
	return v.first(name)
}

// Members yields the names, decoded as by Text, and the values of an object in source
// order, those of one name each; nothing for any other value.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		d := v.doc
		for name := v.at + 1; name < d.after(v.at); name = d.after(name + 1) {
			if !yield(string(d.name(name)), Value{doc: d, at: name + 1}) {
				return
			}
		}
	}
}

// Elements yields the values of an array in their order; nothing for any other value.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for i := v.at + 1; i < v.doc.after(v.at); i = v.doc.after(i) {
			if !yield(Value{doc: v.doc, at: i}) {
				return
			}
		}
	}
}

// IsObject says whether the text is an object.
func (d *Document) IsObject() bool { return d.nodes[0].kind == Object }

// Members yields the members of a text that is an object; see Value.Members.
func (d *Document) Members() iter.Seq2[string, Value] { return d.Root().Members() }

// first is the first member of an object that has this name.
func (v Value) first(wanted string) (Value, bool) {
	for name, value := range v.Members() {
		if name == wanted {
			return value, true
		}
	}
	return Value{}, false
}
