package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/store"
)

// The states of an FSP.
const (
	fspActive    = "active"
	fspSuspended = "suspended"
)

// FSP is a participant as requests see it.
type FSP struct {
	Name      cpm.FSP
	Suspended bool
	Policy    Policy
	// Modules is the part of the policy that modules go by.
	Modules *cpm.Policy
}

// Policy is what an FSP's record may say. Absent members have the defaults.
type Policy struct {
	// Algorithms is the allow-list of JOSE names; default RS256 and ES256.
	Algorithms []string `json:"algorithms,omitempty"`
	// Forms are the forms of the body verification tries: raw, sorted, legacy; default all.
	Forms []string `json:"forms,omitempty"`
	// DateWindow refuses messages whose signed Date is further from now, for example "5m"; default is no check.
	DateWindow Duration `json:"dateWindow,omitempty"`
	// ReplayWindow refuses a message this CPM process has verified within it; default is no check.
	ReplayWindow Duration `json:"replayWindow,omitempty"`
	// UnprotectedDestination accepts an FSPIOP-Destination the signature does not cover.
	UnprotectedDestination bool `json:"unprotectedDestination,omitempty"`
	// Encryption says which fields of messages are encrypted.
	Encryption Encryption `json:"encryption,omitzero"`
	// Inflate accepts encrypted fields that were compressed ("zip":"DEF"), up to a limit; default is to refuse them.
	Inflate bool `json:"inflate,omitempty"`
	// TextbookILP computes fulfilments as the API Definition says, not as the reference library does.
	TextbookILP bool `json:"textbookIlp,omitempty"`
	// Limits are the FSP's own; absent members are those of the setting admission.
	Limits admission.Limits `json:"limits,omitzero"`
}

// Duration is written as Go does: "5m".
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration; negative ones are refused.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return errors.New("a duration is written like 5m or 250ms")
	}
	*d = Duration(v)
	return nil
}

// forModules checks the policy and makes the form modules use. Its error names every problem.
func (p Policy) forModules() (*cpm.Policy, error) {
	s := *fspiop.DefaultPolicy()
	problems := []error{p.Encryption.check()}
	for _, a := range p.Algorithms {
		if _, known := fspiop.AlgorithmNamed(a); !known {
			problems = append(problems, fmt.Errorf("algorithm %q is not one of %v", a, fspiop.AlgorithmNames()))
		}
	}
	if len(p.Algorithms) > 0 {
		s.Algorithms = p.Algorithms
	}
	if len(p.Forms) > 0 {
		s.Raw, s.Sorted, s.Legacy = false, false, false
	}
	for _, f := range p.Forms {
		switch fspiop.Form(f) {
		case fspiop.FormRaw:
			s.Raw = true
		case fspiop.FormSorted:
			s.Sorted = true
		case fspiop.FormLegacy:
			s.Legacy = true
		default:
			problems = append(problems, fmt.Errorf("form %q is not one of raw, sorted, legacy", f))
		}
	}
	s.DateWindow = time.Duration(p.DateWindow)
	s.Replay, s.ReplayWindow = p.ReplayWindow > 0, time.Duration(p.ReplayWindow)
	s.UnprotectedDestination, s.Inflate, s.TextbookILP = p.UnprotectedDestination, p.Inflate, p.TextbookILP
	return &s, errors.Join(problems...)
}

func fspsOf(rows map[string]store.FSP) (map[cpm.FSP]*FSP, error) {
	all := make(map[cpm.FSP]*FSP, len(rows))
	var problems []error
	for name, row := range rows {
		f, err := fspOf(row)
		if err != nil {
			problems = append(problems, fmt.Errorf("FSP %q: %w", name, err))
			continue
		}
		all[f.Name] = f
	}
	return all, errors.Join(problems...)
}

func fspOf(row store.FSP) (*FSP, error) {
	f := &FSP{Name: cpm.FSP(row.Name), Suspended: row.State != fspActive}
	if !f.Name.Valid() {
		return nil, errors.New("the name must be 1 to 128 visible characters without / \" \\")
	}
	if len(row.Policy) > 0 {
		if err := json.Unmarshal(row.Policy, &f.Policy); err != nil {
			return nil, fmt.Errorf("its policy cannot be read: %w", err)
		}
	}
	if err := f.Policy.Limits.Check(); err != nil {
		return f, fmt.Errorf("its limits: %w", err)
	}
	var err error
	f.Modules, err = f.Policy.forModules()
	return f, err
}

// active finds an FSP that may be served.
func (s *Snapshot) active(name cpm.FSP) (*FSP, error) {
	f, ok := s.FSPs[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "the FSP is not known; add it with: cpm fsp add")
	}
	if f.Suspended {
		return nil, errSuspended()
	}
	return f, nil
}

func errSuspended() error {
	return fault.New(fault.State, "the FSP is suspended; resume it with: cpm fsp resume")
}
