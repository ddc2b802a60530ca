package api

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// batch performs the items of a batch, at most Limits.BatchParallel at once. Each arrives when its turn comes, so that
// its timer does not run while it waits for the others.
func (d *Door) batch(ctx context.Context, q *inquiry, in *cpmv1.BatchRequest) (*cpmv1.BatchResponse, *fault.Error) {
	items := in.GetItems()
	if len(items) == 0 {
		return nil, fault.New(fault.Missing, "the batch has no items")
	}
	// The items are counted, each by itself, and not the batch.
	q.counted = true
	d.admission.Owe(q.caller, q.place, len(items)-1)
	out := &cpmv1.BatchResponse{Results: make([]*cpmv1.ProcessResponse, len(items))}
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(items) {
				return
			}
			out.Results[i] = d.item(ctx, q, i, items[i])
		}
	}
	var others sync.WaitGroup
	for range min(len(items), d.limits.BatchParallel) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return out, nil
}

// item performs one item of a batch, whose request id is that of the batch with the item's index.
func (d *Door) item(ctx context.Context, batch *inquiry, i int, in *cpmv1.ProcessRequest) *cpmv1.ProcessResponse {
	q := d.begin(batch.port, batch.id+"-"+strconv.Itoa(i), batch.caller, batch.pace)
	q.trace, q.price = batch.trace, itemPrice
	out, e := d.processEnvelope(ctx, &q, in)
	d.conclude(ctx, &q, e)
	if e != nil {
		return packDecline(e, q.id)
	}
	return out
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
