package bench

import (
	"errors"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// wire is a message that is encoded already, in pieces.
type wire [][]byte

// wireCodec sends wire as it is and leaves everything else, answers among it, to gRPC's own codec.
type wireCodec struct{ encoding.CodecV2 }

func newWireCodec() (wireCodec, error) {
	codec := encoding.GetCodecV2("proto")
	if codec == nil {
		return wireCodec{}, errors.New("gRPC has no codec for Protocol Buffers")
	}
	return wireCodec{codec}, nil
}

// Marshal implements encoding.CodecV2.
func (c wireCodec) Marshal(v any) (mem.BufferSlice, error) {
	ready, ok := v.(wire)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	pieces := make(mem.BufferSlice, len(ready))
	for i, piece := range ready {
		pieces[i] = mem.SliceBuffer(piece)
	}
	return pieces, nil
}

// streamed is the wire form of a StreamRequest with an id (field 1) and an encoded ProcessRequest (field 2).
func streamed(id uint64, request []byte) wire {
	const room = 2*1 + 2*10 // two tags and two numbers
	head := make([]byte, 0, room)
	head = protowire.AppendTag(head, 1, protowire.VarintType)
	head = protowire.AppendVarint(head, id)
	head = protowire.AppendTag(head, 2, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(request)))
	return wire{head, request}
}
