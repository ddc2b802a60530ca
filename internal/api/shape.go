package api

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// shape is a message type prepared for reading and writing: the tables by which the JSON mapping of Protocol Buffers and
// the bounds of both encodings are applied without looking anything up in descriptors. Everything in it comes from the
// definition and the limits.
//
// The mapping is ours and not protojson's because protojson has no bounds between the socket and the allocation, costs a
// quarter of an ECDSA signature for each message and quotes its input in its errors. protojson stays the oracle of the
// tests.
type shape struct {
	fields   []field
	byName   map[string]int
	byNumber []int // index into fields + 1, by field number
}

// field is one member of a message.
type field struct {
	descriptor protoreflect.FieldDescriptor
	// key is the member's name as it is written: quoted, with the colon.
	key string
	// one is how a value is written. Lists are of messages or of texts.
	one  kind
	list bool
	// group is the index of the oneof the member belongs to, or -1.
	group int
	// most bounds a text or bytes, or each text of a list, in bytes; items bounds a list.
	most, items int
	// limits bound a map of headers.
	limits  *Limits
	message *shape
}

// kind is how a value is written.
type kind uint8

const (
	aString kind = iota
	someBytes
	aBool
	aUint32
	aUint64
	aMessage
	someHeaders // a map of text by text; the only maps there are
)

// members is a set of members of one message, by index.
type members [2]uint64

// add says whether the member is new.
func (m *members) add(i int) bool {
	word, bit := i/64, uint64(1)<<(i%64)
	if m[word]&bit != 0 {
		return false
	}
	m[word] |= bit
	return true
}

// shapes are the shapes of the messages that come and go in JSON, and of those that come in gRPC.
type shapes struct {
	processRequest, processResponse, batchRequest, batchResponse, streamRequest, failure *shape
	// requests and responses are the operations' own.
	requests, responses map[*operation]*shape
}

func newShapes(o operations, l *Limits) shapes {
	made := map[protoreflect.FullName]*shape{}
	of := func(m protoreflect.ProtoMessage) *shape { return newShape(m.ProtoReflect().Descriptor(), l, made) }
	s := shapes{
		processRequest: of(new(cpmv1.ProcessRequest)), processResponse: of(new(cpmv1.ProcessResponse)),
		batchRequest: of(new(cpmv1.BatchRequest)), batchResponse: of(new(cpmv1.BatchResponse)),
		streamRequest: of(new(cpmv1.StreamRequest)), failure: of(new(cpmv1.Error)),
		requests: map[*operation]*shape{}, responses: map[*operation]*shape{},
	}
	for _, op := range o.rows {
		s.requests[op] = of(op.NewRequest())
		s.responses[op] = of(op.NewResponse())
	}
	return s
}

func newShape(d protoreflect.MessageDescriptor, l *Limits, made map[protoreflect.FullName]*shape) *shape {
	if s, ok := made[d.FullName()]; ok {
		return s
	}
	s := &shape{byName: map[string]int{}}
	made[d.FullName()] = s
	for i := range d.Fields().Len() {
		f := newField(d.Fields().Get(i), l, made)
		s.byName[f.descriptor.JSONName()] = i
		s.byName[f.descriptor.TextName()] = i
		for len(s.byNumber) <= int(d.Fields().Get(i).Number()) {
			s.byNumber = append(s.byNumber, 0)
		}
		s.byNumber[f.descriptor.Number()] = i + 1
		s.fields = append(s.fields, f)
	}
	return s
}

func newField(d protoreflect.FieldDescriptor, l *Limits, made map[protoreflect.FullName]*shape) field {
	f := field{descriptor: d, limits: l, key: `"` + d.JSONName() + `":`, one: kindOf(d), list: d.IsList(), group: -1, most: l.HeaderValue}
	if o := d.ContainingOneof(); o != nil && !o.IsSynthetic() {
		f.group = o.Index()
	}
	switch d.Name() {
	case "body", "body_base64", "data", "plaintext":
		f.most = l.Body
	case "ciphertext":
		f.most = l.Body + l.HeaderValue // room for what encryption adds
	}
	f.items = l.Headers
	if f.one == aMessage {
		f.items = l.BatchItems
		f.message = newShape(d.Message(), l, made)
	}
	return f
}

// kindOf panics for what no message has yet; who adds the first one adds its JSON and its test.
func kindOf(d protoreflect.FieldDescriptor) kind {
	kinds := map[protoreflect.Kind]kind{
		protoreflect.StringKind: aString, protoreflect.BytesKind: someBytes, protoreflect.BoolKind: aBool,
		protoreflect.Uint32Kind: aUint32, protoreflect.Uint64Kind: aUint64, protoreflect.MessageKind: aMessage,
	}
	k, ok := kinds[d.Kind()]
	if d.IsMap() {
		k, ok = someHeaders, d.Name() == "headers" && d.MapValue().Kind() == protoreflect.StringKind
	}
	if !ok || d.IsList() && k != aMessage && k != aString {
		panic(fmt.Sprintf("no JSON mapping for %s of kind %s", d.FullName(), d.Kind()))
	}
	return k
}
