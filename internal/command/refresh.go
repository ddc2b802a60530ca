package command

import (
	"context"
	"log/slog"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// What a refresh can be asked for, see core.RefreshConfig.
const (
	RefreshConfig = core.RefreshConfig
	RefreshKeys   = core.RefreshKeys
)

// maxRefresh bounds the body of a refresh.
const maxRefresh = 4 << 10

type refresh struct{ what, requestID string }

// refresh has the core read its database again. A caller that goes away does not stop it.
func (d *Door) refresh(c *call) (any, error) {
	body, err := readBody(c.Request, maxRefresh)
	if err != nil {
		return nil, err
	}
	asked, err := decodeRefresh(body)
	if err != nil {
		return nil, err
	}
	if asked.requestID != "" {
		c.id = asked.requestID
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), changeTimeout)
	defer cancel()
	d.log.LogAttrs(ctx, slog.LevelInfo, "a refresh was asked for", obs.Event("command.refresh"), obs.RequestID(c.id),
		slog.String("caller", c.caller.String()), slog.String("what", asked.what))
	receipt, err := d.core.Refresh(ctx, c.caller, core.RefreshOrder{What: asked.what, RequestID: c.id})
	if err != nil {
		return nil, err
	}
	return receiptView(receipt)
}

func decodeRefresh(body []byte) (r refresh, err error) {
	doc, err := object(body)
	if err != nil {
		return refresh{}, err
	}
	for name, value := range doc.Members() {
		if err := r.member(name, value); err != nil {
			return refresh{}, err
		}
	}
	if r.what == "" {
		return refresh{}, fault.New(fault.Missing, "say what to refresh: config or keys")
	}
	return r, nil
}

func (r *refresh) member(name string, value canon.Value) (err error) {
	switch name {
	case "what":
		r.what, _ = value.Text()
		if r.what != RefreshConfig && r.what != RefreshKeys {
			err = fault.New(fault.Invalid, "what is config or keys")
		}
	case "requestId":
		r.requestID, err = requestID(value)
	default:
		err = fault.New(fault.Invalid, "a refresh has what and requestId, and nothing else")
	}
	return err
}
