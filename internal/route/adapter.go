package route

import (
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
)

// The types of adapter (specification, "Adapter Configuration").
const (
	TypeSecurity  = "security"
	TypeCommand   = "command"
	TypeKeyUpdate = "keyupdate"
)

// The kinds of security adapter. A row names a kind, never a path or arguments: what a kind starts is compiled in.
const (
	KindSSM = "ssm"
	KindHSM = "hsm"
)

// How an adapter comes to run.
const (
	LaunchInProcess = "inproc"
	LaunchManaged   = "managed"
	LaunchExternal  = "external"
)

// Adapter is the configuration of one adapter.
type Adapter struct {
	Name   string
	Type   string
	Kind   string
	Launch string
	// Identity is the certificate name an adapter on a link must have.
	Identity string
	Enabled  bool
	// Stopped is an operator's decision; it survives restarts.
	Stopped bool
	// Operations are those the adapter is mandated to do.
	Operations []cpm.Operation
	// Settings are the kind's own, as JSON.
	Settings []byte
}

// Mandated says whether the adapter's configuration lets it do the operation.
func (a *Adapter) Mandated(o cpm.Operation) bool { return slices.Contains(a.Operations, o) }

// Hardware says whether the adapter may do hardware-only operations.
func (a *Adapter) Hardware() bool { return a.Kind == KindHSM }
