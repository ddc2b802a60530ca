package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
)

func (a *app) grantCommand() *cobra.Command {
	return a.group("grant", "Look at the grants", "Grants say who may do what. They are changed with `cpm apply`.", a.grantList())
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
