package client

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// FuzzFrame: what is put together by hand is what Protocol Buffers would write.
func FuzzFrame(f *testing.F) {
	f.Add(uint64(1), "payerfsp", "", uint64(0))
	f.Add(uint64(1<<63), "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", uint64(1<<32-1))
	f.Fuzz(func(t *testing.T, id uint64, fsp, trace string, timeout uint64) {
		timeout %= 1 << 32
		request := &cpmv1.ProcessRequest{Fsp: fsp}
		encoded, err := proto.Marshal(request)
		if err != nil {
			t.Skip("texts of messages are UTF-8")
		}
		want := &cpmv1.StreamRequest{Id: id, Request: request, Traceparent: trace, TimeoutMs: uint32(timeout)}
		if _, err := proto.Marshal(want); err != nil {
			t.Skip("texts of messages are UTF-8")
		}
		var got cpmv1.StreamRequest
		if err := proto.Unmarshal(slices.Concat(newFrame(id, encoded, trace, timeout)...), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf("%v %v, want %v", &got, err, want)
		}
	})
}

// FuzzAnswer: whatever the other end sends is an answer of the operation or an error with a kind, and never makes a caller wait
// for longer than a minute.
func FuzzAnswer(f *testing.F) {
	for _, m := range []*cpmv1.ProcessResponse{
		{},
		{Result: &cpmv1.ProcessResponse_Random{Random: &cpmv1.RandomResponse{Random: []byte{1}}}},
		{Result: &cpmv1.ProcessResponse_Error{}},
		{Result: &cpmv1.ProcessResponse_Error{Error: &cpmv1.Error{ErrorInformation: &cpmv1.ErrorInformation{
			ErrorCode: "2005", ExtensionList: &cpmv1.ExtensionList{Extension: []*cpmv1.Extension{
				{Key: "kind", Value: "busy"}, {Key: "retryAfterMs", Value: "2147483647"},
			}},
		}}}},
	} {
		encoded, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var m cpmv1.ProcessResponse
		if proto.Unmarshal(encoded, &m) != nil {
			return
		}
		q := &inquiry{way: way{operation: "random"}, safe: true}
		e := q.judge(&m)
		if (e == nil) != (m.GetRandom() != nil) {
			t.Fatal(e)
		}
		if e == nil {
			return
		}
		if e.Error() == "" || !errors.Is(e, e.Kind) {
			t.Error(e)
		}
		if pause, _ := q.again(e, 1); pause < 0 || pause > mostAdvice+time.Second {
			t.Error(pause)
		}
	})
}
