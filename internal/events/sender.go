package events

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/mojaloop/cpm/internal/obs"
)

// run sends until the queue is closed and empty, or ctx ends.
func (f *Forwarder) run(ctx context.Context) {
	defer close(f.ended)
	defer f.config.Transport.Close()
	for first := range f.queue {
		batch := f.batch(first)
		if !f.deliver(ctx, batch) {
			f.abandon(ctx, len(batch))
			return
		}
	}
}

// batch takes what waits already behind a message.
func (f *Forwarder) batch(first *Message) []*Message {
	batch := []*Message{first}
	for len(batch) < maxBatch {
		select {
		case m, open := <-f.queue:
			if !open {
				return batch
			}
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// deliver sends a batch again and again, with growing pauses, until it is taken or ctx ends.
func (f *Forwarder) deliver(ctx context.Context, batch []*Message) bool {
	began, failing := f.config.Now(), false
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		refused, err := f.send(ctx, batch)
		if err == nil {
			f.refused.Add(uint64(refused))           //nolint:gosec // never negative
			f.sent.Add(uint64(len(batch) - refused)) //nolint:gosec // a part of them
			if failing {
				f.log.LogAttrs(ctx, slog.LevelInfo, "events are forwarded again", obs.Event("events.back"),
					obs.Duration(f.config.Now().Sub(began)))
			}
			return true
		}
		if !failing {
			failing = true
			f.log.LogAttrs(ctx, slog.LevelWarn, "events cannot be forwarded; they wait, and are in this log", obs.Event("events.unreachable"),
				obs.Err(err))
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
		}
	}
	return false
}

func (f *Forwarder) send(ctx context.Context, batch []*Message) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return f.config.Transport.Send(ctx, batch)
}

// abandon counts what could not be sent before the end. It is told whatever was told before.
func (f *Forwarder) abandon(ctx context.Context, n int) {
	for range f.queue {
		n++
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = time.Time{}
	f.drop(ctx, n)
}

func (f *Forwarder) logDropped(ctx context.Context, all uint64) {
	f.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelWarn, "events were not forwarded; they are in this log only", obs.Event("events.dropped"),
		slog.Uint64("dropped", all))
}
