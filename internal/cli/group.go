package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
)

func (a *app) groupCommand() *cobra.Command {
	return a.group("group", "List, set and delete groups of operators",
		"A group names what its users may do: commands (Shutdown, Startup, RefreshConfig, RefreshKeys, Status), and actions, such\n"+
			"as key.add.",
		a.groupList(), a.groupSet(),
		a.remove(verb{
			use: "delete GROUP", short: "Delete a group without users", long: "Refused while users are in it. Asks for the name.",
			examples: []string{"cpm group delete auditors", "cpm group delete auditors --yes"},
		}, "group.delete", "The group will be gone."))
}

func (a *app) groupList() *cobra.Command {
	return a.administer(verb{
		use: "list", short: "List the groups and what they allow",
		examples: []string{"cpm group list", "cpm group list -o yaml"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		all, err := client.Operators(ctx)
		if err != nil {
			return err
		}
		v := answer{message: map[string]any{"groups": all.Groups}, tables: []table{{header: []string{"GROUP", "COMMANDS"}}}}
		for _, g := range all.Groups {
			v.names = append(v.names, g.Name)
			v.tables[0].rows = append(v.tables[0].rows, []string{g.Name, joined(g.Commands)})
		}
		return out.print(v)
	})
}

func (a *app) groupSet() *cobra.Command {
	var d core.GroupDocument
	c := a.administer(verb{
		use: "set GROUP --commands LIST", short: "Say what a group may do", args: cobra.ExactArgs(1),
		long:     "Adds the group if it is not there. The list takes the place of the one before.",
		examples: []string{"cpm group set operators --commands Shutdown,Startup,RefreshConfig,RefreshKeys,Status", "cpm group set auditors --commands Status"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		return a.change(ctx, client, out, core.Change{Action: "group.set", Target: args[0]}, d)
	})
	c.Flags().StringSliceVar(&d.Commands, "commands", nil, "commands and actions, separated by commas")
	_ = c.MarkFlagRequired("commands")
	return c
}

func (a *app) whitelistCommand() *cobra.Command {
	return a.group("whitelist", "List and set from where operators may come",
		"A Command adapter takes commands from the addresses of its whitelist only, beside certificate or token.",
		a.whitelistList(), a.whitelistSet())
}

func (a *app) whitelistList() *cobra.Command {
	return a.administer(verb{
		use: "list", short: "List the addresses of each adapter",
		examples: []string{"cpm whitelist list", "cpm whitelist list -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		all, err := client.Operators(ctx)
		if err != nil {
			return err
		}
		v := answer{message: map[string]any{"whitelist": all.Whitelist}, tables: []table{{header: []string{"ADAPTER", "ADDRESSES"}}}}
		for _, w := range all.Whitelist {
			v.names = append(v.names, w.Adapter)
			v.tables[0].rows = append(v.tables[0].rows, []string{w.Adapter, joined(w.Addresses)})
		}
		return out.print(v)
	})
}

func (a *app) whitelistSet() *cobra.Command {
	var d core.WhitelistDocument
	c := a.administer(verb{
		use: "set ADAPTER --addresses LIST", short: "Say from where an adapter takes commands", args: cobra.ExactArgs(1),
		long:     "The list takes the place of the one before; an empty one lets nobody in.",
		examples: []string{"cpm whitelist set command1 --addresses 10.1.0.0/16,192.0.2.7", "cpm whitelist set command1 --addresses ''"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		return a.change(ctx, client, out, core.Change{Action: "whitelist.set", Target: args[0]}, d)
	})
	c.Flags().StringSliceVar(&d.Addresses, "addresses", nil, "addresses and ranges such as 10.1.0.0/16, separated by commas")
	_ = c.MarkFlagRequired("addresses")
	return c
}
