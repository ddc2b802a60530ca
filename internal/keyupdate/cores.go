package keyupdate

import (
	"context"
	"errors"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// retryAfter is the wait told to callers when no core does it now.
const retryAfter = time.Second

// cores are the replicas of one CPM. They share a database, so any one of them will do.
type cores []Asker

// ask has the first core do it that can be reached. Only when it is certain that a core did nothing is the next one asked.
func (c cores) ask(ctx context.Context, op cpm.Operation, requestID string, payload []byte) ([]byte, error) {
	var last error = fault.New(fault.Unavailable, "the adapter has no link to a CPM; nothing was done").After(retryAfter)
	for _, core := range c {
		if !core.Up() {
			continue
		}
		answer, err := core.Ask(ctx, op, requestID, payload)
		if err == nil || !nothingDone(err) {
			return answer, err
		}
		last = err
	}
	return nil, last
}

// nothingDone says that a core declined, or was never asked.
func nothingDone(err error) bool {
	if errors.Is(err, cpm.ErrLinkLost) {
		return false
	}
	kind := fault.From(err).Kind
	return kind == fault.Unavailable || kind == fault.Busy
}

// doubtful says that nobody here knows what became of an ask.
func doubtful(ctx context.Context, err error) bool {
	kind := fault.From(err).Kind
	return ctx.Err() != nil || errors.Is(err, cpm.ErrLinkLost) || kind == fault.Timeout || kind == fault.OutcomeUnknown
}
