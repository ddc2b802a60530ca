package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/seal"
)

func (a *app) rootKeyCommand() *cobra.Command {
	return a.group("root-key", "Make the key that protects all keys at rest", "", a.rootKeyCreate(), a.rootKeyInstall())
}

func (a *app) rootKeyCreate() *cobra.Command {
	var bootstrap *string
	c := a.command(verb{
		use: "create (-c FILE | ROOT-KEY-FILE)", short: "Make a new root-key file",
		long: "Writes a random root key to a new file that only this user can read: the one that the bootstrap configuration\n" +
			"names, or the one that is given. Keep a copy apart from the database's backups: without it every key is lost.",
		examples: []string{"cpm root-key create -c /etc/cpm/cpm.yaml", "cpm root-key create /var/lib/cpm/root.key"},
		args:     cobra.MaximumNArgs(1),
		run: func(_ context.Context, args []string) error {
			file, err := a.rootKeyFile(*bootstrap, args)
			if err != nil {
				return err
			}
			if err := seal.CreateRootKeyFile(file); err != nil {
				return withHint(err, "a root key that is in use must stay; for a new CPM name another file")
			}
			a.say("a new root key is in %s; keep a copy of it apart", printable(file))
			return nil
		},
	})
	bootstrap = configFlag(c, "bootstrap configuration, YAML")
	c.ValidArgsFunction = nil
	return c
}

func (a *app) rootKeyInstall() *cobra.Command {
	return a.command(verb{
		use: "install FROM TO", short: "Copy a root key from a mounted secret to a file of this user",
		long: "Container platforms mount secrets as files of another owner, or readable by a group, and a CPM refuses such a\n" +
			"root key. This copies it to a new file that only this user can read. The same key being there already is fine.",
		examples: []string{
			"cpm root-key install /secret/root.key /run/cpm-root/root.key",
			"cpm root-key install /run/credentials/root.key /var/lib/cpm/root.key",
		},
		args: cobra.ExactArgs(2),
		run: func(_ context.Context, args []string) error {
			if err := seal.InstallRootKeyFile(args[0], args[1]); err != nil {
				return err
			}
			a.say("the root key is in %s", printable(args[1]))
			return nil
		},
	})
}

func (a *app) rootKeyFile(bootstrap string, args []string) (string, error) {
	switch {
	case (bootstrap == "") == (len(args) == 0):
		return "", wrongUse("give either the configuration or the file of the root key")
	case len(args) == 1:
		return args[0], nil
	}
	c, err := config.Load(bootstrap, a.io.Env)
	if err != nil {
		return "", withHint(err, "see what can be written with: cpm config explain")
	}
	return c.RootKey.File, nil
}
