package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
)

// administer makes a command of a verb that speaks to a running CPM through its socket, with -o.
func (a *app) administer(v verb, run func(ctx context.Context, client *command.Client, out *output, args []string) error) *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	v.run = func(ctx context.Context, args []string) error {
		client := dial()
		defer client.Close()
		return run(ctx, client, out, args)
	}
	c := a.command(v)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// remove is a verb that asks for the target's name and then has one change made without a document.
func (a *app) remove(v verb, action, what string) *cobra.Command {
	yes := new(bool)
	v.args = cobra.ExactArgs(1)
	c := a.administer(v, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		if err := a.confirm(*yes, what, args[0]); err != nil {
			return err
		}
		return a.change(ctx, client, out, core.Change{Action: action, Target: args[0]}, nil)
	})
	yes = yesFlag(c)
	return c
}
