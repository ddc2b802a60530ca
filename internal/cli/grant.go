package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
)

func (a *app) grantCommand() *cobra.Command {
	return a.group("grant", "List, add and remove grants", "Grants say who may do which operation for which FSP.",
		a.grantList(), a.grantAdd(), a.grantRemove())
}

func (a *app) grantAdd() *cobra.Command {
	var d core.GrantEntry
	c := a.administer(verb{
		use: "add --principal NAME --fsp FSP --operations LIST", short: "Let a caller do operations for an FSP",
		long: "A principal is kind and name, such as certificate:ml-api-adapter.hub.example. * is every FSP or operation; an\n" +
			"operation that uses an FSP's private key is granted by the FSP's name only.",
		examples: []string{
			"cpm grant add --principal certificate:ml-api-adapter.hub.example --fsp payerfsp --operations jws.sign,jws.verify",
			"cpm grant add --principal certificate:auditor.hub.example --fsp '*' --operations jws.verify",
		},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		return a.change(ctx, client, out, core.Change{Action: "grant.add", Target: d.Principal}, d)
	})
	grantFlags(c, &d, "operations, separated by commas")
	_ = c.MarkFlagRequired("operations")
	return c
}

func (a *app) grantRemove() *cobra.Command {
	var d core.GrantEntry
	yes := new(bool)
	c := a.administer(verb{
		use: "remove --principal NAME --fsp FSP", short: "Take grants from a caller at once",
		long:     "Without --operations all grants of the caller for the FSP. Asks for the caller's name.",
		examples: []string{"cpm grant remove --principal certificate:old.hub.example --fsp payerfsp", "cpm grant remove --principal certificate:old.hub.example --fsp '*' --operations jws.verify --yes"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		if err := a.confirm(*yes, "The requests of "+printable(d.Principal)+" will be declined.", d.Principal); err != nil {
			return err
		}
		return a.change(ctx, client, out, core.Change{Action: "grant.remove", Target: d.Principal}, d)
	})
	grantFlags(c, &d, "only these operations (default: all of them)")
	yes = yesFlag(c)
	return c
}

func grantFlags(c *cobra.Command, d *core.GrantEntry, operations string) {
	f := c.Flags()
	f.StringVar(&d.Principal, "principal", "", "caller, as kind:name")
	f.StringVar(&d.FSP, "fsp", "", "participant, or *")
	f.StringSliceVar(&d.Operations, "operations", nil, operations)
	_ = c.MarkFlagRequired("principal")
	_ = c.MarkFlagRequired("fsp")
}

func (a *app) grantList() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "list", short: "List the grants",
		examples: []string{"cpm grant list", "cpm grant list -o json"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			all, err := client.Grants(ctx)
			if err != nil {
				return err
			}
			v := answer{message: all, tables: []table{{header: []string{"PRINCIPAL", "FSP", "OPERATION"}}}}
			for _, g := range all.Grants {
				v.names = append(v.names, g.Principal+" "+g.FSP+" "+g.Operation)
				v.tables[0].rows = append(v.tables[0].rows, []string{g.Principal, g.FSP, g.Operation})
			}
			return out.print(v)
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}
