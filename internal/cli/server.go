package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) serverCommand() *cobra.Command {
	var file *string
	c := a.command(verb{
		use: "server [-c FILE]", short: "Run a CPM",
		long: "Runs a CPM until it is told to end (SIGTERM or SIGINT); then it answers what it has accepted and ends. The log goes\n" +
			"to standard output. Without a file the CPM_* variables alone are the configuration.",
		examples: []string{"cpm server -c /etc/cpm/cpm.yaml", "CPM_LOG_FORMAT=mojaloop cpm server -c cpm.yaml"},
		run: func(ctx context.Context, _ []string) error {
			c, err := config.Load(*file, a.io.Env)
			if err != nil {
				return withHint(err, "see what can be written with: cpm config explain")
			}
			err = server.Run(ctx, c, server.Options{Version: version(), Out: a.io.Out})
			return withLastHint(err, "the log above names the self-check that failed, and its cause")
		},
	})
	file = configFlag(c, "bootstrap configuration, YAML")
	return c
}

func (a *app) devCommand() *cobra.Command {
	var o server.DevOptions
	c := a.command(verb{
		use: "dev [--data-dir DIR] [--port-base PORT]", short: "Try a CPM out: one process, everything in one directory",
		long: "Runs a CPM with demonstration participants on loopback, shows a signed and a verified quote, and stays up until\n" +
			"it is interrupted. NOT FOR PRODUCTION: it also answers plain HTTP. Its log goes to standard error.",
		examples: []string{"cpm dev", "cpm dev --data-dir ./try --port-base 9800"},
		run: func(ctx context.Context, _ []string) error {
			if o.PortBase < 1 || o.PortBase > 65535-100 {
				return wrongUse("the port base is a number from 1 to %d", 65535-100)
			}
			o.Version, o.Out, o.Log = version(), a.io.Out, a.io.Err
			return withLastHint(server.Dev(ctx, o), "the log above names the self-check that failed, and its cause")
		},
	})
	c.Flags().StringVar(&o.DataDir, "data-dir", "./cpm-dev", "directory of the database, the keys and the socket; it is made if it is not there")
	c.Flags().IntVar(&o.PortBase, "port-base", server.DevPort, "HTTP port; gRPC is the next one, the probes are 30 further")
	_ = c.MarkFlagDirname("data-dir")
	return c
}
