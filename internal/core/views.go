package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/store"
)

// Revision is the configuration's revision that requests are judged by.
func (c *Core) Revision() int64 { return c.snapshot.Load().Revision }

// FSPView is one FSP.
type FSPView struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Policy  Policy    `json:"policy"`
	Keys    int       `json:"keys"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// FSPs lists the participants by name.
func (c *Core) FSPs() []FSPView {
	s := c.snapshot.Load()
	views := []FSPView{}
	for _, name := range slices.Sorted(maps.Keys(s.rows.fsps)) {
		row := s.rows.fsps[name]
		views = append(views, FSPView{
			Name: name, State: row.State, Policy: s.FSPs[cpm.FSP(name)].Policy, Keys: len(s.Keys.Of(cpm.FSP(name), "")),
			Created: store.Time(row.CreatedAt), Updated: store.Time(row.UpdatedAt),
		})
	}
	return views
}

// KeyView is one key version without its bytes. Backup is the name a superseded version goes by in the specification:
// name, version and date-time.
type KeyView struct {
	FSP        string     `json:"fsp"`
	Name       string     `json:"name"`
	Version    uint32     `json:"version"`
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	Use        string     `json:"use"`
	Algorithm  string     `json:"algorithm"`
	Bits       int64      `json:"bits"`
	State      string     `json:"state"`
	Current    bool       `json:"current"`
	Deleted    bool       `json:"deleted"`
	Backup     string     `json:"backup,omitempty"`
	Created    time.Time  `json:"created"`
	CreatedBy  string     `json:"createdBy"`
	Updated    time.Time  `json:"updated"`
	UpdatedBy  string     `json:"updatedBy"`
	NotBefore  *time.Time `json:"notBefore,omitempty"`
	NotAfter   *time.Time `json:"notAfter,omitempty"`
	Superseded *time.Time `json:"superseded,omitempty"`
	// Compromised and Destroyed are when it became known, and when the bytes were removed.
	Compromised *time.Time `json:"compromised,omitempty"`
	Destroyed   *time.Time `json:"destroyed,omitempty"`
	// PublicKey is SubjectPublicKeyInfo DER; a secret key has none.
	PublicKey []byte `json:"publicKey,omitempty"`
	// Thumbprint is its SHA-256 in base64url.
	Thumbprint string `json:"thumbprint,omitempty"`
	// CheckValue is the key check value of a secret AES key, in hexadecimal; other secret keys have none.
	CheckValue string `json:"checkValue,omitempty"`
	// Policy narrows what the key may be used for, beyond its use; absent if it does not.
	Policy *keys.Policy `json:"policy,omitempty"`
	// Certificate is the DER of the certificate the key came in.
	Certificate []byte `json:"certificate,omitempty"`
}

// Keys lists key versions: of one FSP or of all, of one name or of all; only current ones unless history is wanted.
func (c *Core) Keys(f cpm.FSP, name string, history bool) []KeyView {
	s, now := c.snapshot.Load(), c.config.Now()
	names := []string{string(f)}
	if f == "" {
		names = slices.Sorted(maps.Keys(s.rows.fsps))
	}
	views := []KeyView{}
	for _, n := range names {
		for _, v := range s.Keys.Of(cpm.FSP(n), name) {
			if history || (v.Current && !v.Deleted) {
				views = append(views, keyView(v, now))
			}
		}
	}
	return views
}

func keyView(v *keys.Version, now time.Time) KeyView {
	k := KeyView{
		FSP: v.Space, Name: v.Ref.Name, Version: v.Ref.Version, ID: v.Ref.ID.String(), Kind: v.Row.Kind, Use: string(v.Use),
		Algorithm: v.Algorithm(), Bits: v.Row.Bits, State: v.State(now), Current: v.Current, Deleted: v.Deleted,
		Created: store.Time(v.Row.CreatedAt), CreatedBy: v.Row.CreatedBy, Updated: store.Time(v.Row.UpdatedAt),
		UpdatedBy: v.Row.UpdatedBy, NotBefore: date(v.Row.NotBefore), NotAfter: date(v.Row.NotAfter),
		Superseded: date(v.Row.SupersededAt), Compromised: date(v.Row.CompromisedAt), Destroyed: date(v.Row.DestroyedAt), PublicKey: v.Row.Public,
		CheckValue: v.CheckValue(), Policy: v.Policy, Certificate: v.Certificate(),
	}
	if len(v.Row.Public) > 0 {
		k.Thumbprint = keys.Thumbprint(v.Row.Public)
	}
	if k.Superseded != nil {
		k.Backup = v.Backup()
	}
	return k
}

func date(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := store.Time(micros)
	return &t
}

// RouteView is one rule.
type RouteView struct {
	FSP       string   `json:"fsp"`
	Operation string   `json:"operation"`
	Adapter   string   `json:"adapter"`
	Enabled   bool     `json:"enabled"`
	Timeout   Duration `json:"timeout"`
}

// Routes lists the rules, by FSP and operation.
func (c *Core) Routes() []RouteView {
	views := []RouteView{}
	for _, r := range c.snapshot.Load().Routes.Rules() {
		views = append(views, RouteView{r.Space, r.Operation, r.Adapter, r.Enabled, Duration(r.Timeout)})
	}
	slices.SortFunc(views, func(a, b RouteView) int {
		return cmp.Or(cmp.Compare(a.FSP, b.FSP), cmp.Compare(a.Operation, b.Operation))
	})
	return views
}

// Grants lists the grants, by principal, FSP and operation.
func (c *Core) Grants() []access.Grant {
	all := c.snapshot.Load().Rules.Grants()
	slices.SortFunc(all, func(a, b access.Grant) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Space, b.Space), cmp.Compare(a.Operation, b.Operation))
	})
	return all
}

// Trial is what would become of a request.
type Trial struct {
	Adapter string   `json:"adapter,omitempty"`
	Rule    string   `json:"rule,omitempty"`
	Timeout Duration `json:"timeout,omitempty"`
	Keys    []string `json:"keys,omitempty"`
	Verdict string   `json:"verdict"` // "ok" or the kind of the decline
	Reason  string   `json:"reason,omitempty"`
}

// Try resolves a request without performing it: which rule, adapter and keys it would use, or why it would be declined.
// Grants are not asked.
func (c *Core) Try(f cpm.FSP, o cpm.Operation) Trial {
	t := &trip{request: &cpm.Request{FSP: f, Operation: o}, row: c.rows[o], snapshot: c.snapshot.Load(), trial: true}
	err := c.try(t)
	out := Trial{Adapter: t.rule.Adapter, Timeout: Duration(t.rule.Timeout), Verdict: "ok"}
	if t.rule.Adapter != "" {
		out.Rule = t.rule.Space + " " + t.rule.Operation
	}
	for _, v := range t.versions {
		out.Keys = append(out.Keys, v.String())
	}
	if e := fault.From(err); e != nil {
		out.Verdict, out.Reason = e.Kind.String(), e.Public
	}
	return out
}

func (c *Core) try(t *trip) error {
	if t.row.Operation == "" {
		return fault.New(fault.Invalid, "the operation is not known")
	}
	if _, err := t.snapshot.active(t.request.FSP); err != nil {
		return err
	}
	if t.row.Planned {
		return fault.New(fault.Invalid, "the operation has no route of its own; test those it is made of: jws.sign and jwe.encrypt, or jws.verify and jwe.decrypt")
	}
	if err := t.route(); err != nil {
		return err
	}
	return t.selectKeys(c.config.Now())
}
