package command

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/core"
)

// About is what a server tells of itself beside its core.
type About struct {
	Version string `json:"version"`
	Listen  Listen `json:"listen,omitzero"`
	// RiskAcceptance is who accepted to run without hardware; nil when nobody had to.
	RiskAcceptance *RiskAcceptance `json:"riskAcceptance,omitempty"`
}

// Listen has the addresses the server is bound to; an empty one is switched off or not open.
type Listen struct {
	MojaloopHTTP string `json:"mojaloopHTTP,omitempty"`
	MojaloopGRPC string `json:"mojaloopGRPC,omitempty"`
	Command      string `json:"command,omitempty"`
	KeyUpdate    string `json:"keyUpdate,omitempty"`
	Probes       string `json:"probes,omitempty"`
	// NotOpen are the keys of ports that are configured and could not be opened; the CPM serves without them.
	NotOpen []string `json:"notOpen,omitempty"`
}

// RiskAcceptance is the bootstrap configuration's record of the same name.
type RiskAcceptance struct {
	By   string `json:"by"`
	Date string `json:"date"`
	Text string `json:"text"`
}

// Status is the answer of /v1/status.
type Status struct {
	core.StatusView
	// Counts are the core's counters since start.
	Counts []Count `json:"counts"`
	About
}

// Count says how many requests of an operation for an FSP an adapter answered and declined.
type Count struct {
	Operation string `json:"operation"`
	FSP       string `json:"fsp"`
	Adapter   string `json:"adapter"`
	Success   uint64 `json:"success"`
	Failed    uint64 `json:"failed"`
}

func statusView(s core.StatusView, a About) Status {
	counts := make([]Count, len(s.Counts))
	for i, c := range s.Counts {
		counts[i] = Count(c)
	}
	return Status{s, counts, a}
}

// Adapters is the answer of /v1/adapters.
type Adapters struct {
	Adapters []core.AdapterView `json:"adapters"`
}

// FSPs is the answer of /v1/fsps.
type FSPs struct {
	FSPs []core.FSPView `json:"fsps"`
}

// Keys is the answer of /v1/keys.
type Keys struct {
	Keys []core.KeyView `json:"keys"`
}

// KeyUses is the answer of /v1/key-uses.
type KeyUses struct {
	Uses []core.KeyUses `json:"uses"`
}

// Routes is the answer of /v1/routes.
type Routes struct {
	Routes []core.RouteView `json:"routes"`
}

// Grants is the answer of /v1/grants.
type Grants struct {
	Grants []Grant `json:"grants"`
}

// Grant lets a principal do an operation for an FSP.
type Grant struct {
	Principal string `json:"principal"`
	FSP       string `json:"fsp"`
	Operation string `json:"operation"`
}

// Receipt is the answer of /v1/changes and, without detail, of /v1/refresh.
type Receipt struct {
	// Revision is that of the configuration after the change.
	Revision int64 `json:"revision"`
	// Detail is what came of the change, for example the version of an added key.
	Detail json.RawMessage `json:"detail,omitempty"`
	// Replicas are, for a change that takes a key out of use, the CPMs on the database that have confirmed it.
	Replicas *core.Replicas `json:"replicas,omitempty"`
}

func grantViews(all []access.Grant) []Grant {
	views := make([]Grant, len(all))
	for i, g := range all {
		views[i] = Grant{Principal: g.Principal, FSP: g.Space, Operation: g.Operation}
	}
	return views
}

func receiptView(r core.Receipt) (Receipt, error) {
	if r.Detail == nil {
		return Receipt{Revision: r.Revision, Replicas: r.Replicas}, nil
	}
	detail, err := json.Marshal(r.Detail)
	return Receipt{r.Revision, detail, r.Replicas}, err
}

// inOrder sorts keys by FSP, name and version.
func inOrder(keys []core.KeyView) []core.KeyView {
	slices.SortFunc(keys, func(a, b core.KeyView) int {
		return cmp.Or(cmp.Compare(a.FSP, b.FSP), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return keys
}
