package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxSettings bounds what a core may configure an adapter with.
const maxSettings = 4 << 20

// settings are what a core configures a Command adapter with.
type settings struct {
	// Settings are the adapter's own; it has none yet.
	Settings struct{} `json:"settings"`
	// Access says who may send what the adapter decides about while no core can be asked.
	Access access.Excerpt `json:"access"`
}

// parseAuthority reads the settings of a core, strictly. Without any it knows nobody.
func parseAuthority(name string, text []byte) (*access.Rules, error) {
	var s settings
	if len(text) > maxSettings {
		return nil, fault.New(fault.TooLarge, "the settings of a Command adapter have at most %d bytes", maxSettings)
	}
	if len(bytes.TrimSpace(text)) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return nil, fault.New(fault.Invalid, "a Command adapter has no such settings").Because(err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "the settings of a Command adapter are one JSON object").Because(err)
		}
	}
	rules, err := s.Access.Rules(name)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the users or the whitelist cannot be used").Because(err)
	}
	return rules, nil
}

// permit decides whether the caller may have the command carried out while no core can be asked: by the last configuration
// a core has sent, or by the names of this adapter's own configuration. Without either nobody may.
func (x *exchange) permit() error {
	if slices.ContainsFunc(x.credential.names, func(name string) bool { return slices.Contains(x.config.Names, name) }) {
		return nil
	}
	x.mu.Lock()
	rules := x.rules
	x.mu.Unlock()
	if rules == nil {
		return fault.New(fault.Unavailable, "no CPM is connected, and this adapter does not know who may do this")
	}
	return x.decide(rules)
}

// decide decides as a core does: the address first, then the credential, then the command.
func (x *exchange) decide(rules *access.Rules) error {
	address := x.address.String()
	if err := rules.Admit(x.config.Name, address); err != nil {
		return err
	}
	u, err := rules.Authenticate(access.Credential{Certificates: x.credential.names, Token: x.credential.token, Address: address}, x.config.Now())
	if err != nil {
		return err
	}
	return rules.AllowCommand(u, x.request.Command)
}
