package cli

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/core"
)

// policyFlags are the members of an FSP's policy as flags.
type policyFlags struct {
	command       *cobra.Command
	algorithms    []string
	forms         []string
	date, replay  time.Duration
	unprotectedTo bool
	encryption    string
	inflate       bool
	textbookILP   bool
	limits        admission.Limits
}

func addPolicyFlags(c *cobra.Command) *policyFlags {
	p := &policyFlags{command: c}
	f := c.Flags()
	f.StringSliceVar(&p.algorithms, "algorithms", nil, "signature algorithms that are accepted (default RS256,ES256)")
	f.StringSliceVar(&p.forms, "forms", nil, "forms of the body verification tries: raw, sorted, legacy (default all)")
	f.DurationVar(&p.date, "date-window", 0, "how far a signed Date may be from now; 0 does not check")
	f.DurationVar(&p.replay, "replay-window", 0, "how long a verified message is remembered and refused; 0 does not check")
	f.BoolVar(&p.unprotectedTo, "unprotected-destination", false, "accept an FSPIOP-Destination that the signature does not cover")
	f.StringVar(&p.encryption, "encryption", "", "file with the rules of encryption, send and receive, in YAML or JSON, or -; they take the place of those before")
	f.BoolVar(&p.inflate, "inflate", false, "accept encrypted fields that were compressed, up to a limit")
	f.BoolVar(&p.textbookILP, "textbook-ilp", false, "compute ILP fulfilments as the API Definition says, not as the reference library does")
	f.IntVar(&p.limits.PerSecond, "per-second", 0, "operations a second the FSP may ask for; 0 is the limit of the setting admission")
	f.IntVar(&p.limits.Burst, "burst", 0, "how many of them at once after a pause; 0 is as many as in a second")
	f.IntVar(&p.limits.Concurrent, "concurrent", 0, "operations the FSP may have under way; 0 is the limit of the setting admission")
	return p
}

// layLimits puts those limits that were given over the FSP's.
func (p *policyFlags) layLimits(l *admission.Limits) error {
	changed := p.command.Flags().Changed
	if changed("per-second") {
		l.PerSecond = p.limits.PerSecond
	}
	if changed("burst") {
		l.Burst = p.limits.Burst
	}
	if changed("concurrent") {
		l.Concurrent = p.limits.Concurrent
	}
	if err := l.Check(); err != nil {
		return wrongUse("the limits of the FSP: %s", err)
	}
	return nil
}

// lay puts the flags that were given over a policy.
func (p *policyFlags) lay(a *app, policy *core.Policy) error {
	if p.date < 0 || p.replay < 0 {
		return wrongUse("a window is a duration such as 5m, or 0")
	}
	if err := p.layLimits(&policy.Limits); err != nil {
		return err
	}
	changed := p.command.Flags().Changed
	if changed("algorithms") {
		policy.Algorithms = p.algorithms
	}
	if changed("forms") {
		policy.Forms = p.forms
	}
	if changed("date-window") {
		policy.DateWindow = core.Duration(p.date)
	}
	if changed("replay-window") {
		policy.ReplayWindow = core.Duration(p.replay)
	}
	if changed("unprotected-destination") {
		policy.UnprotectedDestination = p.unprotectedTo
	}
	if changed("inflate") {
		policy.Inflate = p.inflate
	}
	if changed("textbook-ilp") {
		policy.TextbookILP = p.textbookILP
	}
	if changed("encryption") {
		return p.readRules(a, policy)
	}
	return nil
}

// readRules reads the file of --encryption.
func (p *policyFlags) readRules(a *app, policy *core.Policy) error {
	text, err := a.readInput(p.encryption, maxDesired)
	if err != nil {
		return err
	}
	rules, err := shaped(text, reflect.TypeFor[core.Encryption]())
	if err != nil {
		return err
	}
	policy.Encryption = core.Encryption{}
	return json.Unmarshal(rules, &policy.Encryption)
}
