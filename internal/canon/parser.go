package canon

import (
	"bytes"
	"unicode/utf16"
)

// parser is a recursive descent over src that fills doc's tape. Its methods leave
// pos behind what they read, or at the fault.
type parser struct {
	src   []byte
	pos   int
	doc   *Document
	names int // no fewer than the member names in src
	limit int // no fewer than the nodes of src
	edits edits
}

func newParser(src []byte) *parser {
	names := bytes.Count(src, []byte{':'})
	// Each node but the first stands behind a separator or an opening bracket of
	// its own, and n nodes take at least 2n-1 bytes.
	limit := 1 + names + bytes.Count(src, []byte{','}) + bytes.Count(src, []byte{'['}) + bytes.Count(src, []byte{'{'})
	limit = min(limit, len(src)/2+1)
	nodes := make([]node, 0, firstNodes(limit))
	return &parser{src: src, doc: &Document{src: src, nodes: nodes}, names: names, limit: limit}
}

// edits counts the places so far where each form differs from the source. A value
// during which a count stands still can be copied.
type edits struct{ sorted, legacy int }

func (p *parser) edit() {
	p.edits.sorted++
	p.edits.legacy++
}

func (p *parser) fail(r reason) *SyntaxError {
	return &SyntaxError{reason: r, Offset: p.pos}
}

// document is "ws value ws" and nothing else.
func (p *parser) document() error {
	p.space()
	if err := p.value(0); err != nil {
		return err
	}
	p.space()
	if p.pos < len(p.src) {
		return p.fail(trailingData)
	}
	return nil
}

// value reads one value inside depth arrays and objects.
func (p *parser) value(depth int) *SyntaxError {
	switch p.peek() {
	case '"':
		_, err := p.text()
		return err
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.number()
	case 't':
		return p.literal("true", True)
	case 'f':
		return p.literal("false", False)
	case 'n':
		return p.literal("null", Null)
	default:
		return p.fail(noValue)
	}
}

func (p *parser) array(depth int) *SyntaxError {
	if depth >= MaxDepth {
		return p.fail(tooDeep)
	}
	self, before := p.open(Array), p.edits
	more := !p.closed(']')
	for more {
		err := p.value(depth + 1)
		if err != nil {
			return err
		}
		if more, err = p.separator(']'); err != nil {
			return err
		}
	}
	p.close(self, before)
	return nil
}

func (p *parser) object(depth int) *SyntaxError {
	if depth >= MaxDepth {
		return p.fail(tooDeep)
	}
	self, before := p.open(Object), p.edits
	names := newNameOrder()
	more := !p.closed('}')
	for more {
		name, err := p.name()
		if err != nil {
			return err
		}
		names.add(name)
		if err = p.value(depth + 1); err != nil {
			return err
		}
		if more, err = p.separator('}'); err != nil {
			return err
		}
	}
	p.list(self, &names)
	p.close(self, before)
	return nil
}

// name reads a member name up to the first byte of the value.
func (p *parser) name() ([]byte, *SyntaxError) {
	if p.peek() != '"' {
		return nil, p.fail(noName)
	}
	self, err := p.text()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.peek() != ':' {
		return nil, p.fail(noColon)
	}
	p.pos++
	p.space()
	return p.doc.keep(self), nil
}

// separator reads a comma, and says that more follows, or the closing bracket.
func (p *parser) separator(closing byte) (more bool, err *SyntaxError) {
	p.space()
	switch p.peek() {
	case closing:
		p.pos++
		return false, nil
	case ',':
		p.pos++
		p.space()
		return true, nil
	default:
		return false, p.fail(noSeparator)
	}
}

// closed reads what follows an opening bracket if it is the closing one.
func (p *parser) closed(closing byte) bool {
	p.space()
	if p.peek() != closing {
		return false
	}
	p.pos++
	return true
}

func (p *parser) literal(word string, kind Kind) *SyntaxError {
	start, end := p.pos, p.pos+len(word)
	if end > len(p.src) || string(p.src[start:end]) != word {
		return p.fail(badLiteral)
	}
	p.pos = end
	p.push(kind, start, sortedForm|legacyForm)
	return nil
}

// text reads a string and returns its node.
func (p *parser) text() (uint32, *SyntaxError) {
	start, marks := p.pos, sortedForm|legacyForm
	p.pos++
	for {
		p.pos = plainEnd(p.src, p.pos)
		switch p.peek() {
		case '"':
			p.pos++
			return p.push(String, start, marks), nil
		case '\\':
			err := p.escape(&marks)
			if err != nil {
				return 0, err
			}
		default:
			if p.pos < len(p.src) {
				return 0, p.fail(rawControl)
			}
			return 0, p.fail(unterminated)
		}
	}
}

// escape reads one escape and adds to marks what it means for the string.
func (p *parser) escape(marks *flags) *SyntaxError {
	r, size := decodeEscape(p.src[p.pos:])
	if size == 0 {
		return p.fail(badEscape)
	}
	*marks |= escaped
	if utf16.IsSurrogate(r) {
		*marks |= lone
		p.doc.suspect = true
	}
	if !canonicalEscape(r, p.src[p.pos:p.pos+size]) {
		*marks &^= sortedForm | legacyForm
	}
	p.pos += size
	return nil
}

// number reads a number. Up to 15 digits of a whole number are its canonical
// form, so long as they are not -0.
func (p *parser) number() *SyntaxError {
	start := p.pos
	end, whole := scanNumber(p.src, start)
	if end < 0 {
		return p.fail(badNumber)
	}
	p.pos = end
	marks := sortedForm | legacyForm
	if !whole || end-start > 15 || string(p.src[start:end]) == "-0" {
		marks = 0
		p.doc.suspect = true
	}
	p.push(Number, start, marks)
	return nil
}

// space skips white space; only a text without any can be copied.
func (p *parser) space() {
	if p.pos >= len(p.src) || p.src[p.pos] > ' ' {
		return
	}
	from := p.pos
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
	if p.pos > from {
		p.edit()
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// peek returns the byte at pos, or zero, which is no part of any token, at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}
