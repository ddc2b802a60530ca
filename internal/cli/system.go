package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

// shutdownName is what has to be typed to shut a CPM down.
const shutdownName = "cpm"

func (a *app) shutdownCommand() *cobra.Command {
	yes := new(bool)
	c := a.administer(verb{
		use: "shutdown", short: "Shut a CPM down",
		long: "The CPM answers what it has accepted, declines everything else, ends its adapters and then itself (specification,\n" +
			"\"Shutdown\"). A service manager may start it again; stop it there to keep it down. One adapter is stopped with\n" +
			"`cpm adapter stop`. Asks for the name \"cpm\".",
		examples: []string{"cpm shutdown", "cpm shutdown --yes --socket /run/cpm/cpm.sock"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		if err := a.confirm(*yes, "All requests will be declined until the CPM is started again.", shutdownName); err != nil {
			return err
		}
		ending, err := client.Shutdown(ctx)
		if err != nil {
			return err
		}
		a.say("the CPM answers what it has accepted, and then ends")
		return out.print(answer{message: ending, names: []string{shutdownName}, tables: []table{{
			header: []string{"STATE"}, rows: [][]string{{string(ending.State)}},
		}}})
	})
	yes = yesFlag(c)
	return c
}

func (a *app) startupCommand() *cobra.Command {
	return a.administer(verb{
		use: "startup", short: "Start every adapter that is stopped",
		long: "Does what the command Startup does for a CPM that runs. One that is down is started with `cpm server`, or through a\n" +
			"Command adapter (`cpm command Startup`). An adapter whose processes are missing is reported, and the others are\n" +
			"started.",
		examples: []string{"cpm startup", "cpm startup -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		all, err := client.Adapters(ctx)
		if err != nil {
			return err
		}
		for i := range all.Adapters {
			if !all.Adapters[i].Stopped {
				continue
			}
			name := all.Adapters[i].Name
			if _, err := client.Apply(ctx, core.Change{Action: "adapter.start", Target: name}); err != nil {
				return err
			}
			if err := started(ctx, client, name); err != nil {
				a.tell("error", name+": "+fault.From(err).Public)
				continue
			}
			a.say("%s is started", name)
		}
		return printAdapters(ctx, client, out)
	})
}
