package api

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// bulk is a batch that is performed.
type bulk struct {
	*inquiry

	door  *Door
	ctx   context.Context
	items []*cpmv1.ProcessRequest
	out   results
	// room is how many bytes of results there is room for; it stays below 0 once there was none for one of them.
	room atomic.Int64
	// next is the item whose turn comes next; lanes are how many are under way, each in a goroutine.
	next, lanes atomic.Int64
	others      sync.WaitGroup
}

// batch performs the items of a batch: one after another on the place that the request has, and beside that on others as far as
// its caller may have more under way, at most Limits.BatchParallel at once. Each arrives when its turn comes, so that its timer
// does not run while it waits for the others.
func (d *Door) batch(ctx context.Context, q *inquiry, items []*cpmv1.ProcessRequest, out results) *fault.Error {
	if len(items) == 0 {
		return fault.New(fault.Missing, "the batch has no items")
	}
	// The items are counted, each by itself, and not the batch.
	q.counted = true
	b := &bulk{inquiry: q, door: d, ctx: ctx, items: items, out: out}
	b.room.Store(int64(d.limits.BatchResults))
	b.lanes.Store(1)
	defer b.others.Wait()
	b.run(q.place)
	return nil
}

// run performs items one after another on a place until all have had their turn.
func (b *bulk) run(place *admission.Place) {
	for {
		i := int(b.next.Add(1)) - 1
		if i >= len(b.items) {
			return
		}
		b.item(i, place)
	}
}

// widen has the next item begin beside those under way, if there is one and its caller has a place for it.
func (b *bulk) widen() {
	if int(b.next.Load()) >= len(b.items) {
		return
	}
	if b.lanes.Add(1) <= int64(b.door.limits.BatchParallel) {
		if place, ok := b.door.admission.Beside(b.caller); ok {
			b.others.Go(func() {
				defer b.lanes.Add(-1)
				defer place.Leave()
				b.run(place)
			})
			return
		}
	}
	b.lanes.Add(-1)
}

// item performs one item of a batch, whose request id is that of the batch with the item's index. A panic is the item's own: nobody
// else would recover from that of a lane.
func (b *bulk) item(i int, place *admission.Place) {
	q := b.door.begin(b.port, b.id+"-"+strconv.Itoa(i), b.caller, b.pace)
	q.trace, q.price = b.trace, itemPrice
	e := b.perform(&q, i, place)
	b.door.conclude(b.ctx, &q, e)
	if e != nil {
		_, _ = b.out.keep(i, packDecline(e, q.id)) // whose texts are our own
	}
}

// perform has the next item begin, does what this one asks for and keeps the result. The first was let in with the batch.
func (b *bulk) perform(q *inquiry, i int, place *admission.Place) (e *fault.Error) {
	defer func() {
		if v := recover(); v != nil {
			e = b.door.panicked(b.ctx, q.id, v)
		}
	}()
	b.widen()
	if b.room.Load() < 0 {
		q.logged = true // one line for the batch is enough
		return tooLarge("the results of the batch have more than %d bytes; ask for this in a smaller one", b.door.limits.BatchResults)
	}
	if i > 0 {
		if e = b.door.admission.Again(b.ctx, b.caller, place); e != nil {
			q.logged = true
			return e
		}
	}
	r, e := b.door.processEnvelope(b.ctx, q, b.items[i])
	if e != nil {
		return e
	}
	return b.keep(q, i, r)
}

// keep keeps a result if there is room for it.
func (b *bulk) keep(q *inquiry, i int, r *cpmv1.ProcessResponse) *fault.Error {
	size, err := b.out.keep(i, r)
	if err != nil {
		return b.door.explain(b.ctx, q, err)
	}
	if b.room.Add(-int64(size)) >= 0 {
		return nil
	}
	q.logged = false
	return tooLarge("it was done, but the results of the batch have more than %d bytes; make smaller ones", b.door.limits.BatchResults)
}

// results are those of a batch, in the form in which its port sends them. keep takes that of an item in place of the one before,
// and says how many bytes it has there.
type results interface {
	keep(i int, r *cpmv1.ProcessResponse) (size int, err error)
}

// messages are the results of a batch in gRPC.
type messages struct{ *cpmv1.BatchResponse }

func newMessages(n int) messages {
	return messages{&cpmv1.BatchResponse{Results: make([]*cpmv1.ProcessResponse, n)}}
}

func (m messages) keep(i int, r *cpmv1.ProcessResponse) (size int, err error) {
	m.Results[i] = r
	return proto.Size(r), nil
}

// texts are the results of a batch in JSON: each is encoded at once, so that what is kept is what is sent.
type texts struct {
	door *Door
	all  [][]byte
}

func (t texts) keep(i int, r *cpmv1.ProcessResponse) (size int, err error) {
	out := t.door.buffers.get(smallest)
	defer func() { t.door.buffers.put(out) }()
	*out, err = appendJSON(*out, t.door.shapes.processResponse, r)
	t.all[i] = bytes.Clone(*out)
	return len(*out), err
}

// answer is the BatchResponse of the texts, in parts.
func (t texts) answer() [][]byte {
	parts := make([][]byte, 0, 2*len(t.all)+1)
	parts = append(parts, []byte("{"+t.door.shapes.batchResponse.fields[0].key+"["))
	for i, text := range t.all {
		if i > 0 {
			parts = append(parts, []byte(","))
		}
		parts = append(parts, text)
	}
	return append(parts, []byte("]}"))
}

// processEnvelope performs what an envelope asks for.
func (d *Door) processEnvelope(ctx context.Context, q *inquiry, in *cpmv1.ProcessRequest) (*cpmv1.ProcessResponse, *fault.Error) {
	op, message, e := d.operations.unpack(in)
	if e != nil {
		return nil, e
	}
	q.operation = op
	result, e := d.process(ctx, q, cpm.FSP(in.GetFsp()), message)
	if e != nil {
		return nil, e
	}
	return d.operations.pack(op, result), nil
}
