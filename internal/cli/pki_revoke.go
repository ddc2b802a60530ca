package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/pki"
)

func joined(names []string) string { return strings.Join(names, ",") }

func (a *app) pkiRevoke() *cobra.Command {
	var (
		out                 *output
		yes                 *bool
		dir, serial, reason *string
		days                *int
	)
	c := a.command(verb{
		use: "revoke SERVICE [--serial NUMBER]", short: "Revoke a service's certificates", args: cobra.ExactArgs(1),
		long: "Revokes every certificate of the service that has not expired, or the one with the serial number, and writes the list\n" +
			"of revoked certificates (crl.pem) again. Processes that have the list as tls.crl or --crl refuse the certificates\n" +
			"from their next look at the file on. Asks for the service's name.",
		examples: []string{"cpm pki revoke ssm2 --reason keyCompromise", "cpm pki revoke ssm2 --serial 4f2a --yes"},
		run: func(_ context.Context, args []string) error {
			if err := a.confirm(*yes, "The certificates of "+printable(args[0])+" will be refused.", args[0]); err != nil {
				return err
			}
			return withAuthority(*dir, func(d *pki.Directory) error {
				revoked, err := d.Revoke(time.Now(), args[0], *serial, *reason)
				if err != nil {
					return err
				}
				list, err := d.Publish(time.Now(), time.Duration(*days)*day)
				if err != nil {
					return withHint(err, "the certificates are revoked, but not on the list; write it with: cpm pki crl")
				}
				a.say("%d certificates are revoked; bring %s to every process that follows it", len(revoked), printable(list.File))
				return out.print(certificateAnswer(map[string]any{"certificates": revoked, "crl": list}, revoked, time.Now()))
			})
		},
	})
	serial = c.Flags().String("serial", "", "only the certificate with this serial number")
	reason = c.Flags().String("reason", "unspecified", "why: "+strings.Join(pki.Reasons(), ", "))
	dir, days = dirFlag(c), daysFlag(c, pki.DefaultListLifetime, "days the list of revoked certificates counts")
	yes, out = yesFlag(c), a.outputFlag(c)
	return c
}

func (a *app) pkiCRL() *cobra.Command {
	var (
		out  *output
		dir  *string
		days *int
	)
	c := a.command(verb{
		use: "crl", short: "Write the list of revoked certificates again",
		long: "Writes crl.pem with a new number and date. Processes that follow the list refuse every certificate once it has\n" +
			"expired: write it anew, from a timer, well before that.",
		examples: []string{"cpm pki crl", "cpm pki crl --dir /srv/hub-ca --days 7"},
		run: func(context.Context, []string) error {
			return withAuthority(*dir, func(d *pki.Directory) error {
				list, err := d.Publish(time.Now(), time.Duration(*days)*day)
				if err != nil {
					return err
				}
				a.say("the list is written; write it again before %s", list.NextUpdate.Format(time.DateOnly))
				return out.print(answer{message: list, names: []string{list.File}, tables: []table{{
					header: []string{"FILE", "NUMBER", "REVOKED", "EXPIRES"},
					rows:   [][]string{{list.File, fmt.Sprint(list.Number), fmt.Sprint(list.Revoked), ago(list.NextUpdate, time.Now())}},
				}}})
			})
		},
	})
	dir, days = dirFlag(c), daysFlag(c, pki.DefaultListLifetime, "days the list counts")
	out = a.outputFlag(c)
	return c
}

func (a *app) pkiList() *cobra.Command {
	var (
		out *output
		dir *string
	)
	c := a.command(verb{
		use: "list", short: "List the certificates an authority has issued",
		examples: []string{"cpm pki list", "cpm pki list --dir /srv/hub-ca -o json"},
		run: func(context.Context, []string) error {
			return withAuthority(*dir, func(d *pki.Directory) error {
				all := d.List()
				return out.print(certificateAnswer(map[string]any{"certificates": all}, all, time.Now()))
			})
		},
	})
	dir, out = dirFlag(c), a.outputFlag(c)
	return c
}
