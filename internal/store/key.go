package store

// Series is a key with all its versions. Space and Name together are unique.
type Series struct {
	ID [16]byte
	// Space is the FSP, or whoever else the key belongs to.
	Space, Name, Use string
	// Policy is a JSON document.
	Policy []byte
	// Current is the version that protects.
	Current int64
	// Deleted marks the series; a new version clears it.
	Deleted              bool
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*Series) table() string { return "series" }

func (*Series) columns() (int, []string) {
	return 1, []string{
		"id", "space", "name", "use", "policy", "current", "deleted", "created_at", "created_by", "updated_at", "updated_by",
	}
}

func (r *Series) fields(d []any) []any {
	return append(d, &r.ID, &r.Space, &r.Name, &r.Use, &r.Policy, &r.Current, &r.Deleted,
		&r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// Object is one version of a key. Series and Version together are unique; the series must be there first.
type Object struct {
	ID, Series [16]byte
	Version    int64
	// Kind is "public", "private" or "secret".
	Kind, Algorithm          string
	Bits                     int64
	Usage, State, ExpiryType string

	CreatedAt, UpdatedAt, ActivatedAt, NotBefore, NotAfter int64
	SupersededAt, CompromisedAt, DestroyedAt               int64
	CreatedBy, UpdatedBy                                   string
	// Parent is the object this one was derived from; zero is none.
	Parent [16]byte
	// Public is the clear part, Sealed the private or secret part as package seal made it, Attrs a JSON document.
	Public, Sealed, Attrs []byte
}

func (*Object) table() string { return "objects" }

func (*Object) columns() (int, []string) {
	return 1, []string{
		"id", "series", "version", "kind", "algorithm", "bits", "usage", "state", "expiry_type",
		"created_at", "updated_at", "activated_at", "not_before", "not_after",
		"superseded_at", "compromised_at", "destroyed_at", "created_by", "updated_by", "parent", "public", "sealed", "attrs",
	}
}

func (r *Object) fields(d []any) []any {
	return append(d, &r.ID, &r.Series, &r.Version, &r.Kind, &r.Algorithm, &r.Bits, &r.Usage, &r.State, &r.ExpiryType,
		&r.CreatedAt, &r.UpdatedAt, &r.ActivatedAt, &r.NotBefore, &r.NotAfter,
		&r.SupersededAt, &r.CompromisedAt, &r.DestroyedAt, &r.CreatedBy, &r.UpdatedBy, &r.Parent, &r.Public, &r.Sealed, &r.Attrs)
}

// Link connects two objects, as KMIP's Link attribute does.
type Link struct {
	From, To  [16]byte
	Kind      string
	CreatedAt int64
	CreatedBy string
}

func (*Link) table() string { return "links" }

func (*Link) columns() (int, []string) {
	return 3, []string{"from", "kind", "to", "created_at", "created_by"}
}

func (r *Link) fields(d []any) []any {
	return append(d, &r.From, &r.Kind, &r.To, &r.CreatedAt, &r.CreatedBy)
}
