package store

// FSP is a participant.
type FSP struct {
	Name string
	// State is "active" or "suspended".
	State string
	// Policy is a JSON document.
	Policy               []byte
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*FSP) table() string { return "fsps" }

func (*FSP) columns() (int, []string) {
	return 1, []string{"name", "state", "policy", "created_at", "created_by", "updated_at", "updated_by"}
}

func (r *FSP) fields(d []any) []any {
	return append(d, &r.Name, &r.State, &r.Policy, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}
