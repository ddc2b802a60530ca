package store

// Adapter is a module or a door that runs beside the core.
type Adapter struct {
	Name string
	// Type is "security", "command" or "keyupdate".
	Type string
	// Kind names what is built in, for example "ssm"; never a path.
	Kind string
	// Launch is "inproc", "managed" or "external".
	Launch string
	// Identity is the name its certificate must have.
	Identity string
	Enabled  bool
	// Stopped is an administrator's stop; it survives restarts.
	Stopped bool
	// Operations is a JSON list of what the adapter is mandated to do, Settings a JSON document of its kind.
	Operations, Settings []byte
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*Adapter) table() string { return "adapters" }

func (*Adapter) columns() (int, []string) {
	return 1, []string{
		"name", "type", "kind", "launch", "identity", "enabled", "stopped", "operations", "settings",
		"created_at", "created_by", "updated_at", "updated_by",
	}
}

func (r *Adapter) fields(d []any) []any {
	return append(d, &r.Name, &r.Type, &r.Kind, &r.Launch, &r.Identity, &r.Enabled, &r.Stopped, &r.Operations, &r.Settings,
		&r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// Endpoint is one of an adapter's equal places to reach it. The adapter must be there first.
type Endpoint struct {
	Adapter, Address string
	Port             int64
	CreatedAt        int64
	CreatedBy        string
}

func (*Endpoint) table() string { return "endpoints" }

func (*Endpoint) columns() (int, []string) {
	return 3, []string{"adapter", "address", "port", "created_at", "created_by"}
}

func (r *Endpoint) fields(d []any) []any {
	return append(d, &r.Adapter, &r.Address, &r.Port, &r.CreatedAt, &r.CreatedBy)
}

// HSM is one hardware security module behind an adapter. The adapter must be there first.
type HSM struct {
	Adapter, Name, Type, Address string
	Port                         int64
	HeaderType                   string
	Priority                     int64
	// HealthInterval is in microseconds; 0 sends no health messages.
	HealthInterval int64
	// Timeout of a message is in microseconds.
	Timeout int64
	// Settings is a JSON document of its type.
	Settings             []byte
	CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy string
}

func (*HSM) table() string { return "hsms" }

func (*HSM) columns() (int, []string) {
	return 2, []string{
		"adapter", "name", "type", "address", "port", "header_type", "priority", "health_interval", "timeout", "settings",
		"created_at", "created_by", "updated_at", "updated_by",
	}
}

func (r *HSM) fields(d []any) []any {
	return append(d, &r.Adapter, &r.Name, &r.Type, &r.Address, &r.Port, &r.HeaderType, &r.Priority, &r.HealthInterval,
		&r.Timeout, &r.Settings, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}
