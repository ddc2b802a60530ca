package api

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

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
	out   *cpmv1.BatchResponse
	// next is the item whose turn comes next; lanes are how many are under way, each in a goroutine.
	next, lanes atomic.Int64
	others      sync.WaitGroup
}

// batch performs the items of a batch: one after another on the place that the request has, and beside that on others as far as
// its caller may have more under way, at most Limits.BatchParallel at once. Each arrives when its turn comes, so that its timer
// does not run while it waits for the others.
func (d *Door) batch(ctx context.Context, q *inquiry, in *cpmv1.BatchRequest) (*cpmv1.BatchResponse, *fault.Error) {
	items := in.GetItems()
	if len(items) == 0 {
		return nil, fault.New(fault.Missing, "the batch has no items")
	}
	// The items are counted, each by itself, and not the batch.
	q.counted = true
	b := &bulk{
		inquiry: q, door: d, ctx: ctx, items: items, out: &cpmv1.BatchResponse{Results: make([]*cpmv1.ProcessResponse, len(items))},
	}
	b.lanes.Store(1)
	b.run(q.place)
	b.others.Wait()
	return b.out, nil
}

// run performs items one after another on a place until all have had their turn.
func (b *bulk) run(place *admission.Place) {
	for {
		i := int(b.next.Add(1)) - 1
		if i >= len(b.items) {
			return
		}
		b.widen()
		b.out.Results[i] = b.item(i, place)
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

// item performs one item of a batch, whose request id is that of the batch with the item's index.
func (b *bulk) item(i int, place *admission.Place) *cpmv1.ProcessResponse {
	q := b.door.begin(b.port, b.id+"-"+strconv.Itoa(i), b.caller, b.pace)
	q.trace, q.price = b.trace, itemPrice
	out, e := b.perform(&q, i, place)
	b.door.conclude(b.ctx, &q, e)
	if e != nil {
		return packDecline(e, q.id)
	}
	return out
}

// perform does what an item asks for. The first was let in with the batch.
func (b *bulk) perform(q *inquiry, i int, place *admission.Place) (*cpmv1.ProcessResponse, *fault.Error) {
	if i > 0 {
		if e := b.door.admission.Again(b.ctx, b.caller, place); e != nil {
			q.logged = true
			return nil, e
		}
	}
	return b.door.processEnvelope(b.ctx, q, b.items[i])
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
