package store

// Route says which adapter does an operation for a space.
type Route struct {
	// Space is an FSP or "*", Operation an operation or "*".
	Space, Operation, Adapter string
	Enabled                   bool
	// Timeout is in microseconds; 0 is the default.
	Timeout              int64
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*Route) table() string { return "routes" }

func (*Route) columns() (int, []string) {
	return 2, []string{
		"space", "operation", "adapter", "enabled", "timeout", "created_at", "created_by", "updated_at", "updated_by",
	}
}

func (r *Route) fields(d []any) []any {
	return append(d, &r.Space, &r.Operation, &r.Adapter, &r.Enabled, &r.Timeout,
		&r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// Setting is one value that is not worth a table.
type Setting struct {
	Name string
	// Value is JSON.
	Value []byte
}

func (*Setting) table() string { return "settings" }

func (*Setting) columns() (int, []string) { return 1, []string{"name", "value"} }

func (r *Setting) fields(d []any) []any { return append(d, &r.Name, &r.Value) }
