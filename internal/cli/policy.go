package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/core"
)

// policyFlags are the members of an FSP's policy as flags.
type policyFlags struct {
	command       *cobra.Command
	algorithms    []string
	forms         []string
	date, replay  time.Duration
	unprotectedTo bool
}

func addPolicyFlags(c *cobra.Command) *policyFlags {
	p := &policyFlags{command: c}
	f := c.Flags()
	f.StringSliceVar(&p.algorithms, "algorithms", nil, "signature algorithms that are accepted (default RS256,ES256)")
	f.StringSliceVar(&p.forms, "forms", nil, "forms of the body verification tries: raw, sorted, legacy (default all)")
	f.DurationVar(&p.date, "date-window", 0, "how far a signed Date may be from now; 0 does not check")
	f.DurationVar(&p.replay, "replay-window", 0, "how long a verified message is remembered and refused; 0 does not check")
	f.BoolVar(&p.unprotectedTo, "unprotected-destination", false, "accept an FSPIOP-Destination that the signature does not cover")
	return p
}

// lay puts the flags that were given over a policy.
func (p *policyFlags) lay(policy *core.Policy) error {
	if p.date < 0 || p.replay < 0 {
		return wrongUse("a window is a duration such as 5m, or 0")
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
	return nil
}
