package core

import (
	"context"
	"log/slog"
	"strings"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
)

// ImportKey gives out a public key that an FSP can seal one private key to, for a key update with sealedKey. It is good for
// ten minutes, once, and at this CPM only. An FSP that is not known gets one too, which opens nothing: the answer does not
// tell. An error is always a fault.
func (c *Core) ImportKey(ctx context.Context, adapterName, requestID string, ask *cpmv1.ImportKeyAsk) (*cpmv1.ImportKeyReply, error) {
	k, err := c.importKey(ask)
	attrs := []slog.Attr{
		obs.Event("import-key." + outcome(err)), obs.RequestID(requestID), obs.Adapter(adapterName),
		slog.String("address", addressOf(ask.GetCredential().GetAddress())),
	}
	if f := cpm.FSP(ask.GetFsp()); c.snapshot.Load().FSPs[f] != nil {
		attrs = append(attrs, obs.FSP(f))
	}
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "import key declined", append(attrs, obs.Err(err))...)
		return nil, fault.From(err)
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "import key given out", attrs...)
	return &cpmv1.ImportKeyReply{Id: k.ID, Jwk: k.JWK, ExpiresUnixMs: k.Expires.UnixMilli()}, nil
}

func (c *Core) importKey(ask *cpmv1.ImportKeyAsk) (keys.ImportKey, error) {
	f := cpm.FSP(ask.GetFsp())
	switch {
	case c.State() != cpm.Active:
		return keys.ImportKey{}, fault.New(fault.Unavailable, "the CPM does not accept key updates now; try again later")
	case !f.Valid():
		return keys.ImportKey{}, fault.New(fault.Invalid, "name the FSP: 1 to 128 visible characters without / \" \\")
	}
	who := asker(ask.GetCredential())
	if _, err := c.snapshot.Load().active(f); err != nil {
		return c.imports.Decoy(f, who)
	}
	return c.imports.New(f, who)
}

// asker is who holds import keys: the names of a certificate, or else an address.
func asker(c *cpmv1.Credential) string {
	if names := c.GetCertificateNames(); len(names) > 0 {
		return strings.Join(names, " ")
	}
	return c.GetAddress()
}
