package core

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// KeyPolicyDocument is the document of key.policy: the whole policy of a key from now on.
type KeyPolicyDocument struct {
	FSP    cpm.FSP     `json:"fsp"`
	Name   string      `json:"name"`
	Policy keys.Policy `json:"policy"`
}

func setKeyPolicy(_ context.Context, w *work) error {
	var d KeyPolicyDocument
	if err := w.read(&d); err != nil {
		return err
	}
	if err := (KeyDocument{d.FSP, d.Name}).check(); err != nil {
		return err
	}
	ref, err := w.core.manager.SetPolicy(w.tx, keys.Which{FSP: d.FSP, Name: d.Name}, d.Policy, w.actor)
	if err != nil {
		return err
	}
	w.keyDetail(d.FSP, ref, "policy-set")
	w.urgent = true // what is not allowed here any more is not allowed at another CPM
	return nil
}

// obey asks the policies of the keys that were selected. One that protects is used or the request is declined. Of several that
// may process what was protected before, those that refuse are left out, and the first of the others are tried; if that leaves
// none, the first one's refusal is the answer.
func (t *trip) obey(o keys.Occasion) error {
	var allowed []*keys.Version
	var refused error
	for _, v := range t.versions {
		if len(allowed) == keys.MaxProcess {
			break
		}
		if v.Policy == nil {
			allowed = append(allowed, v)
			continue
		}
		o.Bytes = t.bytes()
		switch err := v.Refuses(o); {
		case err == nil:
			allowed = append(allowed, v)
		case t.row.Protect:
			return err
		case refused == nil:
			refused = err
		}
	}
	if len(allowed) == 0 && refused != nil {
		return refused
	}
	t.versions = allowed
	return nil
}

// bytes is the size of the request's message.
func (t *trip) bytes() int64 {
	p := t.request.Payload
	if p.Message != nil {
		return int64(proto.Size(p.Message))
	}
	return int64(len(p.Encoded))
}

// spend counts the use of the key that protects, before anything is asked of the module.
func (c *Core) spend(ctx context.Context, t *trip) (err error) {
	t.spent = nil
	if len(t.versions) == 0 || !t.row.Protects(t.request.Payload.Message) {
		return nil
	}
	t.spent, err = c.usage.spend(ctx, t.versions[0])
	return err
}

// giveBack undoes what spend counted, once: the work has not begun.
func (t *trip) giveBack() {
	t.spent.giveBack()
	t.spent = nil
}

// spendFound counts the use of the secret that gave a fulfilment again, which is made anew of the secret. Only the answer says
// which of several it was, so it is counted before the caller gets it.
func (c *Core) spendFound(ctx context.Context, t *trip, r *cpm.Result) error {
	m, ok := r.Payload.Message.(*cpmv1.IlpFulfilResponse)
	if !ok || t.row.Protects(t.request.Payload.Message) {
		return nil
	}
	i := slices.IndexFunc(t.versions, func(v *keys.Version) bool { return v.Ref.ID.String() == m.GetKey().GetId() })
	if i < 0 {
		return fault.New(fault.Device, "the adapter answered with a key that it was not given")
	}
	_, err := c.usage.spend(ctx, t.versions[i])
	return err
}

// KeyUses says how often a version of a key has protected something, as far as its uses are counted.
type KeyUses struct {
	Version uint32 `json:"version"`
	// Limit is how often it may; 0 is without end, and then it is not counted.
	Limit int64 `json:"limit"`
	// SetAside is how many uses all CPMs together have set aside; each has used them, or will, or has lost them when it ended.
	SetAside int64 `json:"setAside"`
}

// Uses lists the uses of a key's versions, the newest first, as the database has them now.
func (c *Core) Uses(ctx context.Context, f cpm.FSP, name string) ([]KeyUses, error) {
	all := []KeyUses{}
	for _, v := range c.snapshot.Load().Keys.Of(f, name) {
		one := KeyUses{Version: v.Ref.Version, Limit: v.UseLimit()}
		if one.Limit > 0 {
			var err error
			if one.SetAside, err = c.config.Store.Uses(ctx, v.Row.ID); err != nil {
				return nil, fault.From(err)
			}
		}
		all = append(all, one)
	}
	return all, nil
}
