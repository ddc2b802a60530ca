package client

import (
	"errors"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that codec completes
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// frame is a StreamRequest that is encoded already, in pieces. A message that cannot be encoded would end a stream, and with
// it the calls of others, so each call encodes its own before the stream has it.
type frame [][]byte

// codec sends frames as they are and leaves answers to gRPC's own codec.
type codec struct{ encoding.CodecV2 }

func newCodec() (codec, error) {
	c := encoding.GetCodecV2("proto")
	if c == nil {
		return codec{}, errors.New("client: gRPC has no codec for Protocol Buffers")
	}
	return codec{c}, nil
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(frame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	pieces := make(mem.BufferSlice, len(f))
	for i, piece := range f {
		pieces[i] = mem.SliceBuffer(piece)
	}
	return pieces, nil
}

// The numbers of the members of StreamRequest.
const (
	fieldID          = 1
	fieldRequest     = 2
	fieldTraceparent = 3
	fieldTimeout     = 4
)

// newFrame is the wire form of a StreamRequest around an encoded ProcessRequest.
func newFrame(id uint64, request []byte, traceparent string, timeout uint64) frame {
	head := make([]byte, 0, 64+len(traceparent))
	head = protowire.AppendTag(head, fieldID, protowire.VarintType)
	head = protowire.AppendVarint(head, id)
	if traceparent != "" {
		head = protowire.AppendTag(head, fieldTraceparent, protowire.BytesType)
		head = protowire.AppendString(head, traceparent)
	}
	if timeout > 0 {
		head = protowire.AppendTag(head, fieldTimeout, protowire.VarintType)
		head = protowire.AppendVarint(head, timeout)
	}
	head = protowire.AppendTag(head, fieldRequest, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(request)))
	return frame{head, request}
}
