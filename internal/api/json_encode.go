package api

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errNotUTF8 = errors.New("a text of the answer is not UTF-8")

// appendJSON appends m in the JSON mapping of Protocol Buffers, without white space, members in the order of their
// numbers, entries of maps in the order of their names. Its only error is a text that is not UTF-8.
func appendJSON(out []byte, s *shape, m proto.Message) ([]byte, error) {
	return s.append(out, m.ProtoReflect())
}

func (s *shape) append(out []byte, m protoreflect.Message) ([]byte, error) {
	out = append(out, '{')
	first := true
	for i := range s.fields {
		f := &s.fields[i]
		if !m.Has(f.descriptor) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, f.key...)
		var err error
		if out, err = f.append(out, m); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

func (f *field) append(out []byte, m protoreflect.Message) ([]byte, error) {
	switch {
	case f.list:
		return f.appendList(out, m.Get(f.descriptor).List())
	case f.one == someHeaders:
		return appendHeaders(out, headersOf(m))
	default:
		return f.appendOne(out, m.Get(f.descriptor))
	}
}

func (f *field) appendList(out []byte, l protoreflect.List) (_ []byte, err error) {
	out = append(out, '[')
	for i := range l.Len() {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = f.appendOne(out, l.Get(i)); err != nil {
			return out, err
		}
	}
	return append(out, ']'), nil
}

func (f *field) appendOne(out []byte, v protoreflect.Value) ([]byte, error) {
	switch f.one {
	case aString:
		return appendString(out, v.String())
	case someBytes:
		out = base64.StdEncoding.AppendEncode(append(out, '"'), v.Bytes())
		return append(out, '"'), nil
	case aBool:
		return strconv.AppendBool(out, v.Bool()), nil
	case aUint32:
		return strconv.AppendUint(out, v.Uint(), 10), nil
	case aUint64:
		out = strconv.AppendUint(append(out, '"'), v.Uint(), 10)
		return append(out, '"'), nil
	default:
		return f.message.append(out, v.Message())
	}
}

func appendHeaders(out []byte, headers map[string]string) (_ []byte, err error) {
	var room [16]string
	names := slices.AppendSeq(room[:0], maps.Keys(headers))
	slices.Sort(names)
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendString(out, name); err != nil {
			return out, err
		}
		if out, err = appendString(append(out, ':'), headers[name]); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

func appendString(out []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return out, errNotUTF8
	}
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			out = appendEscape(append(out, s[from:i]...), c)
			from = i + 1
		}
	}
	return append(append(out, s[from:]...), '"'), nil
}

func appendEscape(out []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	default:
		return append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
	}
}
