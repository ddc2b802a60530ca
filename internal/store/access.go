package store

// Grant lets a principal do an operation for a space.
type Grant struct {
	Principal, Space, Operation string
	CreatedAt, UpdatedAt        int64
	CreatedBy, UpdatedBy        string
}

func (*Grant) table() string { return "grants" }

func (*Grant) columns() (int, []string) {
	return 3, []string{"principal", "space", "operation", "created_at", "created_by", "updated_at", "updated_by"}
}

func (r *Grant) fields(d []any) []any {
	return append(d, &r.Principal, &r.Space, &r.Operation, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// Group holds what its users may command.
type Group struct {
	Name string
	// Attrs is a JSON document.
	Attrs                []byte
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*Group) table() string { return "groups" }

func (*Group) columns() (int, []string) {
	return 1, []string{"name", "attrs", "created_at", "created_by", "updated_at", "updated_by"}
}

func (r *Group) fields(d []any) []any {
	return append(d, &r.Name, &r.Attrs, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// User may send commands. The group must be there first.
type User struct {
	Name, Group string
	Enabled     bool
	// Attrs is a JSON document.
	Attrs                []byte
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*User) table() string { return "users" }

func (*User) columns() (int, []string) {
	return 1, []string{"name", "group", "enabled", "attrs", "created_at", "created_by", "updated_at", "updated_by"}
}

func (r *User) fields(d []any) []any {
	return append(d, &r.Name, &r.Group, &r.Enabled, &r.Attrs, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// GroupCommand lets a group send a command. The group must be there first.
type GroupCommand struct {
	Group, Command string
	CreatedAt      int64
	CreatedBy      string
}

func (*GroupCommand) table() string { return "group_commands" }

func (*GroupCommand) columns() (int, []string) {
	return 2, []string{"group", "command", "created_at", "created_by"}
}

func (r *GroupCommand) fields(d []any) []any {
	return append(d, &r.Group, &r.Command, &r.CreatedAt, &r.CreatedBy)
}

// Whitelist is an address, or a range of them, that may use a command adapter. The adapter must be there first.
type Whitelist struct {
	Adapter, Address string
	CreatedAt        int64
	CreatedBy        string
}

func (*Whitelist) table() string { return "whitelist" }

func (*Whitelist) columns() (int, []string) {
	return 2, []string{"adapter", "address", "created_at", "created_by"}
}

func (r *Whitelist) fields(d []any) []any {
	return append(d, &r.Adapter, &r.Address, &r.CreatedAt, &r.CreatedBy)
}
