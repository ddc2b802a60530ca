package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) doctorCommand() *cobra.Command {
	var (
		file *string
		out  *output
	)
	c := a.command(verb{
		use: "doctor [-c FILE]", short: "Examine what a CPM needs on this machine",
		long: "Looks at the configuration, file modes, the root key, the database, ports, certificates, the clock, core dumps,\n" +
			"random numbers and, if the CPM runs, its adapters. Nothing is changed. Each line is ok, warn or fail, with what to do\n" +
			"next; a fail ends the command with exit code 5. Run it as the user of the CPM.",
		examples: []string{"cpm doctor -c /etc/cpm/cpm.yaml", "cpm doctor -c cpm.yaml -o json"},
		run: func(ctx context.Context, _ []string) error {
			findings := a.examine(ctx, *file)
			if err := out.print(findingsAnswer(findings)); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Result == server.ResultFail {
					return withHint(fault.New(fault.State, "something is wrong; a CPM would not start or not be safe"), "do what the lines marked fail say, then repeat")
				}
			}
			return nil
		},
	})
	file = configFlag(c, "bootstrap configuration, YAML; without it the CPM_* variables alone count")
	out = a.outputFlag(c, formatTable, formatJSON, formatYAML)
	return c
}

func (a *app) examine(ctx context.Context, file string) []server.Finding {
	c, err := config.Load(file, a.io.Env)
	if err != nil {
		return []server.Finding{{
			Check: "configuration", Result: server.ResultFail, Found: strings.ReplaceAll(strings.TrimSpace(fault.From(err).Public), "\n", "; "), Next: "see what can be written with: cpm config explain",
		}}
	}
	all := []server.Finding{{Check: "configuration", Result: server.ResultOK, Found: "the configuration is complete"}}
	adapters, running := a.examineRunning(ctx, c.Listen.Socket)
	all = append(all, server.Examine(ctx, c, time.Now(), running)...)
	return append(all, adapters...)
}

// examineRunning asks a CPM that runs with the configuration for its adapters.
func (a *app) examineRunning(ctx context.Context, socket string) (all []server.Finding, running bool) {
	const check = "adapters"
	client := command.Dial(socket)
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return []server.Finding{{
			Check: check, Result: server.ResultWarn, Found: "no CPM answers on its socket; its adapters were not asked", Next: "start it with: cpm server -c FILE",
		}}, false
	}
	for i := range s.Adapters {
		x := &s.Adapters[i]
		f := server.Finding{Check: check, Result: server.ResultOK, Found: "the adapter " + x.Name + " is " + string(x.State)}
		switch {
		case !x.Enabled:
			f.Found = "the adapter " + x.Name + " is disabled"
		case x.Stopped:
			f.Result, f.Next = server.ResultWarn, "start it with: cpm adapter start "+x.Name
		case x.State != cpm.Active:
			f.Result, f.Next = server.ResultFail, "start its processes, then look with: cpm adapter list"
		}
		all = append(all, f)
	}
	return all, true
}

func findingsAnswer(all []server.Finding) answer {
	v := answer{message: map[string]any{"checks": all}, tables: []table{{header: []string{"CHECK", "RESULT", "FOUND", "NEXT"}}}}
	for _, f := range all {
		v.tables[0].rows = append(v.tables[0].rows, []string{f.Check, f.Result, f.Found, f.Next})
	}
	return v
}
