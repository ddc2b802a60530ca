package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/jwk"
)

func (a *app) keyCommand() *cobra.Command {
	c := a.group("key", "List, add and delete keys", "A key is named FSP/NAME and has versions; a new version takes the place of the one before.",
		a.keyList(), a.keyGet(), a.keyAdd(), a.keyDelete(), a.keyHistory(), a.keyPolicy())
	c.AddCommand(a.keyLife()...)
	return c
}

func (a *app) keyList() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		fsp  string
	)
	c := a.command(verb{
		use: "list [--fsp FSP]", short: "List the current keys",
		examples: []string{"cpm key list", "cpm key list --fsp payerfsp -o json"},
		run: func(ctx context.Context, _ []string) error {
			return a.showKeys(ctx, dial, out, fsp, "", false)
		},
	})
	c.Flags().StringVar(&fsp, "fsp", "", "only the keys of this FSP")
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func (a *app) keyHistory() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
	)
	c := a.command(verb{
		use: "history FSP/NAME", short: "List all versions of a key, superseded and deleted ones too", args: cobra.ExactArgs(1),
		examples: []string{"cpm key history payerfsp/sig", "cpm key history payerfsp/sig -o yaml"},
		run: func(ctx context.Context, args []string) error {
			fsp, name, err := keyName(args[0])
			if err != nil {
				return err
			}
			return a.showKeys(ctx, dial, out, fsp, name, true)
		},
	})
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func (a *app) showKeys(ctx context.Context, dial func() *command.Client, out *output, fsp, name string, history bool) error {
	client := dial()
	defer client.Close()
	all, err := client.Keys(ctx, cpm.FSP(fsp), name, history)
	if err != nil {
		return err
	}
	if name != "" && len(all.Keys) == 0 {
		return noSuchKey(fsp)
	}
	return out.print(keyAnswer(all, all.Keys, time.Now()))
}

func noSuchKey(fsp string) error {
	return withHint(fault.New(fault.NotFound, "the FSP has no such key"), "see which there are with: cpm key list --fsp %s", fsp)
}

func (a *app) keyGet() *cobra.Command {
	var (
		dial         func() *command.Client
		out          *output
		asPEM, asJWK bool
	)
	c := a.command(verb{
		use: "get FSP/NAME", short: "Show the current version of a key, or its public key", args: cobra.ExactArgs(1),
		long: "Shows what is known of a key, never a private or secret one. With --pem or --jwk it prints the public key, for the\n" +
			"other participants.",
		examples: []string{"cpm key get payerfsp/sig", "cpm key get payerfsp/sig --pem", "cpm key get payerfsp/sig --jwk"},
		run: func(ctx context.Context, args []string) error {
			fsp, name, err := keyName(args[0])
			if err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			all, err := client.Keys(ctx, cpm.FSP(fsp), name, false)
			if err != nil {
				return err
			}
			if len(all.Keys) == 0 {
				return noSuchKey(fsp)
			}
			switch {
			case (asPEM || asJWK) && len(all.Keys[0].PublicKey) == 0:
				return fault.New(fault.State, "the key is a secret one, which has no public key")
			case asPEM:
				return pem.Encode(a.io.Out, &pem.Block{Type: "PUBLIC KEY", Bytes: all.Keys[0].PublicKey})
			case asJWK:
				return a.printJWK(all.Keys[0])
			}
			return out.print(keyAnswer(all.Keys[0], all.Keys[:1], time.Now()))
		},
	})
	c.Flags().BoolVar(&asPEM, "pem", false, "print the public key as PEM")
	c.Flags().BoolVar(&asJWK, "jwk", false, "print the public key as JSON Web Key")
	c.MarkFlagsMutuallyExclusive("pem", "jwk")
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// printJWK prints a public key as it stands in the set that the CPM publishes.
func (a *app) printJWK(v core.KeyView) error {
	public, err := x509.ParsePKIXPublicKey(v.PublicKey)
	if err != nil {
		return fault.New(fault.State, "the key has no public half").Because(err)
	}
	k, err := jwk.Of(public)
	if err != nil {
		return fault.New(fault.Unsupported, "a key of this kind has no form as JSON Web Key").Because(err)
	}
	k.ID, k.Use, k.Algorithm = k.Thumbprint(), v.Use, v.Algorithm
	return json.NewEncoder(a.io.Out).Encode(k)
}

// keyName takes FSP/NAME apart.
func keyName(text string) (fsp, name string, err error) {
	fsp, name, ok := strings.Cut(text, "/")
	if !ok || !cpm.ValidName(fsp) || !cpm.ValidName(name) {
		return "", "", wrongUse("a key is named FSP/NAME, such as payerfsp/sig")
	}
	return fsp, name, nil
}

func keyAnswer(message any, views []core.KeyView, now time.Time) answer {
	v := answer{message: message, tables: []table{{
		header: []string{"FSP", "NAME", "VERSION", "KIND", "USE", "ALGORITHM", "BITS", "STATE", "CREATED", "EXPIRES", "BACKUP", "CHECK"},
	}}}
	for _, k := range views {
		v.names = append(v.names, k.FSP+"/"+k.Name)
		v.tables[0].rows = append(v.tables[0].rows, []string{
			k.FSP, k.Name, fmt.Sprint(k.Version), k.Kind, k.Use, k.Algorithm, fmt.Sprint(k.Bits), keyState(k),
			ago(k.Created, now), expiry(k.NotAfter, now), k.Backup, k.CheckValue,
		})
	}
	return v
}

// keyState is the state together with the mark of a deleted key.
func keyState(k core.KeyView) string {
	if k.Deleted {
		return k.State + " (deleted)"
	}
	return k.State
}

func expiry(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return ago(*t, now)
}

func (a *app) keyDelete() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		yes  *bool
	)
	c := a.command(verb{
		use: "delete FSP/NAME", short: "Take a key out of use at once", args: cobra.ExactArgs(1),
		long: "No operation uses any version of the key from now on. The versions stay in the database as backup. Asks for the\n" +
			"key's name.",
		examples: []string{"cpm key delete payerfsp/old", "cpm key delete payerfsp/old --yes"},
		run: func(ctx context.Context, args []string) error {
			fsp, name, err := keyName(args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(*yes, "No operation will use the key "+args[0]+" any more.", args[0]); err != nil {
				return err
			}
			document, err := json.Marshal(core.KeyDocument{FSP: cpm.FSP(fsp), Name: name})
			if err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			receipt, err := client.Apply(ctx, core.Change{Action: "key.delete", Target: args[0], Document: document})
			if err != nil {
				return err
			}
			a.say("%s is deleted; the configuration is at revision %d", args[0], receipt.Revision)
			return out.print(receiptAnswer(receipt, args))
		},
	})
	yes = yesFlag(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}
