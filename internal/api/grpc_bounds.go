package api

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mojaloop/cpm/internal/fault"
)

var errWire = errors.New("expected a message of the definition")

// check walks over the bytes of a message before it is decoded, and refuses what has more than the limits, unknown and
// repeated members. It allocates nothing for what it refuses. Members that this version does not know are refused as in
// JSON: they might change what is asked for.
func (s *shape) check(in []byte) *fault.Error {
	return refusal(s.walk(in), "the message is not one of cpm.v1")
}

// refusal is the decline of an error of decoding: the one it is already, or Invalid with a constant text.
func refusal(err error, text string) *fault.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	return fault.New(fault.Invalid, "%s", text).Because(err)
}

func (s *shape) walk(in []byte) error {
	var found occurrences
	var room [16][]byte
	names := room[:0]
	for len(in) > 0 {
		number, wire, n := protowire.ConsumeTag(in)
		if n < 0 || int(number) >= len(s.byNumber) || s.byNumber[number] == 0 {
			return errWire
		}
		i := s.byNumber[number] - 1
		f := &s.fields[i]
		if wire != f.wire() {
			return errWire
		}
		if err := found.add(f, i); err != nil {
			return err
		}
		value, size, err := f.value(in[n:])
		if err != nil {
			return err
		}
		if f.one == someHeaders {
			if names, err = f.walkHeader(value, names); err != nil {
				return err
			}
		}
		in = in[n+size:]
	}
	return nil
}

// occurrences are the members of one message that were seen; items are those of all its lists together.
type occurrences struct {
	members, groups members
	items           int
}

func (o *occurrences) add(f *field, i int) error {
	switch {
	case f.one == someHeaders: // each header is an occurrence
		return nil
	case f.list:
		if o.items++; o.items > f.items {
			return tooLarge("a list has more than %d items", f.items)
		}
		return nil
	case !o.members.add(i) || f.group >= 0 && !o.groups.add(f.group):
		return errWire
	default:
		return nil
	}
}

// wire is the wire type of the member; lists of numbers, which are packed, do not exist.
func (f *field) wire() protowire.Type {
	switch f.one {
	case aBool, aUint32, aUint64:
		return protowire.VarintType
	default:
		return protowire.BytesType
	}
}

// value measures the value at the start of in and checks it.
func (f *field) value(in []byte) (value []byte, n int, err error) {
	if f.wire() == protowire.VarintType {
		if _, n = protowire.ConsumeVarint(in); n < 0 {
			return nil, 0, errWire
		}
		return nil, n, nil
	}
	value, n = protowire.ConsumeBytes(in)
	if n < 0 {
		return nil, 0, errWire
	}
	switch {
	case f.one == aMessage:
		err = f.message.walk(value)
	case f.one != someHeaders && len(value) > f.most:
		err = tooLarge("a text has more than %d bytes", f.most)
	}
	return value, n, err
}

// walkHeader checks one entry of the map: exactly a name and a value, and no name twice, of which the map would keep one.
func (f *field) walkHeader(entry []byte, names [][]byte) ([][]byte, error) {
	if len(names) == f.limits.Headers {
		return names, tooLarge("more than %d headers", f.limits.Headers)
	}
	var parts [3][]byte
	for len(entry) > 0 {
		number, wire, n := protowire.ConsumeTag(entry)
		if n < 0 || number > 2 || wire != protowire.BytesType || parts[number] != nil {
			return names, errWire
		}
		part, m := protowire.ConsumeBytes(entry[n:])
		if m < 0 {
			return names, errWire
		}
		parts[number] = part
		entry = entry[n+m:]
	}
	if len(parts[1]) > f.limits.HeaderName || len(parts[2]) > f.limits.HeaderValue {
		return names, tooLarge("a header's name or value is too long")
	}
	for _, name := range names {
		if bytes.Equal(name, parts[1]) {
			return names, errWire
		}
	}
	return append(names, parts[1]), nil
}
