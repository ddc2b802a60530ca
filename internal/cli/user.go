package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) userCommand() *cobra.Command {
	return a.group("user", "List, add, change and delete operators",
		"A user sends commands through a Command adapter, shown by a client certificate or an API token (`cpm token issue`).\n"+
			"What the user may do stands with the group.",
		a.userList(), a.userAdd(), a.userSet(),
		a.remove(verb{
			use: "delete USER", short: "Delete an operator with all tokens", long: "The user is refused from now on. Asks for the name.",
			examples: []string{"cpm user delete jane", "cpm user delete jane --yes"},
		}, "user.delete", "The user and all tokens of the user will be refused."))
}

func (a *app) userList() *cobra.Command {
	return a.administer(verb{
		use: "list", short: "List the operators",
		examples: []string{"cpm user list", "cpm user list -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		all, err := client.Operators(ctx)
		if err != nil {
			return err
		}
		v := answer{message: map[string]any{"users": all.Users}, tables: []table{{
			header: []string{"USER", "GROUP", "ENABLED", "CERTIFICATES", "TOKENS", "UPDATED"},
		}}}
		for i := range all.Users {
			u := &all.Users[i]
			v.names = append(v.names, u.Name)
			v.tables[0].rows = append(v.tables[0].rows, []string{
				u.Name, u.Group, yesNo(u.Enabled), joined(u.Certificates), fmt.Sprint(len(u.Tokens)), ago(u.Updated, time.Now()),
			})
		}
		return out.print(v)
	})
}

func (a *app) userAdd() *cobra.Command {
	var d core.UserDocument
	c := a.administer(verb{
		use: "add USER --group GROUP", short: "Add an operator", args: cobra.ExactArgs(1),
		long:     "Adds a user to a group that is there. Without a certificate name the user needs a token.",
		examples: []string{"cpm user add jane --group operators --certificate jane.ops.hub.example", "cpm user add nightly --group refreshers"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		return a.change(ctx, client, out, core.Change{Action: "user.add", Target: args[0]}, d)
	})
	userFlags(c, &d)
	_ = c.MarkFlagRequired("group")
	return c
}

func userFlags(c *cobra.Command, d *core.UserDocument) {
	f := c.Flags()
	f.StringVar(&d.Group, "group", "", "group that says what the user may do")
	f.StringSliceVar(&d.Certificates, "certificate", nil, "DNS name of a client certificate that shows the user; several separated by commas")
	f.BoolVar(&d.Disabled, "disabled", false, "refuse the user for now; --disabled=false lets the user in again")
}

func (a *app) userSet() *cobra.Command {
	var d core.UserDocument
	var set *cobra.Command
	set = a.administer(verb{
		use: "set USER", short: "Change an operator", args: cobra.ExactArgs(1),
		long:     "Changes what is given and leaves the rest; the tokens stay.",
		examples: []string{"cpm user set jane --group auditors", "cpm user set jane --disabled"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		// The revision before the read makes a change in between a conflict instead of a loss.
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		present, err := findUser(ctx, client, args[0])
		if err != nil {
			return err
		}
		changed := set.Flags().Changed
		next := core.UserDocument{Group: present.Group, Disabled: !present.Enabled, Certificates: present.Certificates}
		if changed("group") {
			next.Group = d.Group
		}
		if changed("certificate") {
			next.Certificates = d.Certificates
		}
		if changed("disabled") {
			next.Disabled = d.Disabled
		}
		return a.change(ctx, client, out, core.Change{Action: "user.set", Target: args[0], ExpectRevision: status.Revision}, next)
	})
	userFlags(set, &d)
	return set
}

func findUser(ctx context.Context, client *command.Client, name string) (core.UserView, error) {
	all, err := client.Operators(ctx)
	if err != nil {
		return core.UserView{}, err
	}
	i := slices.IndexFunc(all.Users, func(u core.UserView) bool { return u.Name == name })
	if i < 0 {
		return core.UserView{}, withHint(fault.New(fault.NotFound, "the user is not known"), "see what there is with: cpm user list")
	}
	return all.Users[i], nil
}
