package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) fspCommand() *cobra.Command {
	return a.group("fsp", "List, add, change and suspend participants", "",
		a.fspList(), a.fspGet(), a.fspAdd(), a.fspSet(),
		a.fspMove("suspend", "Cut a participant off at once",
			"Declines every operation for the FSP from now on. Its keys, routes and grants stay. Asks for the FSP's name."),
		a.fspMove("resume", "Serve a suspended participant again", ""))
}

func (a *app) fspList() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "list", short: "List the participants",
		examples: []string{"cpm fsp list", "cpm fsp list -o name"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			all, err := client.FSPs(ctx)
			if err != nil {
				return err
			}
			return out.print(fspAnswer(all, all.FSPs, time.Now()))
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func (a *app) fspGet() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "get FSP", short: "Show a participant", args: cobra.ExactArgs(1),
		examples: []string{"cpm fsp get payerfsp", "cpm fsp get payerfsp -o yaml"},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			view, err := findFSP(ctx, client, args[0])
			if err != nil {
				return err
			}
			return out.print(fspAnswer(view, []core.FSPView{view}, time.Now()))
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func findFSP(ctx context.Context, client *command.Client, name string) (core.FSPView, error) {
	all, err := client.FSPs(ctx)
	if err != nil {
		return core.FSPView{}, err
	}
	i := slices.IndexFunc(all.FSPs, func(v core.FSPView) bool { return v.Name == name })
	if i < 0 {
		return core.FSPView{}, withHint(fault.New(fault.NotFound, "the FSP is not known"), "see which there are with: cpm fsp list")
	}
	return all.FSPs[i], nil
}

func fspAnswer(message any, views []core.FSPView, now time.Time) answer {
	v := answer{message: message, tables: []table{{header: []string{"NAME", "STATE", "KEYS", "ALGORITHMS", "FORMS", "UPDATED"}}}}
	for _, f := range views {
		v.names = append(v.names, f.Name)
		v.tables[0].rows = append(v.tables[0].rows, []string{
			f.Name, f.State, fmt.Sprint(f.Keys), or(strings.Join(f.Policy.Algorithms, ","), "default"),
			or(strings.Join(f.Policy.Forms, ","), "all"), ago(f.Updated, now),
		})
	}
	return v
}

func (a *app) fspAdd() *cobra.Command {
	var (
		dial   func() *command.Client
		out    *output
		policy *policyFlags
	)
	c := a.command(verb{
		use: "add FSP", short: "Add a participant", args: cobra.ExactArgs(1),
		long:     "Adds an FSP. It can do nothing before it has a key (`cpm key add`), a route and a grant (`cpm apply`).",
		examples: []string{"cpm fsp add newfsp", "cpm fsp add newfsp --algorithms RS256,PS256 --date-window 5m"},
		run: func(ctx context.Context, args []string) error {
			var d core.FSPDocument
			if err := policy.lay(a, &d.Policy); err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			return a.change(ctx, client, out, core.Change{Action: "fsp.add", Target: args[0]}, d)
		},
	})
	policy = addPolicyFlags(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func (a *app) fspSet() *cobra.Command {
	var (
		dial   func() *command.Client
		out    *output
		policy *policyFlags
	)
	c := a.command(verb{
		use: "set FSP", short: "Change a participant's policy", args: cobra.ExactArgs(1),
		long:     "Changes what is given and leaves the rest. An empty list is the default again.",
		examples: []string{"cpm fsp set payerfsp --forms raw,sorted", "cpm fsp set payerfsp --replay-window 10m --algorithms ''", "cpm fsp set payerfsp --encryption rules.yaml"},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			// The revision before the read makes a change in between a conflict instead of a loss.
			status, err := client.Status(ctx)
			if err != nil {
				return err
			}
			view, err := findFSP(ctx, client, args[0])
			if err != nil {
				return err
			}
			d := core.FSPDocument{Policy: view.Policy}
			if err := policy.lay(a, &d.Policy); err != nil {
				return err
			}
			return a.change(ctx, client, out, core.Change{Action: "fsp.set", Target: args[0], ExpectRevision: status.Revision}, d)
		},
	})
	policy = addPolicyFlags(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// fspMove makes suspend and resume.
func (a *app) fspMove(word, short, long string) *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		yes  = new(bool)
	)
	c := a.command(verb{
		use: word + " FSP", short: short, long: long, args: cobra.ExactArgs(1),
		examples: []string{"cpm fsp " + word + " payerfsp", "cpm fsp " + word + " payerfsp -o json"},
		run: func(ctx context.Context, args []string) error {
			if word == "suspend" {
				if err := a.confirm(*yes, "All operations for "+printable(args[0])+" will be declined.", args[0]); err != nil {
					return err
				}
			}
			client := dial()
			defer client.Close()
			return a.change(ctx, client, out, core.Change{Action: "fsp." + word, Target: args[0]}, nil)
		},
	})
	if word == "suspend" {
		yes = yesFlag(c)
		c.Example += "\n  cpm fsp suspend payerfsp --yes"
	}
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// change has the change made and shows its receipt.
func (a *app) change(ctx context.Context, client *command.Client, out *output, change core.Change, document any) error {
	receipt, err := submit(ctx, client, change, document)
	if err != nil {
		return err
	}
	a.say("%s %s: done; the configuration is at revision %d", change.Action, printable(change.Target), receipt.Revision)
	return out.print(receiptAnswer(receipt, []string{change.Target}))
}

// submit has a change with a document made.
func submit(ctx context.Context, client *command.Client, change core.Change, document any) (command.Receipt, error) {
	if document != nil {
		text, err := json.Marshal(document)
		if err != nil {
			return command.Receipt{}, err
		}
		change.Document = text
	}
	return client.Apply(ctx, change)
}
