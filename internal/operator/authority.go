package operator

import (
	"slices"

	"github.com/mojaloop/cpm/internal/fault"
)

// permit decides whether the caller may have a command carried out while no core can be asked: by the last configuration
// a core has sent, or by the names of this adapter's own configuration. Without either nobody may.
func (x *exchange) permit() error {
	for _, name := range x.credential.names {
		if slices.Contains(x.config.Names, name) {
			return nil
		}
	}
	x.mu.Lock()
	a := x.authority
	x.mu.Unlock()
	if a == nil {
		return fault.New(fault.Unavailable, "no CPM is connected, and this adapter does not know who may start one")
	}
	return a.permits(x)
}

// authority is who may start a CPM, as the last core that configured this adapter has it.
type authority struct{}

func parseAuthority([]byte) (*authority, error) { return &authority{}, nil }

func (a *authority) permits(*exchange) error {
	return fault.New(fault.Unauthenticated, refusedText)
}
