package cli

import (
	"cmp"
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) adapterCommandCommand() *cobra.Command {
	o := server.CommandOptions{Log: config.Default().Log}
	c := a.command(verb{
		use: "command --name NAME --core HOST:PORT...", short: "Run a Command adapter: operators send commands to it",
		long: "Takes commands as HTTPS JSON at POST /v1/commands and forwards them, with the credential and the address they came\n" +
			"from, to every core it is given; the cores decide. Operators show a certificate of --client-ca or an API token. While\n" +
			"no core can be reached it answers Status by itself and can start the CPM of its machine (--server-config). The log\n" +
			"goes to standard output.",
		examples: []string{
			"cpm adapter command --name cmd1 --core cpm.example:7802 --cert cmd1.pem --key cmd1.key --ca ca.pem --client-ca operators.pem",
			"cpm adapter command --name cmd1 --core 127.0.0.1:7802 --core-name cpm.example --cert cmd1.pem --key cmd1.key --ca ca.pem --client-ca operators.pem --server-config /etc/cpm/cpm.yaml --server-log /var/log/cpm/cpm.log --startup-name ops1.example",
		},
		run: func(ctx context.Context, _ []string) error {
			if err := checkCommandAdapter(&o); err != nil {
				return err
			}
			executable, err := os.Executable()
			if err != nil {
				return fault.New(fault.Internal, "the file of this program cannot be found").Because(err)
			}
			o.Server.Executable, o.Server.Env = executable, a.io.Env
			o.Version, o.Out = version(), a.io.Out
			return server.Command(ctx, o)
		},
	})
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "name of the adapter in the core's configuration")
	f.StringVar(&o.Listen, "listen", ":7820", "host:port for the operators")
	f.StringSliceVar(&o.Cores, "core", nil, "host:port of a core's command port; once for each core")
	f.StringVar(&o.CoreName, "core-name", "", "name in the cores' certificates (default the host of --core)")
	f.StringVar(&o.TLS.Cert, "cert", "", "PEM file with the adapter's certificate, for operators and cores")
	f.StringVar(&o.TLS.Key, "key", "", "PEM file with its private key")
	f.StringVar(&o.TLS.ClientCA, "ca", "", "PEM file with the authority of the cores' certificates")
	f.StringVar(&o.OperatorCA, "client-ca", "", "PEM file with the authority of the operators' certificates (default that of --ca)")
	f.StringVar(&o.TLS.CRL, "crl", "", "PEM file with lists of revoked certificates of --ca (default: none is asked)")
	f.StringVar(&o.OperatorCRL, "client-crl", "", "PEM file with lists of revoked certificates of --client-ca (default: none is asked, or that of --crl without --client-ca)")
	f.StringSliceVar(&o.StartupNames, "startup-name", nil, "certificate names that may start the CPM, and see the status, while no core can be asked")
	f.StringVar(&o.Server.Config, "server-config", "", "bootstrap configuration of the CPM of this machine, which Startup starts when it is down")
	f.StringVar(&o.Server.Log, "server-log", "", "file its log is appended to (default where the adapter's own log goes)")
	f.DurationVar(&o.StartupTimeout, "startup-timeout", 0, "how long it may take to start (default 1m0s)")
	f.IntVar(&o.Rate, "rate", 5, "commands a second that one credential may send; an address may send twice as many")
	f.BoolVar(&o.EndWhenShut, "end-when-shut", false, "end the process when every core has shut the adapter down")
	f.StringVar(&o.Log.Format, "log-format", o.Log.Format, "json or mojaloop")
	f.StringVar(&o.Log.Level, "log-level", o.Log.Level, "least urgent level that is written")
	return c
}

func checkCommandAdapter(o *server.CommandOptions) error {
	switch {
	case !cpm.ValidName(o.Name) || len(o.Cores) == 0:
		return wrongUse("name the adapter with --name and the cores it serves with --core HOST:PORT")
	case o.Rate < 1 || o.Rate > 1_000_000:
		return wrongUse("--rate is a number from 1 to 1000000")
	case o.StartupTimeout < 0:
		return wrongUse("--startup-timeout is a duration such as 30s")
	}
	if o.OperatorCA == "" {
		o.OperatorCA, o.OperatorCRL = o.TLS.ClientCA, cmp.Or(o.OperatorCRL, o.TLS.CRL)
	}
	return nil
}
