package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/store"
)

// Settings are the stored settings of the CPM (specification, "CPM Configuration" and the timers).
type Settings struct {
	// CommonName is the name this CPM goes by.
	CommonName string
	// Overlap is how long a superseded verification key still verifies.
	Overlap time.Duration
	// FollowInterval is the pause between two looks at the database for changes of other processes.
	FollowInterval time.Duration
	// MaxStaleness is how long operations go on with what is in memory while the database cannot be followed.
	MaxStaleness time.Duration
	// StatusTimeout is how long an adapter has to answer a Status or a RefreshConfig, ShutdownTimeout how long to end in order,
	// StartupTimeout how long a Startup waits for it to be Active.
	StatusTimeout, ShutdownTimeout, StartupTimeout time.Duration
	// Admission bounds what callers and FSPs may ask for.
	Admission Admission
	// Certificates judges the certificates that keys come in; nil takes any.
	Certificates *keys.CertificateRules
	// Hub is the FSP that is the switch itself, whose keys are published for all.
	Hub cpm.FSP
}

// Bounds and defaults of the settings.
const (
	defaultHub            = "Hub" // as Mojaloop's services name it unless configured
	defaultFollowInterval = 250 * time.Millisecond
	minFollowInterval     = 10 * time.Millisecond
	maxFollowInterval     = time.Minute
	defaultMaxStaleness   = 30 * time.Minute
	minMaxStaleness       = time.Second
	maxMaxStaleness       = 24 * time.Hour
	// of the timers of adapters
	defaultStatusTimeout   = 2 * time.Second
	defaultShutdownTimeout = 10 * time.Second
	defaultStartupTimeout  = 10 * time.Second
	minTimer, maxTimer     = 10 * time.Millisecond, 5 * time.Minute
)

// setting reads one row into its place.
type setting struct {
	name string
	read func(s *Settings, value []byte) error
}

// settings lists every setting there is.
func settings() []setting {
	return []setting{
		{"admission", readAdmission},
		{"commonName", func(s *Settings, v []byte) error { return json.Unmarshal(v, &s.CommonName) }},
		{"followInterval", duration(func(s *Settings) *time.Duration { return &s.FollowInterval }, minFollowInterval, maxFollowInterval)},
		{"hub", readHub},
		{"keyCertificates", readCertificates},
		{"keyOverlap", duration(func(s *Settings) *time.Duration { return &s.Overlap }, 0, math.MaxInt64)},
		{"maxStaleness", duration(func(s *Settings) *time.Duration { return &s.MaxStaleness }, minMaxStaleness, maxMaxStaleness)},
		{"shutdownTimeout", duration(func(s *Settings) *time.Duration { return &s.ShutdownTimeout }, minTimer, maxTimer)},
		{"startupTimeout", duration(func(s *Settings) *time.Duration { return &s.StartupTimeout }, minTimer, maxTimer)},
		{"statusTimeout", duration(func(s *Settings) *time.Duration { return &s.StatusTimeout }, minTimer, maxTimer)},
	}
}

// readHub reads the name of the hub.
func readHub(s *Settings, v []byte) error {
	if err := json.Unmarshal(v, &s.Hub); err != nil {
		return err
	}
	if !s.Hub.Valid() {
		return errors.New("it has to be the name of an FSP")
	}
	return nil
}

// readCertificates reads the policy for certificates strictly.
func readCertificates(s *Settings, v []byte) error {
	var p keys.CertificatePolicy
	d := json.NewDecoder(bytes.NewReader(v))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return err
	}
	var err error
	s.Certificates, err = keys.ReadCertificatePolicy(p)
	return err
}

// duration reads a duration within bounds.
func duration(place func(*Settings) *time.Duration, least, most time.Duration) func(*Settings, []byte) error {
	return func(s *Settings, v []byte) error {
		var d Duration
		if err := json.Unmarshal(v, &d); err != nil {
			return err
		}
		*place(s) = time.Duration(d)
		if t := time.Duration(d); t < least || t > most {
			return fmt.Errorf("it has to be from %s to %s", least, most)
		}
		return nil
	}
}

func settingsOf(rows map[string]store.Setting) (Settings, error) {
	s := Settings{
		CommonName: "cpm", Hub: defaultHub, Overlap: keys.DefaultOverlap, FollowInterval: defaultFollowInterval, MaxStaleness: defaultMaxStaleness,
		Admission: defaultAdmission(), StatusTimeout: defaultStatusTimeout, ShutdownTimeout: defaultShutdownTimeout, StartupTimeout: defaultStartupTimeout,
	}
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
	if s.MaxStaleness < 2*s.FollowInterval {
		problems = append(problems, errors.New(`setting "maxStaleness" has to be twice "followInterval" or longer`))
	}
	return s, errors.Join(problems...)
}
