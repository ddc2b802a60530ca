package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) adapterKeyUpdateCommand() *cobra.Command {
	o := server.KeyUpdateOptions{Log: config.Default().Log}
	c := a.command(verb{
		use: "keyupdate --name NAME --core HOST:PORT...", short: "Run a Key Update adapter: FSPs send signed key updates to it",
		long: "Takes signed key updates over HTTPS at POST /v1/key-updates and forwards them to a core, which decides. FSPs show a\n" +
			"certificate of --client-ca as well, unless --server-tls-only. With several cores any one is asked; they share a\n" +
			"database. It runs until a signal or every connected core tells it to end. The log goes to standard output.",
		examples: []string{
			"cpm adapter keyupdate --name ku1 --core cpm.example:7803 --cert ku1.pem --key ku1.key --ca ca.pem --client-ca fsps.pem",
			"cpm adapter keyupdate --name ku1 --core 127.0.0.1:7803 --core-name cpm.example --cert ku1.pem --key ku1.key --ca ca.pem --server-tls-only",
		},
		run: func(ctx context.Context, _ []string) error {
			if err := checkKeyUpdateAdapter(&o); err != nil {
				return err
			}
			o.Version, o.Out = version(), a.io.Out
			return server.KeyUpdate(ctx, o)
		},
	})
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "name of the adapter in the core's configuration")
	f.StringVar(&o.Listen, "listen", ":7821", "host:port for the FSPs")
	f.StringSliceVar(&o.Cores, "core", nil, "host:port of a core's key update port; once for each core")
	f.StringVar(&o.CoreName, "core-name", "", "name in the cores' certificates (default the host of --core)")
	f.StringVar(&o.TLS.Cert, "cert", "", "PEM file with the adapter's certificate")
	f.StringVar(&o.TLS.Key, "key", "", "PEM file with its private key")
	f.StringVar(&o.TLS.ClientCA, "ca", "", "PEM file with the authority of the cores' certificates")
	f.StringVar(&o.TLS.CRL, "crl", "", "PEM file with lists of revoked certificates of the cores (default: none is asked)")
	f.StringVar(&o.Door.Cert, "door-cert", "", "PEM file with the certificate that FSPs are shown (default that of --cert)")
	f.StringVar(&o.Door.Key, "door-key", "", "PEM file with its private key (default that of --key)")
	f.StringVar(&o.Door.ClientCA, "client-ca", "", "PEM file with the authority of the FSPs' certificates (default that of --ca)")
	f.StringVar(&o.Door.CRL, "client-crl", "", "PEM file with lists of revoked certificates of --client-ca (default: none is asked, or that of --crl without --client-ca)")
	f.BoolVar(&o.ServerOnly, "server-tls-only", false, "ask FSPs for no certificate; their signatures authenticate the updates")
	f.StringVar(&o.Log.Format, "log-format", o.Log.Format, "json or mojaloop")
	f.StringVar(&o.Log.Level, "log-level", o.Log.Level, "least urgent level that is written")
	c.MarkFlagsRequiredTogether("door-cert", "door-key")
	c.MarkFlagsMutuallyExclusive("client-ca", "server-tls-only")
	c.MarkFlagsMutuallyExclusive("client-crl", "server-tls-only")
	return c
}

func checkKeyUpdateAdapter(o *server.KeyUpdateOptions) error {
	if !cpm.ValidName(o.Name) || len(o.Cores) == 0 {
		return wrongUse("name the adapter with --name and the cores it serves with --core HOST:PORT")
	}
	if o.Door.Cert == "" {
		o.Door.Cert, o.Door.Key = o.TLS.Cert, o.TLS.Key
	}
	if o.Door.ClientCA == "" {
		o.Door.ClientCA = o.TLS.ClientCA
		if !o.ServerOnly {
			o.Door.CRL = cmp.Or(o.Door.CRL, o.TLS.CRL)
		}
	}
	return nil
}
