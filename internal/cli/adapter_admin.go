package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/route"
)

func (a *app) adapterList() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "list", short: "List the adapters and their endpoints",
		long: "STATUS is the specification's word, STATE what the CPM sees: an adapter with no endpoint that can be reached is\n" +
			"Inactive. IN FLIGHT counts the requests of this CPM.",
		examples: []string{"cpm adapter list", "cpm adapter list -o json"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			return printAdapters(ctx, client, out)
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func printAdapters(ctx context.Context, client *command.Client, out *output) error {
	all, err := client.Adapters(ctx)
	if err != nil {
		return err
	}
	v := answer{message: all}
	t := table{header: []string{"NAME", "KIND", "LAUNCH", "STATUS", "STATE", "ENABLED", "STOPPED", "OPERATIONS"}}
	for _, x := range all.Adapters {
		v.names = append(v.names, x.Name)
		t.rows = append(t.rows, []string{
			x.Name, x.Kind, x.Launch, x.Status, string(x.State), yesNo(x.Enabled), yesNo(x.Stopped), operations(x.Operations),
		})
	}
	v.tables = []table{t, endpointTable(all.Adapters)}
	return out.print(v)
}

func endpointTable(adapters []core.AdapterView) table {
	t := table{header: []string{"ADAPTER", "ENDPOINT", "UP", "IN FLIGHT", "RESTARTS"}}
	for _, a := range adapters {
		place := "in process"
		if a.Launch == route.LaunchManaged {
			place = "child process"
		}
		for _, e := range a.Endpoints {
			t.rows = append(t.rows, []string{a.Name, or(e.Address, place), yesNo(e.Up), fmt.Sprint(e.InFlight), fmt.Sprint(e.Restarts)})
		}
	}
	return t
}

func (a *app) adapterStop() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		yes  *bool
	)
	c := a.command(verb{
		use: "stop ADAPTER", short: "Stop an adapter in order, and keep it stopped", args: cobra.ExactArgs(1),
		long: "The adapter completes what it has, of every CPM it serves, and its processes end. Requests routed to it are declined\n" +
			"by all CPMs of the database until `cpm adapter start`, also after restarts. Asks for the adapter's name.",
		examples: []string{"cpm adapter stop ssm2", "cpm adapter stop ssm2 --yes"},
		run: func(ctx context.Context, args []string) error {
			if err := a.confirm(*yes, "All requests routed to "+printable(args[0])+" will be declined.", args[0]); err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			return a.change(ctx, client, out, core.Change{Action: "adapter.stop", Target: args[0]}, nil)
		},
	})
	yes = yesFlag(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func (a *app) adapterStart() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "start ADAPTER", short: "Start a stopped adapter", args: cobra.ExactArgs(1),
		long: "An external adapter is dialled; its processes are started by whoever runs them. If none of them is reached, after\n" +
			"two seconds for each endpoint, the command ends with exit code 6 and the CPM goes on dialling.",
		examples: []string{"cpm adapter start ssm2", "cpm adapter start ssm2 -o json"},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			if err := a.change(ctx, client, out, core.Change{Action: "adapter.start", Target: args[0]}, nil); err != nil {
				return err
			}
			return started(ctx, client, args[0])
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// started says why an adapter that has just been started is not Active.
func started(ctx context.Context, client *command.Client, name string) error {
	all, err := client.Adapters(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all.Adapters, func(v core.AdapterView) bool { return v.Name == name })
	switch {
	case i < 0 || all.Adapters[i].State == cpm.Active:
		return nil
	case !all.Adapters[i].Enabled:
		return withHint(fault.New(fault.State, "the adapter is not stopped any more, but it is disabled in the configuration"),
			"enable it with: cpm apply -f FILE")
	}
	return withHint(fault.New(fault.Unavailable, "the adapter is started and not reachable"),
		"start its processes with: cpm adapter ssm, then look with: cpm adapter list")
}

func (a *app) adapterRefresh() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "refresh", short: "Have the adapters follow the stored configuration",
		long: "Does what `cpm refresh-config` does and shows the adapters after it: those whose configuration changed in the\n" +
			"database are opened anew, the others go on undisturbed.",
		examples: []string{"cpm adapter refresh", "cpm adapter refresh -o name"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			if err := a.refresh(ctx, client, command.RefreshConfig, nil); err != nil {
				return err
			}
			return printAdapters(ctx, client, out)
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// refreshCommand makes refresh-config and refresh-keys.
func (a *app) refreshCommand(what, name string) *cobra.Command {
	return a.administer(verb{
		use: "refresh-" + what + " [ADAPTER]", short: "Have the CPM read its " + name + " from the database again", args: cobra.MaximumNArgs(1),
		long: "Configuration and keys are read together, and every adapter follows them: the specification's refresh of one adapter\n" +
			"is contained in it, and ADAPTER only has to be there. The present ones serve until the new ones are read, checked and\n" +
			"in place; if anything fails they stay, and the command says why. A deleted key leaves memory before the answer.",
		examples: []string{"cpm refresh-" + what, "cpm refresh-" + what + " ssm1 -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		if len(args) == 1 {
			if err := knownAdapter(ctx, client, args[0]); err != nil {
				return err
			}
		}
		return a.refresh(ctx, client, what, out)
	})
}

func knownAdapter(ctx context.Context, client *command.Client, name string) error {
	all, err := client.Adapters(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all.Adapters, func(v core.AdapterView) bool { return v.Name == name }) {
		return withHint(fault.New(fault.NotFound, "the adapter is not known"), "see what there is with: cpm adapter list")
	}
	return nil
}

// refresh has the CPM refresh, and shows the receipt on out unless that is nil.
func (a *app) refresh(ctx context.Context, client *command.Client, what string, out *output) error {
	receipt, err := client.Refresh(ctx, what)
	if err != nil {
		return err
	}
	a.say("refreshed; the configuration is at revision %d", receipt.Revision)
	if out == nil {
		return nil
	}
	return out.print(receiptAnswer(receipt, []string{fmt.Sprint(receipt.Revision)}))
}
