package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) adapterCommand() *cobra.Command {
	return a.group("adapter", "Run, list, stop and start adapters",
		"How an adapter runs is its launch in the core's configuration (`cpm apply`): inproc, managed (a process that the core\n"+
			"starts and watches), or external (processes you run).",
		a.adapterSSMCommand(), a.adapterCommandCommand(), a.adapterKeyUpdateCommand(), a.adapterList(), a.adapterStart(), a.adapterStop(),
		a.adapterRefresh())
}

func (a *app) adapterSSMCommand() *cobra.Command {
	o := server.AdapterOptions{Log: config.Default().Log}
	c := a.command(verb{
		use: "ssm --name NAME --core NAME", short: "Run a software security module that a core dials",
		long: "Runs a software security module until it is told to end, by a signal or by a core. It holds no configuration and no\n" +
			"database: what it may do and the keys it needs come over the link. The log goes to standard output.",
		examples: []string{
			"cpm adapter ssm --name ssm2 --listen :7810 --core cpm.example --cert ssm2.pem --key ssm2.key --ca ca.pem",
			"cpm adapter ssm --name ssm2 --listen 127.0.0.1:7810 --core cpm.example --cert ssm2.pem --key ssm2.key --ca ca.pem --log-format mojaloop",
		},
		run: func(ctx context.Context, _ []string) error {
			if !o.Managed && (o.Name == "" || len(o.Cores) == 0) {
				return wrongUse("name the adapter with --name and the cores it serves with --core")
			}
			o.Version, o.Out = version(), a.io.Out
			return server.SSM(ctx, o)
		},
	})
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "name of the adapter in the core's configuration")
	f.StringVar(&o.Listen, "listen", ":7810", "host:port for the cores to dial")
	f.StringSliceVar(&o.Cores, "core", nil, "certificate names of the cores that may use it")
	f.StringVar(&o.TLS.Cert, "cert", "", "PEM file with the adapter's certificate")
	f.StringVar(&o.TLS.Key, "key", "", "PEM file with its private key")
	f.StringVar(&o.TLS.ClientCA, "ca", "", "PEM file with the authority of the cores' certificates")
	f.StringVar(&o.TLS.CRL, "crl", "", "PEM file with lists of revoked certificates (default: none is asked)")
	f.StringVar(&o.Log.Format, "log-format", o.Log.Format, "json or mojaloop")
	f.StringVar(&o.Log.Level, "log-level", o.Log.Level, "least urgent level that is written")
	f.IntVar(&o.Workers.Heavy, "workers", 0, "RSA signatures at once (default one per processor)")
	f.BoolVar(&o.Managed, "managed", false, "run for the core that starts this process; everything else comes from it")
	_ = f.MarkHidden("managed") // the flag is there
	return c
}
