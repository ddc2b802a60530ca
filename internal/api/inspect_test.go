package api

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mojaloop/cpm/internal/cpm"
)

// TestEveryMemberHasItsWeight: what a request weighs is what is counted against the bytes in flight, and by it work is scheduled.
func TestEveryMemberHasItsWeight(t *testing.T) {
	t.Parallel()
	const content = 1000
	limits := DefaultLimits()
	for _, row := range cpm.Operations() {
		for path, m := range filled(row.NewRequest().ProtoReflect().Type(), strings.Repeat("a", content)) {
			size, e := limits.inspect(m)
			if e != nil || size < envelope+content || size > 2*envelope+content {
				t.Errorf("%s: %s of %d bytes weighs %d, %v", row.Operation, path, content, size, e)
			}
		}
	}
}

// filled are messages of a type, in each of which one member has the content; those of messages within by their path.
func filled(of protoreflect.MessageType, content string) map[string]proto.Message {
	all := map[string]proto.Message{}
	members := of.Descriptor().Fields()
	for i := range members.Len() {
		field, m := members.Get(i), of.New()
		value := protoreflect.ValueOfString(content)
		switch {
		case field.IsMap():
			m.Mutable(field).Map().Set(protoreflect.ValueOfString("name").MapKey(), value)
		case field.IsList():
			m.Mutable(field).List().Append(value)
		case field.Kind() == protoreflect.StringKind:
			m.Set(field, value)
		case field.Kind() == protoreflect.BytesKind:
			m.Set(field, protoreflect.ValueOfBytes([]byte(content)))
		case field.Kind() == protoreflect.MessageKind:
			for path, within := range filled(m.NewField(field).Message().Type(), content) {
				outer := of.New()
				outer.Set(field, protoreflect.ValueOfMessage(within.ProtoReflect()))
				all[string(field.Name())+"."+path] = outer.Interface()
			}
			continue
		default:
			continue // numbers and switches
		}
		all[string(field.Name())] = m.Interface()
	}
	return all
}
