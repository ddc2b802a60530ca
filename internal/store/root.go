package store

// RootTerm is the secret from which the store's integrity and wrapping keys are derived, sealed by a root key provider.
type RootTerm struct {
	ID       [16]byte
	Provider string
	Sealed   []byte
	// State is "active" for the one term in use.
	State     string
	CreatedAt int64
}

func (*RootTerm) table() string { return "root_terms" }

func (*RootTerm) columns() (int, []string) {
	return 1, []string{"id", "provider", "sealed", "state", "created_at"}
}

func (r *RootTerm) fields(d []any) []any {
	return append(d, &r.ID, &r.Provider, &r.Sealed, &r.State, &r.CreatedAt)
}

// KEK is the key-encryption key of a space, sealed by a root term, which must be there first.
type KEK struct {
	Space     string
	Version   int64
	Term      [16]byte
	Sealed    []byte
	CreatedAt int64
}

func (*KEK) table() string { return "keks" }

func (*KEK) columns() (int, []string) {
	return 2, []string{"space", "version", "term", "sealed", "created_at"}
}

func (r *KEK) fields(d []any) []any {
	return append(d, &r.Space, &r.Version, &r.Term, &r.Sealed, &r.CreatedAt)
}
