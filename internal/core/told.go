package core

import (
	"encoding/json"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/route"
)

// told is what an adapter that dialled in is configured with: its own settings and, for a Command adapter, who may send it
// the commands it has to decide about while no CPM can be asked.
func (s *Snapshot) told(config *route.Adapter) []byte {
	if config.Type != route.TypeCommand {
		return config.Settings
	}
	settings := config.Settings
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	text, err := json.Marshal(struct {
		Settings json.RawMessage `json:"settings"`
		Access   access.Excerpt  `json:"access"`
	}{settings, s.Rules.Excerpt(config.Name, cpm.CommandStartup, cpm.CommandStatus)})
	if err != nil {
		return config.Settings // settings are JSON since they were applied; without the excerpt nobody may
	}
	return text
}
