package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
)

// Bounds of a block of uses that this CPM takes out of the database at a time. A block is used from memory, while the database
// is down too; what is left of it when the process ends is lost, and so never used twice.
const (
	blocksOfLimit = 1024
	maxBlock      = 1 << 20
	// minAhead is the size of a block from which on the next one is fetched before it is empty.
	minAhead = 16
	// takeTimeout bounds fetching a block ahead, and takePause is between attempts that failed.
	takeTimeout = 5 * time.Second
	takePause   = time.Second
)

// usage counts the uses of the keys that have a limit, in blocks.
type usage struct {
	take  takeUses
	log   *slog.Logger
	ahead sync.WaitGroup

	mu sync.Mutex
	of map[cpm.KeyID]*allowance
}

// takeUses takes uses of a key version out of its limit, for this process; store.Store's TakeUses is one.
type takeUses func(ctx context.Context, id [16]byte, n, limit int64) (took, used int64, err error)

// allowance is what is left of the blocks of one key version.
type allowance struct {
	id    cpm.KeyID
	name  string
	limit int64
	left  atomic.Int64
	// filling is held by the one who fetches a block; it guards used and notBefore.
	filling   chan struct{}
	used      int64
	notBefore time.Time
}

func newUsage(take takeUses, log *slog.Logger) *usage {
	return &usage{take: take, log: log, of: map[cpm.KeyID]*allowance{}}
}

// spend uses a version once. A key without a limit is not counted. State if the limit is reached, Unavailable if that cannot be
// found out now. The use came out of the allowance, to which it can be given back; nil when it was not counted.
func (u *usage) spend(ctx context.Context, v *keys.Version) (*allowance, error) {
	limit := v.UseLimit()
	if limit == 0 {
		return nil, nil
	}
	a := u.allowance(v, limit)
	for !a.one() {
		if err := u.fill(ctx, a); err != nil {
			return nil, err
		}
	}
	if block := a.block(); block >= minAhead && a.left.Load() < block/2 {
		u.fillAhead(ctx, a)
	}
	return a, nil
}

// allowance finds that of a version. One with another limit than before begins without a block: what was taken under the old
// limit may be more than the new one leaves.
func (u *usage) allowance(v *keys.Version, limit int64) *allowance {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.of[v.Ref.ID]
	if a == nil || a.limit != limit {
		a = &allowance{id: v.Ref.ID, name: v.Ref.Name, limit: limit, filling: make(chan struct{}, 1)}
		u.of[v.Ref.ID] = a
	}
	return a
}

func (a *allowance) block() int64 { return max(1, min(a.limit/blocksOfLimit, maxBlock)) }

// one uses one of what is left.
func (a *allowance) one() bool {
	for {
		left := a.left.Load()
		if left <= 0 {
			return false
		}
		if a.left.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// giveBack undoes one use that nothing was done with. It goes where it came from: when the limit is another one by now, it is lost,
// like what was left under the old one.
func (a *allowance) giveBack() {
	if a != nil {
		a.left.Add(1)
	}
}

// fill fetches a block, unless another request has meanwhile.
func (u *usage) fill(ctx context.Context, a *allowance) error {
	select {
	case a.filling <- struct{}{}:
	case <-ctx.Done():
		return fault.New(fault.Timeout, "the uses of the key were not counted in time").Because(ctx.Err())
	}
	defer func() { <-a.filling }()
	if a.left.Load() > 0 {
		return nil
	}
	took, err := u.fetch(ctx, a)
	switch {
	case err != nil:
		return err
	case took == 0:
		return fault.New(fault.State, "the key has been used as often as it may be, %d times; add a new version with: cpm key update", a.limit).
			Because(errors.New("key " + a.name))
	}
	return nil
}

// fetch takes a block; the caller holds filling. Counts that went back would let the key be used too often.
func (u *usage) fetch(ctx context.Context, a *allowance) (took int64, err error) {
	took, used, err := u.take(ctx, a.id, a.block(), a.limit)
	if err == nil && used < a.used {
		err = fault.New(fault.State, "the count of a key's uses in the database went back").Because(errors.New("key version " + a.id.String()))
	}
	if err != nil {
		a.notBefore = time.Now().Add(takePause)
		kind := fault.Unavailable
		if errors.Is(err, fault.State) {
			kind = fault.State
		}
		return 0, fault.New(kind, "the uses of the key set aside here are used up, and the database gives no more now").
			Because(fmt.Errorf("key %s: %w", a.name, err))
	}
	a.used = used
	a.left.Add(took)
	return took, nil
}

// fillAhead fetches a block beside the requests, so that none waits for it.
func (u *usage) fillAhead(ctx context.Context, a *allowance) {
	select {
	case a.filling <- struct{}{}:
	default:
		return
	}
	if time.Now().Before(a.notBefore) || a.left.Load() >= a.block()/2 {
		<-a.filling
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTimeout)
	u.ahead.Go(func() {
		defer cancel()
		defer func() { <-a.filling }()
		if _, err := u.fetch(ctx, a); err != nil {
			u.log.LogAttrs(ctx, slog.LevelWarn, "no uses of a key could be set aside; it is used until those that are left are used up",
				obs.Event("key.uses-not-counted"), obs.Kid(a.name), slog.String("id", a.id.String()), slog.Int64("left", a.left.Load()), obs.Err(err))
		}
	})
}
