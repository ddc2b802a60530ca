package bench

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// workload is one operation with one key: what is sent again and again, in every encoding, made before anything is timed.
type workload struct {
	key       Key
	operation string
	fsp       string
	// primitive is the bare cryptography to compare with.
	primitive primitive
	single    []call
	batches   []call
}

// call is what one call sends.
type call struct {
	// items are the operations, in the order of the answers.
	items []*cpmv1.ProcessRequest
	// batch says that they go as a batch, even if there is only one.
	batch bool
	// json is the body of the HTTP request, proto the message of the gRPC request.
	json, proto []byte
}

func newCall(items []*cpmv1.ProcessRequest, batch bool) (call, error) {
	var inJSON, inProto proto.Message = payload(items[0]), items[0]
	if batch {
		inJSON = &cpmv1.BatchRequest{Items: items}
		inProto = inJSON
	}
	c := call{items: items, batch: batch}
	var err error
	if c.json, err = marshal(inJSON); err != nil {
		return call{}, err
	}
	if c.proto, err = proto.Marshal(inProto); err != nil {
		return call{}, fmt.Errorf("encode a request: %w", err)
	}
	return c, nil
}

// batchVariants is the number of different batches: as many as callers send at a time by default.
const batchVariants = 4

// newWorkload encodes the requests. There must be at least size of them.
func newWorkload(key Key, operation string, requests []*cpmv1.ProcessRequest, size int) (*workload, error) {
	w := &workload{key: key, operation: operation, fsp: requests[0].GetFsp()}
	for i := range requests {
		c, err := newCall(requests[i:i+1], false)
		if err != nil {
			return nil, err
		}
		w.single = append(w.single, c)
	}
	for i := range batchVariants {
		c, err := newCall(rotate(requests, i*len(requests)/batchVariants)[:size], true)
		if err != nil {
			return nil, err
		}
		w.batches = append(w.batches, c)
	}
	return w, nil
}

func rotate[T any](s []T, by int) []T {
	return append(append([]T(nil), s[by:]...), s[:by]...)
}

// payload is the operation's own message, the body of its JSON path.
func payload(r *cpmv1.ProcessRequest) proto.Message {
	if verify := r.GetJwsVerify(); verify != nil {
		return verify
	}
	return r.GetJwsSign()
}

// marshal is the compact JSON of a message; protojson puts spaces where it likes.
func marshal(m proto.Message) ([]byte, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return compact.Bytes(), nil
}

// turn hands the calls of a workload to one caller, in a circle that begins at the caller's own place.
type turn struct {
	calls []call
	at    int
}

func newTurn(calls []call, caller, callers int) *turn {
	return &turn{calls: calls, at: caller * len(calls) / callers}
}

// next is the call to make now.
func (t *turn) next() *call {
	t.at = (t.at + 1) % len(t.calls)
	return &t.calls[t.at]
}

// last is the call that was made last.
func (t *turn) last() *call { return &t.calls[t.at] }
