package keys

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// Assurance is how well a key's operations are guarded.
type Assurance string

// The assurances. Software is the same as none said.
const (
	AssuranceSoftware Assurance = "software"
	AssuranceHardware Assurance = "hardware"
)

// Policy narrows who may use a key for what, beyond its use and the grants. It belongs to the key, not to a version. The zero
// Policy narrows nothing.
type Policy struct {
	// Callers are the principals that may use the key, as grants write them; empty is every one with a grant.
	Callers []string `json:"callers,omitempty"`
	// Operations are those the key may be used for; empty is all of its use.
	Operations []cpm.Operation `json:"operations,omitempty"`
	// MaxUses bounds how often each version protects something: see Version.UseLimit. 0 is no bound.
	MaxUses int64 `json:"maxUses,omitempty"`
	// MaxBytes bounds the message of one request in bytes, as Protocol Buffers encode it; 0 is no bound.
	MaxBytes int64 `json:"maxBytes,omitempty"`
	// Hours are when the key may be used, in UTC, such as "Mon-Fri 08:00-18:00"; empty is always.
	Hours []string `json:"hours,omitempty"`
	// Assurance is the least that the adapter must have.
	Assurance Assurance `json:"assurance,omitempty"`

	windows []window
	// broken says that it was stored by a program that knows more rules, and that nothing is allowed here.
	broken bool
}

// Occasion is what a policy judges.
type Occasion struct {
	Caller    cpm.Principal
	Operation cpm.Operation
	Bytes     int64
	Hardware  bool
	Now       time.Time
	// Named says that the request named the key.
	Named bool
	// Trial asks for no caller in particular.
	Trial bool
}

// maxRules bounds the lists of a policy.
const maxRules = 64

// read checks a policy of a key with the use given.
func (p *Policy) read(use cpm.KeyUse) error {
	switch {
	case len(p.Callers) > maxRules || len(p.Operations) > maxRules || len(p.Hours) > maxRules:
		return fault.New(fault.Invalid, "a list of a key's policy has at most %d members", maxRules)
	case p.MaxUses < 0 || p.MaxBytes < 0:
		return fault.New(fault.Invalid, "maxUses and maxBytes of a key's policy are whole numbers, 0 for no bound")
	case p.Assurance != "" && p.Assurance != AssuranceSoftware && p.Assurance != AssuranceHardware:
		return fault.New(fault.Invalid, "the assurance of a key's policy is %s or %s", AssuranceSoftware, AssuranceHardware)
	case slices.ContainsFunc(p.Callers, func(c string) bool { return !principal(c) }):
		return fault.New(fault.Invalid, "a caller of a key's policy is kind and name, such as certificate:ml-api-adapter.hub.example")
	}
	for _, o := range p.Operations {
		if !slices.ContainsFunc(cpm.Operations(), func(r cpm.Row) bool { return r.Operation == o && r.Use == use }) {
			return fault.New(fault.Invalid, "an operation of a key's policy is one that keys with use %s are for", use)
		}
	}
	p.windows = nil
	for _, text := range p.Hours {
		w, err := parseWindow(text)
		if err != nil {
			return err
		}
		p.windows = append(p.windows, w)
	}
	return nil
}

func principal(text string) bool {
	kind, name, ok := strings.Cut(text, ":")
	if !ok || name == "" || len(text) > 300 {
		return false
	}
	for _, k := range []cpm.PrincipalKind{cpm.PrincipalCertificate, cpm.PrincipalSocket, cpm.PrincipalLoopback, cpm.PrincipalSystem} {
		if kind == string(k) {
			return true
		}
	}
	return false
}

// refuses says by which rule the policy refuses an occasion; nil is that it does not.
func (p *Policy) refuses(key string, o Occasion) *fault.Error {
	switch {
	case p == nil:
		return nil
	case p.broken:
		return fault.New(fault.State, "the policy of %s is of a newer program, and this one cannot read it", key)
	case len(p.Callers) > 0 && !o.Trial && !slices.Contains(p.Callers, o.Caller.String()):
		return fault.New(fault.Denied, "the policy of %s names the callers that may use it, and this one is not among them", key)
	case len(p.Operations) > 0 && !slices.Contains(p.Operations, o.Operation):
		return fault.New(fault.Denied, "the policy of %s does not allow the operation %s", key, o.Operation)
	case p.Assurance == AssuranceHardware && !o.Hardware:
		return fault.New(fault.State, "the policy of %s wants hardware, and the route leads to software", key)
	case p.MaxBytes > 0 && o.Bytes > p.MaxBytes:
		return fault.New(fault.State, "the policy of %s allows messages of at most %d bytes", key, p.MaxBytes)
	case len(p.windows) > 0 && !slices.ContainsFunc(p.windows, func(w window) bool { return w.has(o.Now) }):
		return fault.New(fault.State, "the policy of %s does not allow its use at this hour", key)
	}
	return nil
}

// Refuses says by which rule the key's policy refuses an occasion: Denied for the caller and the operation, State for all else;
// nil is that it does not. The caller learns the key's name only if it gave it; the log has it always.
func (v *Version) Refuses(o Occasion) error {
	key := "the key"
	if o.Named || o.Trial {
		key = "key " + v.Ref.Name
	}
	if e := v.Policy.refuses(key, o); e != nil {
		return e.Because(errors.New("key " + v.String()))
	}
	return nil
}

// maxGCM is how often one key encrypts with AES-GCM when the nonces are random (NIST SP 800-38D, section 8.3).
const maxGCM = 1 << 32

// UseLimit is how often the version may protect something in all, at every CPM together; 0 is without end. For AES-GCM it is at
// most 2^32.
func (v *Version) UseLimit() int64 {
	var limit int64
	if v.Policy != nil {
		limit = v.Policy.MaxUses
	}
	switch v.Row.Algorithm {
	case "A128GCM", "A192GCM", "A256GCM":
		if limit == 0 || limit > maxGCM {
			return maxGCM
		}
	}
	return limit
}

// storedPolicy is the policy as a series keeps it; nil is none.
func storedPolicy(s *store.Series) *Policy {
	if len(s.Policy) == 0 {
		return nil
	}
	p := &Policy{}
	d := json.NewDecoder(strings.NewReader(string(s.Policy)))
	d.DisallowUnknownFields()
	if d.Decode(p) != nil || p.read(cpm.KeyUse(s.Use)) != nil {
		return &Policy{broken: true}
	}
	return p
}

// setPolicy puts a policy into a series; an empty one takes it away.
func setPolicy(s *store.Series, p Policy) error {
	if err := p.read(cpm.KeyUse(s.Use)); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	s.Policy = text
	if string(text) == "{}" {
		s.Policy = nil
	}
	return err
}

// SetPolicy gives a key another policy. It holds for every version, and from the commit on.
func (m *Manager) SetPolicy(tx *store.Tx, w Which, p Policy, actor string) (cpm.KeyRef, error) {
	f, err := m.find(tx, w)
	if err != nil {
		return cpm.KeyRef{}, err
	}
	if err := setPolicy(f.series, p); err != nil {
		return cpm.KeyRef{}, err
	}
	f.series.UpdatedAt, f.series.UpdatedBy = store.Micros(m.now()), actor
	return f.ref(), tx.Put(f.series)
}
