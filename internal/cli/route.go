package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) routeCommand() *cobra.Command {
	return a.group("route", "Look at the routes", "Routes say which adapter does what. They are changed with `cpm apply`.",
		a.routeList(), a.routeTest())
}

func (a *app) routeList() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "list", short: "List the routes",
		examples: []string{"cpm route list", "cpm route list -o yaml"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			all, err := client.Routes(ctx)
			if err != nil {
				return err
			}
			v := answer{message: all, tables: []table{{header: []string{"FSP", "OPERATION", "ADAPTER", "ENABLED", "TIMEOUT"}}}}
			for _, r := range all.Routes {
				v.names = append(v.names, r.FSP+" "+r.Operation)
				v.tables[0].rows = append(v.tables[0].rows, []string{
					r.FSP, r.Operation, r.Adapter, yesNo(r.Enabled), time.Duration(r.Timeout).String(),
				})
			}
			return out.print(v)
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (a *app) routeTest() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "test FSP OPERATION", short: "Say what would become of a request", args: cobra.ExactArgs(2),
		long: "Finds the rule, the adapter and the keys a request would get, or why it would be declined, and does nothing.\n" +
			"Grants are not asked. Ends with the exit code the request's decline would have.",
		examples: []string{"cpm route test payerfsp jws.sign", "cpm route test payeefsp jws.verify -o json"},
		run: func(ctx context.Context, args []string) error {
			client := dial()
			defer client.Close()
			trial, err := client.Try(ctx, cpm.FSP(args[0]), cpm.Operation(args[1]))
			if err != nil {
				return err
			}
			if err := out.print(trialAnswer(args[0], args[1], trial)); err != nil {
				return err
			}
			if kind, declined := fault.KindNamed(trial.Verdict); declined {
				return fault.New(kind, "a request would be declined: %s", trial.Reason)
			}
			return nil
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func trialAnswer(fsp, operation string, t core.Trial) answer {
	timeout := ""
	if t.Timeout > 0 {
		timeout = time.Duration(t.Timeout).String()
	}
	return answer{message: t, names: []string{t.Verdict}, tables: []table{{
		header: []string{"FSP", "OPERATION", "VERDICT", "RULE", "ADAPTER", "TIMEOUT", "KEYS"},
		rows:   [][]string{{fsp, operation, t.Verdict, t.Rule, t.Adapter, timeout, strings.Join(t.Keys, ",")}},
	}}}
}
