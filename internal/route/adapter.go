package route

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
)

// The types of adapter (specification, "Adapter Configuration").
const (
	TypeSecurity  = "security"
	TypeCommand   = "command"
	TypeKeyUpdate = "keyupdate"
)

// The kinds of security adapter; the kind of the others is their type. A row names a kind, never a path or arguments: what a kind starts is compiled in.
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
	// Endpoints are host:port of an adapter on a link; all do the same.
	Endpoints []string
	Enabled   bool
	// Stopped is an operator's decision; it survives restarts.
	Stopped bool
	// Operations are those the adapter is mandated to do.
	Operations []cpm.Operation
	// Settings are the kind's own, as JSON.
	Settings []byte
}

// Places are the endpoints to open: those configured, or "" for an adapter that is in this process or started by it.
func (a *Adapter) Places() []string {
	if a.Launch != LaunchExternal {
		return []string{""}
	}
	return a.Endpoints
}

// Security says whether the adapter does operations. The others, Command and Key Update, dial in and ask.
func (a *Adapter) Security() bool { return a.Type == TypeSecurity }

// check checks what the adapter's type needs.
func (a *Adapter) check() error {
	switch a.Type {
	case TypeSecurity:
		if a.Kind != KindSSM {
			return fmt.Errorf("kind %q: only %q can be configured", a.Kind, KindSSM)
		}
		return a.checkLaunch()
	case TypeCommand, TypeKeyUpdate:
		return a.checkDialler()
	}
	return fmt.Errorf("type %q: only %q, %q and %q can be configured", a.Type, TypeSecurity, TypeCommand, TypeKeyUpdate)
}

// checkDialler checks an adapter that dials in: it is known by its certificate, and there is nowhere to reach it.
func (a *Adapter) checkDialler() error {
	switch {
	case a.Kind != a.Type:
		return fmt.Errorf("kind %q: an adapter of type %q has the kind %q", a.Kind, a.Type, a.Type)
	case a.Launch != LaunchExternal:
		return fmt.Errorf("launch %q: an adapter that dials in is %q", a.Launch, LaunchExternal)
	case len(a.Endpoints) > 0 || len(a.Operations) > 0:
		return errors.New("an adapter that dials in has no endpoints and no operations")
	case !cpm.ValidName(a.Identity):
		return errors.New("an adapter that dials in needs the name of its certificate as identity")
	}
	return nil
}

// checkLaunch checks what the way of running needs: an external adapter has endpoints and an identity, one in this process
// or started by it has neither.
func (a *Adapter) checkLaunch() error {
	switch a.Launch {
	case LaunchInProcess, LaunchManaged:
		if len(a.Endpoints) > 0 || a.Identity != "" {
			return fmt.Errorf("an adapter with launch %q has no endpoints and no identity", a.Launch)
		}
		return nil
	case LaunchExternal:
	default:
		return fmt.Errorf("launch %q: only %q, %q and %q can be configured", a.Launch, LaunchInProcess, LaunchManaged, LaunchExternal)
	}
	if len(a.Endpoints) == 0 || !cpm.ValidName(a.Identity) {
		return errors.New("an external adapter needs endpoints, and the name of its certificate as identity")
	}
	for _, e := range a.Endpoints {
		host, port, err := net.SplitHostPort(e)
		if err != nil || host == "" || port == "0" {
			return errors.New("an endpoint is written host:port")
		}
	}
	return nil
}

// Mandated says whether the adapter's configuration lets it do the operation.
func (a *Adapter) Mandated(o cpm.Operation) bool { return slices.Contains(a.Operations, o) }

// Hardware says whether the adapter may do hardware-only operations.
func (a *Adapter) Hardware() bool { return a.Kind == KindHSM }
