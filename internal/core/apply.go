package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

// Change is one administrative act as a value, so that it can be recorded, approved now and done later.
type Change struct {
	// Action is a name of the table below, for example "fsp.suspend".
	Action string
	// Target is what the action is about: an FSP, an adapter, a key as FSP/name; empty for "config.apply".
	Target string
	// Document has the action's own members, as JSON without secrets.
	Document []byte
	// Secret is a private or secret key on its way in. It is never recorded.
	Secret secret.Bytes
	// ExpectRevision declines the change if the configuration is at another revision; 0 accepts any.
	ExpectRevision int64
	RequestID      string

	// signed is the key update of an FSP. It lets the FSP change its own keys, and only KeyUpdate sets it.
	signed *updating
}

// Receipt is the answer to a change.
type Receipt struct {
	Revision int64
	// Detail says what came of it, for example the key's version, as JSON.
	Detail any
	// Replicas are the CPMs on the database that have confirmed the change; nil for changes that need no confirmation, and
	// when the database is not shared.
	Replicas *Replicas

	urgent bool // the answer waits for the replicas
}

// act is what an action does inside the transaction.
type act func(ctx context.Context, w *work) error

// work is a change being done.
type work struct {
	core   *Core
	tx     *store.Tx
	change Change
	actor  string
	now    time.Time
	before *Snapshot
	detail any
	// urgent changes are answered when the other CPMs have followed them.
	urgent bool
}

// actions is the table of everything that can be changed.
func actions() map[string]act {
	all := map[string]act{
		"adapter.start": startAdapter,
		"adapter.stop":  stopAdapter,
		"config.apply":  applyConfig,
		"fsp.add":       addFSP,
		"fsp.set":       setFSP,
		"fsp.suspend":   suspendFSP,
		"fsp.resume":    resumeFSP,
		"key.add":       addKey,
		"key.delete":    deleteKey,
		"key.policy":    setKeyPolicy,
		"key.update":    updateKey,
		"key.restore":   restoreKey,

		"key.suspend":    moveKey(keys.Suspend, "suspended"),
		"key.resume":     moveKey(keys.Resume, "resumed"),
		"key.deactivate": moveKey(keys.Deactivate, "deactivated"),
		"key.compromise": moveKey(keys.Compromise, "compromised"),
		"key.destroy":    moveKey(keys.Destroy, "destroyed"),

		actionKeyUpdate: signedChange,
	}
	for name, change := range edits() {
		all[name] = edit(change)
	}
	return all
}

// Actions lists the names of the actions that may be asked for.
func Actions() []string {
	var names []string
	for name := range actions() {
		if name != actionKeyUpdate {
			names = append(names, name)
		}
	}
	return names
}

// Apply makes one change, and nothing is changed in any other way: who may, then one transaction with its record, then
// the rows it touched are read again and checked, then the snapshot is swapped, then adapters follow. A fault found
// before the swap leaves everything as it was.
func (c *Core) Apply(ctx context.Context, p cpm.Principal, change Change) (Receipt, error) {
	defer change.Secret.Destroy()
	receipt, err := c.apply(ctx, p, change)
	c.recordChange(ctx, p, change, receipt, err)
	c.recordKey(ctx, p, change, receipt)
	if err != nil {
		return Receipt{}, fault.From(err)
	}
	return receipt, nil
}

func (c *Core) apply(ctx context.Context, p cpm.Principal, change Change) (Receipt, error) {
	do, known := actions()[change.Action]
	if !known {
		return Receipt{}, fault.New(fault.Invalid, "the action is not known")
	}
	if c.ending() {
		return Receipt{}, errEnding()
	}
	if err := c.administrable(ctx); err != nil {
		return Receipt{}, err
	}
	receipt, retired, err := c.commit(ctx, p, change, do)
	if err != nil {
		return receipt, err
	}
	<-retired
	if receipt.urgent {
		receipt.Replicas = c.gather(ctx, receipt.Revision)
	}
	return receipt, nil
}

// commit stores a change and makes it part of the snapshot. The channel is closed when the adapters it ended have ended.
func (c *Core) commit(ctx context.Context, p cpm.Principal, change Change, do act) (Receipt, <-chan struct{}, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if c.ending() {
		return Receipt{}, nil, errEnding()
	}
	before, err := c.upToDate(ctx)
	if err != nil {
		return Receipt{}, nil, err
	}
	if err := allowChange(before, p, change); err != nil {
		return Receipt{}, nil, err
	}
	w := &work{core: c, change: change, actor: p.String(), now: c.config.Now(), before: before}
	writing, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	commit, err := c.config.Store.Change(writing, w.entry(), func(tx *store.Tx) error {
		w.tx = tx
		return do(writing, w)
	})
	if err != nil {
		return Receipt{}, nil, err
	}
	// What is stored is followed even if the caller has given up.
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	next, err := c.agree(look, look, before)
	if err != nil {
		return Receipt{}, nil, fault.New(fault.OutcomeUnknown, "the change is stored as revision %d, but this CPM could not follow it yet; "+
			"it tries again by itself", commit.Revision).Because(err)
	}
	return Receipt{Revision: commit.Revision, Detail: w.detail, urgent: w.urgent}, c.retire(ctx, before, next), nil
}

