package api

import (
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mojaloop/cpm/internal/fault"
)

// decodeJSON reads one JSON text into m. It takes what the JSON mapping of Protocol Buffers allows, except that numbers
// are plain integers and bytes are standard base64 with padding. Unknown and repeated members are refused. Nesting needs
// no bound: there is no deeper than the definition.
func decodeJSON(in []byte, s *shape, m proto.Message) *fault.Error {
	t := &text{in: in}
	err := s.decode(t, m.ProtoReflect())
	if err == nil && !t.ended() {
		err = t.expected("the end of the text")
	}
	return refusal(err, "the request body is not the JSON of this operation")
}

func (s *shape) decode(t *text, m protoreflect.Message) error {
	if !t.take('{') {
		return t.expected("an object")
	}
	if t.take('}') {
		return nil
	}
	var seen, groups members
	for {
		f, err := s.name(t, &seen)
		if err != nil {
			return err
		}
		if !t.takeWord("null") {
			if f.group >= 0 && !groups.add(f.group) {
				return t.expected("only one of the members of which one may be given")
			}
			if err := f.decode(t, m); err != nil {
				return err
			}
		}
		if !t.take(',') {
			break
		}
	}
	if !t.take('}') {
		return t.expected("',' or '}'")
	}
	return nil
}

// name takes a member's name and the colon.
func (s *shape) name(t *text, seen *members) (*field, error) {
	q, err := t.takeString(len(t.in))
	if err != nil {
		return nil, err
	}
	i, ok := s.byName[string(q.raw)]
	if q.escaped() {
		i, ok = s.byName[q.String()]
	}
	if !ok {
		return nil, t.expected("a known member before this")
	}
	if !seen.add(i) {
		return nil, t.expected("each member once, before this")
	}
	if !t.take(':') {
		return nil, t.expected("':'")
	}
	return &s.fields[i], nil
}

func (f *field) decode(t *text, m protoreflect.Message) error {
	if f.list {
		return f.decodeList(t, m.Mutable(f.descriptor).List())
	}
	switch f.one {
	case someHeaders:
		return f.decodeHeaders(t, f.headersOf(m))
	case aMessage:
		return f.message.decode(t, m.Mutable(f.descriptor).Message())
	default:
		v, err := f.decodeScalar(t)
		if err == nil {
			m.Set(f.descriptor, v)
		}
		return err
	}
}

func (f *field) decodeList(t *text, l protoreflect.List) error {
	if !t.take('[') {
		return t.expected("a list")
	}
	if t.take(']') {
		return nil
	}
	for {
		if l.Len() == f.items {
			return tooLarge("a list has more than %d items", f.items)
		}
		if err := f.decodeItem(t, l); err != nil {
			return err
		}
		if !t.take(',') {
			break
		}
	}
	if !t.take(']') {
		return t.expected("',' or ']'")
	}
	return nil
}

func (f *field) decodeItem(t *text, l protoreflect.List) error {
	if f.one == aMessage {
		return f.message.decode(t, l.AppendMutable().Message())
	}
	v, err := f.decodeScalar(t)
	if err == nil {
		l.Append(v)
	}
	return err
}

// headersOf gives the map of m itself. Reflection would allocate seven times for each header.
func (f *field) headersOf(m protoreflect.Message) map[string]string {
	if !m.Has(f.descriptor) {
		m.Mutable(f.descriptor)
	}
	return headersOf(m)
}

// headersOf is the map of a message whose shape has one; a test walks all of them.
func headersOf(m protoreflect.Message) map[string]string {
	if h, ok := m.Interface().(headed); ok {
		return h.GetHeaders()
	}
	return nil
}

func (f *field) decodeHeaders(t *text, headers map[string]string) error {
	if !t.take('{') {
		return t.expected("an object")
	}
	if t.take('}') {
		return nil
	}
	for {
		if len(headers) == f.limits.Headers {
			return tooLarge("more than %d headers", f.limits.Headers)
		}
		if err := f.decodeHeader(t, headers); err != nil {
			return err
		}
		if !t.take(',') {
			break
		}
	}
	if !t.take('}') {
		return t.expected("',' or '}'")
	}
	return nil
}

func (f *field) decodeHeader(t *text, headers map[string]string) error {
	quotedName, err := t.takeString(f.limits.HeaderName)
	if err != nil {
		return err
	}
	name := quotedName.String()
	if _, twice := headers[name]; twice {
		return t.expected("each header once, before this")
	}
	if !t.take(':') {
		return t.expected("':'")
	}
	value, err := t.takeString(f.limits.HeaderValue)
	if err != nil {
		return err
	}
	headers[name] = value.String()
	return nil
}

func (f *field) decodeScalar(t *text) (v protoreflect.Value, err error) {
	switch f.one {
	case aString:
		q, err := t.takeString(f.most)
		if err != nil {
			return v, err
		}
		return protoreflect.ValueOfString(q.String()), nil
	case someBytes:
		return f.decodeBytes(t)
	case aBool:
		if t.takeWord("true") {
			return protoreflect.ValueOfBool(true), nil
		}
		if t.takeWord("false") {
			return protoreflect.ValueOfBool(false), nil
		}
		return v, t.expected("true or false")
	default:
		return f.decodeInteger(t)
	}
}

// decodeBytes reads base64 (RFC 4648, section 4).
func (f *field) decodeBytes(t *text) (v protoreflect.Value, err error) {
	q, err := t.takeString(base64.StdEncoding.EncodedLen(f.most))
	if err != nil {
		return v, err
	}
	in := q.raw
	if q.escaped() {
		in = []byte(q.String())
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(in)))
	n, err := base64.StdEncoding.Strict().Decode(out, in)
	// The decoder skips line ends, which a string has only if they were escaped.
	if err != nil || base64.StdEncoding.EncodedLen(n) != len(in) {
		return v, t.expected("base64 before this")
	}
	if n > f.most {
		return v, tooLarge("the decoded body has more than %d bytes", f.most)
	}
	return protoreflect.ValueOfBytes(out[:n:n]), nil
}

// decodeInteger reads an integer, which may be quoted as JSON writers do with 64 bits.
func (f *field) decodeInteger(t *text) (v protoreflect.Value, err error) {
	quote := t.take('"')
	digits, err := t.digits()
	if err != nil {
		return v, err
	}
	if quote && (t.at == len(t.in) || t.in[t.at] != '"') {
		return v, t.expected("the end of a string")
	}
	if quote {
		t.at++
	}
	size := 64
	if f.one == aUint32 {
		size = 32
	}
	n, err := strconv.ParseUint(string(digits), 10, size)
	if err != nil {
		return v, t.expected("a smaller integer before this")
	}
	if size == 32 {
		return protoreflect.ValueOfUint32(uint32(n)), nil //nolint:gosec // parsed as 32 bits
	}
	return protoreflect.ValueOfUint64(n), nil
}
