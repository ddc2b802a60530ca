package core

import (
	"context"
	"encoding/json"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/secret"
)

// actionKeyUpdate is the action of a change that an FSP has signed. No door can ask for it: only KeyUpdate makes such a
// change.
const actionKeyUpdate = "key-update"

// updating is a key update on its way.
type updating struct {
	adapter, requestID, address string
	update                      *keys.Update
	// known says that the FSP the update names is there.
	known  bool
	signer *keys.Version
	detail KeyDetail
}

// KeyUpdate processes one signed key update of an FSP (specification, "Key Updates"). The update must be signed by an update
// key of the FSP it names, for now, not replayed and not overtaken; what it brings must be strong and proven. Then it is one
// change like any other, by the principal fsp:NAME. When the answer is there, so is the key in memory, or gone from memory
// and from every adapter. An error is always a fault; every outcome is logged and counted.
func (c *Core) KeyUpdate(ctx context.Context, adapterName, requestID string, ask *cpmv1.KeyUpdateAsk) (*cpmv1.KeyUpdateReply, error) {
	u := &updating{adapter: adapterName, requestID: requestID, address: addressOf(ask.GetCredential().GetAddress())}
	if err := c.keyUpdate(ctx, u, ask.GetJws()); err != nil {
		c.updateRefused(ctx, u, err)
		return nil, fault.From(err)
	}
	c.updates.add(u.label(), nil)
	return &cpmv1.KeyUpdateReply{Result: "success", Fsp: u.detail.FSP, Name: u.detail.Name, Version: u.detail.Version}, nil
}

func (c *Core) keyUpdate(ctx context.Context, u *updating, jws []byte) error {
	if c.State() != cpm.Active {
		return fault.New(fault.Unavailable, "the CPM does not accept key updates now; try again later")
	}
	var err error
	if u.update, err = keys.ParseUpdate(jws); err != nil {
		return err
	}
	s := c.snapshot.Load()
	if err := c.signedUpdate(s, u); err != nil {
		return err
	}
	if _, err := s.active(u.update.FSP); err != nil {
		return err
	}
	if err := u.update.CheckTime(c.config.Now()); err != nil {
		return err
	}
	private, err := c.newKey(s, u.update)
	if err != nil {
		return err
	}
	return c.applyUpdate(ctx, u, private)
}

// signedUpdate finds the update key that signed. Until it is found, nothing of what the CPM knows shows in the answer.
func (c *Core) signedUpdate(s *Snapshot, u *updating) error {
	_, u.known = s.FSPs[u.update.FSP]
	wish := keys.Wish{FSP: u.update.FSP, Use: cpm.UseUpdate, Half: cpm.PublicHalf}
	if name := u.update.Signer(); name != "" {
		wish.Key = &cpmv1.KeySelector{Name: name}
	}
	versions, _, err := s.Keys.Select(wish, c.config.Now())
	if err == nil && u.known {
		u.signer = u.update.VerifiedBy(versions[:min(len(versions), keys.MaxProcess)])
	}
	if u.signer == nil {
		return keys.Unsigned()
	}
	return nil
}

// newKey judges what an Add or Update brings before anything waits for it, and opens it if it is sealed.
func (c *Core) newKey(s *Snapshot, u *keys.Update) (secret.Bytes, error) {
	if u.Action == keys.ActionDelete {
		return secret.Bytes{}, nil
	}
	if err := u.Certified(s.Settings.Certificates, c.config.Now()); err != nil {
		return secret.Bytes{}, err
	}
	if u.SealedKey != "" {
		return c.imports.Open(u.FSP, u.SealedKey)
	}
	public, err := keys.ReadPublicKey(u.Addition().Public)
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.Bytes{}, u.CheckProof(public)
}

// applyUpdate makes the change.
func (c *Core) applyUpdate(ctx context.Context, u *updating, private secret.Bytes) error {
	record, err := json.Marshal(recordOf(u))
	if err != nil {
		private.Destroy()
		return err
	}
	p := cpm.Principal{Kind: cpm.PrincipalFSP, Name: string(u.update.FSP), Address: u.address}
	receipt, err := c.Apply(ctx, p, Change{
		Action: actionKeyUpdate, Target: string(u.update.FSP) + "/" + u.update.Name, Document: record, Secret: private,
		RequestID: u.requestID, signed: u,
	})
	if err != nil {
		return err
	}
	u.detail, _ = receipt.Detail.(KeyDetail)
	return nil
}

// UpdateRecord is what the changes keep of a key update.
type UpdateRecord struct {
	Action keys.UpdateAction `json:"action"`
	FSP    cpm.FSP           `json:"fsp"`
	Name   string            `json:"name"`
	Seq    int64             `json:"seq"`
	Nonce  string            `json:"nonce"`
	// Signer is the update key that signed, as name/version, and Adapter the one it came through.
	Signer  string `json:"signer"`
	Adapter string `json:"adapter"`
	// Evidence is the JWS itself, unless it has a sealed key in it.
	Evidence string `json:"evidence,omitempty"`
}

func recordOf(u *updating) UpdateRecord {
	return UpdateRecord{
		Action: u.update.Action, FSP: u.update.FSP, Name: u.update.Name, Seq: u.update.Seq, Nonce: u.update.Nonce,
		Signer: u.signer.String(), Adapter: u.adapter, Evidence: u.update.Evidence(),
	}
}

// signedChange does a key update inside the transaction, where what its acceptance rests on is read again: another replica may
// have changed it.
func signedChange(_ context.Context, w *work) error {
	u := w.change.signed
	if u == nil {
		return fault.New(fault.Denied, "a key update is signed by an FSP and comes through a Key Update adapter")
	}
	m := w.core.manager
	if err := m.StillSigns(w.tx, u.signer); err != nil {
		return err
	}
	if err := w.activeFSP(u.update.FSP); err != nil {
		return err
	}
	if err := m.Accept(w.tx, u.update); err != nil {
		return err
	}
	if u.update.Action == keys.ActionDelete {
		return w.deleteKey(u.update.FSP, u.update.Name, u.update.Use)
	}
	return w.addKey(u.update.Addition())
}