// writeTimeout bounds one transaction, the generation of an RSA key included.
const writeTimeout = 15 * time.Second

// upToDate is the snapshot with what others have changed up to now, so that a change is judged by what is stored. A
// database that cannot be read declines it. What is read and cannot be followed does not: a change may be what mends it.
// Its caller holds changing.
func (c *Core) upToDate(ctx context.Context) (*Snapshot, error) {
	look, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	before := c.snapshot.Load()
	next, err := c.agree(ctx, look, before)
	switch {
	case err == nil:
		c.retire(ctx, before, next)
		return next, nil
	case isDatabase(err):
		return nil, err
	}
	return c.snapshot.Load(), nil
}

// allowChange decides who may make a change: an FSP its own keys, by a key update it has signed, and nothing else.
func allowChange(s *Snapshot, p cpm.Principal, change Change) error {
	if u := change.signed; u != nil && p.Kind == cpm.PrincipalFSP && p.Name == string(u.update.FSP) && p.Name == u.signer.Space {
		return nil
	}
	return s.Rules.AllowChange(p, change.Action)
}

// entry is the record of the change. What is compared with the snapshot needs the store to be at its revision.
func (w *work) entry() store.Entry {
	if compares(w.change.Action) && w.change.ExpectRevision == 0 {
		w.change.ExpectRevision = w.before.Revision
	}
	return store.Entry{
		Action: w.change.Action, Target: w.change.Target, Actor: w.actor, RequestID: w.change.RequestID, At: w.now,
		Record: w.change.Document, ExpectRevision: w.change.ExpectRevision,
	}
}

// retire ends the adapters that next no longer has as they were, beside what follows: they complete what they have, each
// within its timer. Those that dialled in follow next. The channel is closed when all have.
func (c *Core) retire(ctx context.Context, before, next *Snapshot) <-chan struct{} {
	ctx = context.WithoutCancel(ctx)
	done := make(chan struct{})
	c.dismiss(ctx, next)
	c.retiring.Go(func() {
		defer close(done)
		var group sync.WaitGroup
		for name, a := range before.adapters {
			if next.adapters[name] != a {
				group.Go(func() { c.logClosed(ctx, name, a.retire(ctx, next.Settings.ShutdownTimeout, next.endingOf(name))) })
			}
		}
		c.inform(ctx, next)
		group.Wait()
	})
	return done
}

// dropUnusable takes keys out of the adapters that no request may use any more, and lets those in again that were resumed. One that does not confirm in time loses its
// link, and the keys with it.
func (c *Core) dropUnusable(ctx context.Context, next *Snapshot, fresh *store.State) {
	usable, unusable := next.Keys.Judge(fresh.Series, fresh.Objects, c.config.Now())
	for _, a := range next.adapters {
		a.allow(usable)
	}
	var ids []cpm.KeyID
	for _, v := range unusable {
		ids = append(ids, v.Ref.ID)
	}
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, a := range next.adapters {
		all.Go(func() {
			if err := a.drop(ctx, ids); err != nil {
				c.log.LogAttrs(ctx, slog.LevelError, "an adapter did not confirm that it dropped keys; it has lost its link, and the keys with it",
					obs.Event("key.drop-unconfirmed"), obs.Adapter(a.config.Name), obs.Err(err))
			}
		})
	}
	all.Wait()
}

// dropTimeout bounds the wait for adapters to drop keys.
const dropTimeout = 2 * time.Second

func (c *Core) recordChange(ctx context.Context, p cpm.Principal, change Change, r Receipt, err error) {
	attrs := []slog.Attr{
		obs.Event("change." + outcome(err)), obs.RequestID(change.RequestID), slog.String("action", change.Action),
		slog.String("target", change.Target), slog.String("actor", p.String()), slog.Int64("revision", r.Revision),
	}
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "change declined", append(attrs, obs.Err(err))...)
		return
	}
	c.log.LogAttrs(ctx, obs.LevelAudit, "change made", attrs...)
}

func outcome(err error) string {
	if err != nil {
		return "declined"
	}
	return "made"
}

// read decodes the change's document strictly into v.
func (w *work) read(v any) error {
	if len(w.change.Document) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(w.change.Document))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault.New(fault.Invalid, "the document of the change cannot be read").Because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the document of the change has more than one value")
	}
	return nil
}
