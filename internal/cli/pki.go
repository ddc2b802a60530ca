package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/pki"
)

func (a *app) pkiCommand() *cobra.Command {
	return a.group("pki", "Make certificates for a small fleet",
		"An authority in a directory, for those who have none. Keep the directory on a machine of its own and back it up:\n"+
			"whoever has its key can be anybody.",
		a.pkiInit(), a.pkiIssue(), a.pkiRenew(), a.pkiRevoke(), a.pkiCRL(), a.pkiList())
}

// hours a day has in the flags that count days.
const day = 24 * time.Hour

func dirFlag(c *cobra.Command) *string {
	return c.Flags().String("dir", "cpm-pki", "directory of the authority")
}

func daysFlag(c *cobra.Command, preset time.Duration, what string) *int {
	return c.Flags().Int("days", int(preset/day), what)
}

func (a *app) pkiInit() *cobra.Command {
	var (
		out       *output
		dir, name *string
		days      *int
	)
	c := a.command(verb{
		use: "init [--dir DIR]", short: "Make an authority in a directory",
		long: "Makes ca.pem and ca.key (ECDSA P-384; it signs services' certificates, never other authorities), an index of what it\n" +
			"issues, and an empty list of revoked certificates. Nothing is overwritten.",
		examples: []string{"cpm pki init", "cpm pki init --dir /srv/hub-ca --name hub-authority --days 1825"},
		run: func(context.Context, []string) error {
			r, err := pki.Init(*dir, *name, time.Now(), time.Duration(*days)*day)
			if err != nil {
				return err
			}
			a.say("the authority is made; give %s to every service, and keep %s secret", printable(r.Certificate), printable(r.Key))
			return out.print(certificateAnswer(r, []pki.Record{r}, time.Now()))
		},
	})
	dir, days = dirFlag(c), daysFlag(c, pki.DefaultAuthorityLifetime, "days the authority is valid")
	name = c.Flags().String("name", "CPM authority", "name of the authority")
	out = a.outputFlag(c)
	return c
}

// order are the flags of a certificate.
type order struct {
	pki.Order
	server, client bool
	days           *int
}

func (a *app) pkiIssue() *cobra.Command {
	var (
		out *output
		dir *string
		o   order
	)
	c := a.command(verb{
		use: "issue SERVICE (--name DNS | --uri URI | --ip IP)...", short: "Make a certificate and a key for a service", args: cobra.ExactArgs(1),
		long: "Writes SERVICE.pem and SERVICE.key (ECDSA P-256, mode 0600). A CPM knows a caller by the first DNS name of its\n" +
			"certificate, or by the first URI when there is none. Without --server and --client it is for both, as a CPM and its\n" +
			"adapters need it.",
		examples: []string{
			"cpm pki issue cpm --name cpm.hub.example --ip 127.0.0.1",
			"cpm pki issue ml-api-adapter --name ml-api-adapter.hub.example --client --out /srv/ml-api-adapter/tls",
			"cpm pki issue ssm2 --uri spiffe://hub.example/ssm2 --name ssm2.hub.example --days 30",
		},
		run: func(_ context.Context, args []string) error {
			o.Service, o.Usage, o.Lifetime = args[0], usage(o.server, o.client), time.Duration(*o.days)*day
			return withAuthority(*dir, func(d *pki.Directory) error {
				r, err := d.Issue(time.Now(), o.Order)
				if err != nil {
					return err
				}
				a.say("%s and %s are written; renew before %s", printable(r.Certificate), printable(r.Key), r.NotAfter.Format(time.DateOnly))
				return out.print(certificateAnswer(r, []pki.Record{r}, time.Now()))
			})
		},
	})
	f := c.Flags()
	f.StringSliceVar(&o.DNS, "name", nil, "DNS name; several separated by commas")
	f.StringSliceVar(&o.URIs, "uri", nil, "URI, such as spiffe://hub.example/cpm")
	f.StringSliceVar(&o.IPs, "ip", nil, "IP address")
	f.BoolVar(&o.server, "server", false, "only for a service that is called")
	f.BoolVar(&o.client, "client", false, "only for a service that calls")
	f.StringVar(&o.Out, "out", "", "directory for the two files (default that of the authority)")
	dir, o.days = dirFlag(c), daysFlag(c, pki.DefaultLifetime, "days the certificate is valid")
	out = a.outputFlag(c)
	return c
}

func usage(server, client bool) string {
	switch {
	case server == client:
		return pki.UsageBoth
	case server:
		return pki.UsageServer
	}
	return pki.UsageClient
}

func (a *app) pkiRenew() *cobra.Command {
	var (
		out        *output
		dir, where *string
		days       *int
	)
	c := a.command(verb{
		use: "renew SERVICE", short: "Make a new certificate with the same names and a new key", args: cobra.ExactArgs(1),
		long: "Puts both files in the place of the old ones. A running CPM or adapter takes them up by itself, without dropping a\n" +
			"connection. The old certificate stays valid until it expires; revoke it if its key may be known.",
		examples: []string{"cpm pki renew cpm", "cpm pki renew ssm2 --dir /srv/hub-ca --days 30"},
		run: func(_ context.Context, args []string) error {
			return withAuthority(*dir, func(d *pki.Directory) error {
				r, err := d.Renew(time.Now(), args[0], time.Duration(*days)*day, *where)
				if err != nil {
					return err
				}
				a.say("%s and %s are replaced; renew again before %s", printable(r.Certificate), printable(r.Key), r.NotAfter.Format(time.DateOnly))
				return out.print(certificateAnswer(r, []pki.Record{r}, time.Now()))
			})
		},
	})
	where = c.Flags().String("out", "", "directory for the two files (default where they were written before)")
	dir, days = dirFlag(c), daysFlag(c, pki.DefaultLifetime, "days the certificate is valid")
	out = a.outputFlag(c)
	return c
}

// withAuthority opens a directory, works on it and closes it.
func withAuthority(dir string, do func(*pki.Directory) error) error {
	d, err := pki.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return do(d)
}

// certificateAnswer shows certificates; message is what the formats for programs have.
func certificateAnswer(message any, all []pki.Record, now time.Time) answer {
	v := answer{message: message, tables: []table{{
		header: []string{"SERVICE", "SERIAL", "USAGE", "NAMES", "STATE", "EXPIRES", "CERTIFICATE"},
	}}}
	for _, r := range all {
		v.names = append(v.names, r.Service)
		v.tables[0].rows = append(v.tables[0].rows, []string{
			r.Service, r.Serial, r.Usage, joined(r.Names()), r.State(now), ago(r.NotAfter, now), r.Certificate,
		})
	}
	return v
}
