package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
)

func (a *app) keyPolicy() *cobra.Command {
	return a.group("policy", "Show and set who may use a key for what",
		"A key's policy narrows what its use and the grants allow: callers, operations, how often, how much, when, and whether\n"+
			"hardware is needed. It holds for all versions of the key.",
		a.keyPolicyShow(), a.keyPolicySet())
}

func (a *app) keyPolicyShow() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "show FSP/NAME", short: "Show the policy of a key, and how often it was used", args: cobra.ExactArgs(1),
		long:     "Shows the rules, and for versions with a limit how many uses the CPMs have set aside of it.",
		examples: []string{"cpm key policy show payerfsp/data", "cpm key policy show payerfsp/data -o json"},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			view, err := findKey(ctx, client, args[0])
			if err != nil {
				return err
			}
			uses, err := client.KeyUses(ctx, cpm.FSP(view.FSP), view.Name)
			if err != nil {
				return err
			}
			return out.print(keyPolicyAnswer(args[0], policyOf(view), uses.Uses))
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// findKey reads the current version of a key named FSP/NAME.
func findKey(ctx context.Context, client *command.Client, text string) (core.KeyView, error) {
	fsp, name, err := keyName(text)
	if err != nil {
		return core.KeyView{}, err
	}
	all, err := client.Keys(ctx, cpm.FSP(fsp), name, false)
	if err != nil {
		return core.KeyView{}, err
	}
	if len(all.Keys) == 0 {
		return core.KeyView{}, noSuchKey(fsp)
	}
	return all.Keys[0], nil
}

func policyOf(view core.KeyView) keys.Policy {
	if view.Policy == nil {
		return keys.Policy{}
	}
	return *view.Policy
}

func keyPolicyAnswer(name string, p keys.Policy, uses []core.KeyUses) answer {
	bound := func(n int64) string {
		if n == 0 {
			return "no bound"
		}
		return fmt.Sprint(n)
	}
	var operations []string
	for _, o := range p.Operations {
		operations = append(operations, string(o))
	}
	v := answer{
		message: struct {
			Policy keys.Policy    `json:"policy"`
			Uses   []core.KeyUses `json:"uses"`
		}{p, uses},
		names: []string{name},
		tables: []table{{header: []string{"RULE", "VALUE"}, rows: [][]string{
			{"callers", or(strings.Join(p.Callers, " "), "all with a grant")},
			{"operations", or(strings.Join(operations, " "), "all of its use")},
			{"uses of a version", bound(p.MaxUses)},
			{"bytes of a message", bound(p.MaxBytes)},
			{"hours (UTC)", or(strings.Join(p.Hours, "; "), "always")},
			{"assurance", or(string(p.Assurance), string(keys.AssuranceSoftware))},
		}}},
	}
	counted := table{header: []string{"VERSION", "SET ASIDE", "OF"}}
	for _, u := range uses {
		if u.Limit > 0 {
			counted.rows = append(counted.rows, []string{fmt.Sprint(u.Version), fmt.Sprint(u.SetAside), fmt.Sprint(u.Limit)})
		}
	}
	if len(counted.rows) > 0 {
		v.tables = append(v.tables, counted)
	}
	return v
}

// keyPolicyFlags are the members of a key's policy as flags.
type keyPolicyFlags struct {
	command             *cobra.Command
	callers, operations []string
	hours               []string
	uses, bytes         int64
	assurance           string
}

func addKeyPolicyFlags(c *cobra.Command) *keyPolicyFlags {
	p := &keyPolicyFlags{command: c}
	f := c.Flags()
	f.StringSliceVar(&p.callers, "callers", nil, "principals that may use the key, such as certificate:switch.hub.example (default all with a grant)")
	f.StringSliceVar(&p.operations, "operations", nil, "operations it may be used for, such as encrypt (default all of its use)")
	f.Int64Var(&p.uses, "max-uses", 0, "how often each version may protect something in all; 0 is no bound")
	f.Int64Var(&p.bytes, "max-bytes", 0, "size of the message of one request; 0 is no bound")
	f.StringArrayVar(&p.hours, "hours", nil, "when it may be used, in UTC, such as \"Mon-Fri 08:00-18:00\"; may be repeated (default always)")
	f.StringVar(&p.assurance, "assurance", "", "the least that the adapter must have: software or hardware")
	return p
}

// lay puts the flags that were given over a policy.
func (p *keyPolicyFlags) lay(policy *keys.Policy) {
	changed := p.command.Flags().Changed
	if changed("callers") {
		policy.Callers = p.callers
	}
	if changed("operations") {
		policy.Operations = nil
		for _, o := range p.operations {
			policy.Operations = append(policy.Operations, cpm.Operation(o))
		}
	}
	if changed("max-uses") {
		policy.MaxUses = p.uses
	}
	if changed("max-bytes") {
		policy.MaxBytes = p.bytes
	}
	if changed("hours") {
		policy.Hours = nil
		for _, h := range p.hours {
			if h != "" {
				policy.Hours = append(policy.Hours, h)
			}
		}
	}
	if changed("assurance") {
		policy.Assurance = keys.Assurance(p.assurance)
	}
}

func (a *app) keyPolicySet() *cobra.Command {
	var (
		dial  func() *command.Client
		out   *output
		flags *keyPolicyFlags
		fresh bool
	)
	c := a.command(verb{
		use: "set FSP/NAME", short: "Change the policy of a key", args: cobra.ExactArgs(1),
		long: "Changes what is given and leaves the rest. An empty list is no rule any more. It holds at once, for all versions of the\n" +
			"key, at every CPM that has confirmed the change.",
		examples: []string{
			"cpm key policy set payerfsp/data --callers certificate:switch.hub.example --operations encrypt,decrypt",
			"cpm key policy set payerfsp/data --max-uses 1000000 --max-bytes 65536 --hours 08:00-18:00",
			"cpm key policy set payerfsp/data --clear",
		},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			// The revision before the read makes a change in between a conflict instead of a loss.
			status, err := client.Status(ctx)
			if err != nil {
				return err
			}
			view, err := findKey(ctx, client, args[0])
			if err != nil {
				return err
			}
			d := core.KeyPolicyDocument{FSP: cpm.FSP(view.FSP), Name: view.Name}
			if !fresh {
				d.Policy = policyOf(view)
			}
			flags.lay(&d.Policy)
			return a.change(ctx, client, out, core.Change{Action: "key.policy", Target: args[0], ExpectRevision: status.Revision}, d)
		},
	})
	flags = addKeyPolicyFlags(c)
	c.Flags().BoolVar(&fresh, "clear", false, "begin with no rule at all")
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}
