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
type Value struct {
	raw   []byte
	kind  Kind
	flags flags
}

// Kind returns what the value is.
func (v Value) Kind() Kind { return v.kind }

// Raw returns the value as the source has it; do not change it.
func (v Value) Raw() []byte { return v.raw }

// Text returns a string's text, and false for any other value. Half a surrogate
// pair, of which Ambiguous warns, is encoded like other characters: the text is
// then not UTF-8, equals no other, and AppendString turns it back.
func (v Value) Text() (string, bool) {
	if v.kind != String {
		return "", false
	}
	inner := v.raw[1 : len(v.raw)-1]
	if v.flags&escaped != 0 {
		inner = appendDecoded(make([]byte, 0, len(inner)), inner)
	}
	return string(inner), true
}

// IsObject says whether the text is an object.
func (d *Document) IsObject() bool { return d.nodes[0].kind == Object }

// Members yields the names, decoded as by Value.Text, and the values of a
// top-level object in source order, those of one name each; nothing for any other
// value.
func (d *Document) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !d.IsObject() {
			return
		}
		for name := uint32(1); name < d.after(0); name = d.after(name + 1) {
			n := &d.nodes[name+1]
			if !yield(string(d.name(name)), Value{raw: d.raw(n), kind: n.kind, flags: n.flags}) {
				return
			}
		}
	}
}

// Lookup finds the value that is reached from the top-level object through the members of these names, one inside the
// other. It does not go into arrays. Of members with one name it takes the first: ask Ambiguous before.
func (d *Document) Lookup(path ...string) (Value, bool) {
	at := uint32(0)
	for _, wanted := range path {
		child, ok := d.member(at, wanted)
		if !ok {
			return Value{}, false
		}
		at = child
	}
	n := &d.nodes[at]
	return Value{raw: d.raw(n), kind: n.kind, flags: n.flags}, true
}

// member is the node of the value an object has under a name.
func (d *Document) member(object uint32, wanted string) (uint32, bool) {
	if d.nodes[object].kind != Object {
		return 0, false
	}
	for name := object + 1; name < d.after(object); name = d.after(name + 1) {
		if string(d.name(name)) == wanted {
			return name + 1, true
		}
	}
	return 0, false
}
