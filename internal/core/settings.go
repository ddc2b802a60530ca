package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/store"
)

// Settings are the stored settings of the CPM (specification, "CPM Configuration" and the timers).
type Settings struct {
	// CommonName is the name this CPM goes by.
	CommonName string
	// Overlap is how long a superseded verification key still verifies.
	Overlap time.Duration
}

// setting reads one row into its place.
type setting struct {
	name string
	read func(s *Settings, value []byte) error
}

// settings lists every setting there is.
func settings() []setting {
	return []setting{
		{"commonName", func(s *Settings, v []byte) error { return json.Unmarshal(v, &s.CommonName) }},
		{"keyOverlap", func(s *Settings, v []byte) error {
			var d Duration
			err := json.Unmarshal(v, &d)
			s.Overlap = time.Duration(d)
			return err
		}},
	}
}

func settingsOf(rows map[string]store.Setting) (Settings, error) {
	s := Settings{CommonName: "cpm", Overlap: keys.DefaultOverlap}
	known := map[string]setting{}
	for _, k := range settings() {
		known[k.name] = k
	}
	var problems []error
	for name, row := range rows {
		k, ok := known[name]
		if !ok {
			problems = append(problems, fmt.Errorf("setting %q is not known", name))
			continue
		}
		if err := k.read(&s, row.Value); err != nil {
			problems = append(problems, fmt.Errorf("setting %q: %w", name, err))
		}
	}
	return s, errors.Join(problems...)
}
