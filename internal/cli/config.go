package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) configCommand() *cobra.Command {
	return a.group("config", "Check and explain the bootstrap configuration", "", a.configCheck(), a.configExplain())
}

func (a *app) configCheck() *cobra.Command {
	var (
		file *string
		out  *output
	)
	c := a.command(verb{
		use: "check [-c FILE]", short: "Check the bootstrap configuration and show what is in force",
		long: "Reads the file and the CPM_* variables as `cpm server` does and reports every problem at once. What is in force is\n" +
			"shown with secrets hidden. Nothing is started, and the files it names are not opened.",
		examples: []string{"cpm config check -c /etc/cpm/cpm.yaml", "cpm config check -c cpm.yaml -o json"},
		run: func(_ context.Context, _ []string) error {
			c, err := config.Load(*file, a.io.Env)
			if err != nil {
				return withHint(err, "see what can be written with: cpm config explain")
			}
			settings := c.Redacted()
			v := answer{message: settings, tables: []table{{header: []string{"KEY", "VALUE"}}}}
			for _, s := range settings {
				v.names = append(v.names, s.Path)
				v.tables[0].rows = append(v.tables[0].rows, []string{s.Path, s.Value})
			}
			if err := out.print(v); err != nil {
				return err
			}
			a.say("the configuration is good")
			return nil
		},
	})
	file = configFlag(c, "bootstrap configuration, YAML")
	out = a.outputFlag(c)
	return c
}

func (a *app) configExplain() *cobra.Command {
	var out *output
	c := a.command(verb{
		use: "explain [KEY]", short: "Explain the keys of the bootstrap configuration",
		long:     "Lists every key, or explains one key, one section or the key behind a CPM_* variable.",
		examples: []string{"cpm config explain", "cpm config explain listen.probes", "cpm config explain CPM_DATABASE_DSN"},
		args:     cobra.MaximumNArgs(1),
		run: func(_ context.Context, args []string) error {
			keys := config.Keys()
			if len(args) == 1 {
				return a.explain(out, args[0], keys)
			}
			return out.print(keysAnswer(keys))
		},
	})
	out = a.outputFlag(c)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return keysAnswer(config.Keys()).names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// explain shows what a name stands for: in words, or as the keys' records.
func (a *app) explain(out *output, name string, keys []config.Key) error {
	text, known := config.Explain(name)
	if !known {
		return withHint(fault.New(fault.NotFound, "the bootstrap configuration has no key of this name"), "list the keys with: cpm config explain")
	}
	format, err := out.format()
	if err != nil {
		return err
	}
	if format == formatTable {
		_, err := fmt.Fprint(a.io.Out, text)
		return err
	}
	var found []config.Key
	for _, k := range keys {
		if name == k.Path || name == k.Env || name == k.EnvFile || strings.HasPrefix(k.Path, name+".") {
			found = append(found, k)
		}
	}
	return out.print(keysAnswer(found))
}

func keysAnswer(keys []config.Key) answer {
	v := answer{message: keys, tables: []table{{header: []string{"KEY", "TYPE", "DEFAULT", "VARIABLE"}}}}
	for _, k := range keys {
		v.names = append(v.names, k.Path)
		v.tables[0].rows = append(v.tables[0].rows, []string{k.Path, k.Type, k.Default, k.Env})
	}
	return v
}
