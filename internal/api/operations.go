package api

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// operation is a row of the registry with its members in the envelopes.
type operation struct {
	cpm.Row
	// request and response are the operation's members of ProcessRequest and ProcessResponse.
	request, response protoreflect.FieldDescriptor
}

// operations is the registry as the doors look things up in it.
type operations struct {
	rows   []*operation
	byPath map[string]*operation
	// byField is indexed by the number of the member in ProcessRequest.
	byField map[protoreflect.FieldNumber]*operation
	asked   protoreflect.OneofDescriptor
}

func newOperations() operations {
	in := new(cpmv1.ProcessRequest).ProtoReflect().Descriptor()
	out := new(cpmv1.ProcessResponse).ProtoReflect().Descriptor()
	o := operations{
		byPath:  map[string]*operation{},
		byField: map[protoreflect.FieldNumber]*operation{},
		asked:   in.Oneofs().ByName("operation"),
	}
	for _, row := range cpm.Operations() {
		member := protoreflect.Name(row.Operation.Member())
		op := &operation{Row: row, request: in.Fields().ByName(member), response: out.Fields().ByName(member)}
		o.rows = append(o.rows, op)
		o.byPath[row.Operation.Path()] = op
		o.byField[op.request.Number()] = op
	}
	for _, a := range aliases() {
		o.byPath[a.path] = o.byPath[a.operation.Path()]
	}
	return o
}

// unpack finds the operation a ProcessRequest asks for and its message.
func (o *operations) unpack(r *cpmv1.ProcessRequest) (*operation, proto.Message, *fault.Error) {
	m := r.ProtoReflect()
	field := m.WhichOneof(o.asked)
	if field == nil {
		return nil, nil, fault.New(fault.Invalid, "the request names no operation")
	}
	op, ok := o.byField[field.Number()]
	if !ok {
		return nil, nil, fault.New(fault.Invalid, "the request names no operation")
	}
	return op, m.Get(field).Message().Interface(), nil
}

// pack makes the ProcessResponse of a result.
func (o *operations) pack(op *operation, m proto.Message) *cpmv1.ProcessResponse {
	r := new(cpmv1.ProcessResponse)
	r.ProtoReflect().Set(op.response, protoreflect.ValueOfMessage(m.ProtoReflect()))
	return r
}

// packDecline makes the ProcessResponse of a decline.
func packDecline(e *fault.Error, id string) *cpmv1.ProcessResponse {
	return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Error{Error: e.Message(id)}}
}
