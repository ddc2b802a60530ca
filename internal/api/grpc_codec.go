package api

import (
	"errors"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/admission"
)

// frame is a message as it came, kept until somebody who can decline it decodes it.
type frame struct {
	data mem.Buffer
	// most is how many bytes are kept; of a longer message only its length is. 0 keeps any.
	most, length int
	// decoded is how many bytes were decoded, if any.
	decoded int
	// caller is whose it is, and pledge what is reserved for it.
	caller admission.Caller
	pledge pledge
}

func (f *frame) bytes() []byte {
	if f.data == nil {
		return nil
	}
	return f.data.ReadOnlyData()
}

// free gives the memory back; the bytes may not be used any more.
func (f *frame) free() {
	f.pledge.give()
	if f.data != nil {
		f.data.Free()
		f.data = nil
	}
}

// sealed is an answer that has been encoded, so that sending it is short.
type sealed struct{ data mem.BufferSlice }

// codec hands requests over undecoded: gRPC's own would decode without bounds and answer with its error text.
type codec struct{ buffers *buffers }

var errCodec = errors.New("not a message of this service")

// Name is the content subtype.
func (codec) Name() string { return "proto" }

// Unmarshal keeps the bytes, in memory of no more than twice as many. That of gRPC's own pools has many times as many.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return errCodec
	}
	f.free()
	if f.length = data.Len(); f.most > 0 && f.length > f.most {
		return nil
	}
	f.data = data.MaterializeToBuffer(c.buffers)
	return nil
}

// Marshal encodes a message that has not been encoded yet.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *sealed:
		return m.data, nil
	case proto.Message:
		return seal(m, c.buffers)
	default:
		return nil, errCodec
	}
}

// seal encodes m into memory that gRPC gives back when it has sent it. gRPC's own pools have slices that are many times as large
// as the answer, and all of a slice is in use for as long as the answer is not read.
func seal(m proto.Message, pool *buffers) (mem.BufferSlice, error) {
	size := proto.Size(m)
	options := proto.MarshalOptions{UseCachedSize: true}
	if mem.IsBelowBufferPoolingThreshold(size) {
		out, err := options.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(out)}, err
	}
	room := pool.Get(size)
	out, err := options.MarshalAppend((*room)[:0], m)
	if err != nil {
		pool.Put(room)
		return nil, err
	}
	*room = out
	return mem.BufferSlice{mem.NewBuffer(room, pool)}, nil
}
