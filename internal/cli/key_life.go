package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// keyMove is a command that changes the state of one version of a key.
type keyMove struct {
	verb, short, long string
	// warning is what the operator has to confirm; empty asks nothing.
	warning string
	// done says in a word what came of it.
	done string
}

// keyMoves are the commands of a key's life (specification, "Key Updates"; the states are those of NIST SP 800-57).
func keyMoves() []keyMove {
	return []keyMove{
		{
			verb: "restore", short: "Use an earlier version of a key again", done: "restored",
			long: "Makes a new Active version of the material of an earlier one, which --version names. A compromised or destroyed\n" +
				"version cannot be restored.",
		},
		{
			verb: "suspend", short: "Take a version out of use for a while", done: "suspended",
			warning: "No operation will use %s until it is resumed.",
			long:    "No operation uses the version from now on, and it leaves memory and every adapter, until `cpm key resume`.",
		},
		{
			verb: "resume", short: "Use a suspended version again", done: "resumed",
			long: "Ends what `cpm key suspend` began, unless the time of the version is over.",
		},
		{
			verb: "deactivate", short: "End the use of a version", done: "deactivated",
			warning: "No operation will use %s any more.",
			long:    "No operation uses the version any more. Its sealed bytes stay; `cpm key restore` can make a new version of them.",
		},
		{
			verb: "compromise", short: "Mark a version as known to others", done: "marked as compromised",
			warning: "%s will be refused everywhere and for ever.",
			long: "No operation uses this key material any more, also where a restore has put it again, at once and without an\n" +
				"overlap. It cannot be undone.",
		},
		{
			verb: "destroy", short: "Remove the bytes of a version for ever", done: "destroyed",
			warning: "The bytes of %s will be gone, here and in every later backup.",
			long: "Removes the sealed bytes of the version, also where a restore has put them again. What is known about the key stays.\n" +
				"It cannot be undone.",
		},
	}
}

func (a *app) keyLife() []*cobra.Command {
	all := []*cobra.Command{a.keyUpdate()}
	for _, m := range keyMoves() {
		all = append(all, a.keyMove(m))
	}
	return all
}

func (a *app) keyMove(m keyMove) *cobra.Command {
	var (
		dial    func() *command.Client
		out     *output
		yes     = new(bool)
		version uint32
	)
	flags, example := "", ""
	if m.warning != "" {
		m.long += " Asks for the key's name."
		example = " --yes"
	}
	if m.verb == "restore" {
		flags = " --version NUMBER"
	}
	c := a.command(verb{
		use: m.verb + " FSP/NAME" + flags, short: m.short, long: m.long, args: cobra.ExactArgs(1),
		examples: []string{"cpm key " + m.verb + " payerfsp/sig --version 3" + example, "cpm key " + m.verb + " payerfsp/sig --version 1 -o json" + example},
		run: func(ctx context.Context, args []string) error {
			fsp, name, err := keyName(args[0])
			if err != nil {
				return err
			}
			document, err := json.Marshal(keys.Which{FSP: cpm.FSP(fsp), Name: name, Version: version})
			if err != nil {
				return err
			}
			if err := a.confirm(*yes || m.warning == "", fmt.Sprintf(m.warning, keyVersion(args[0], version)), args[0]); err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			receipt, err := client.Apply(ctx, core.Change{Action: "key." + m.verb, Target: args[0], Document: document})
			if err != nil {
				return withLastHint(err, "see its versions with: cpm key history "+args[0])
			}
			return a.showKeyChange(out, receipt, args[0], m.done)
		},
	})
	c.Flags().Uint32Var(&version, "version", 0, "version of the key (default: the current one)")
	if m.verb == "restore" {
		c.Flags().Lookup("version").Usage = "version to take the material of"
		_ = c.MarkFlagRequired("version")
	}
	if m.warning != "" {
		yes = yesFlag(c)
	}
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// keyVersion names a version in a sentence.
func keyVersion(name string, version uint32) string {
	if version == 0 {
		return "the current version of " + name
	}
	return fmt.Sprintf("version %d of %s", version, name)
}

// keyUpdate is key add for a key that must be there.
func (a *app) keyUpdate() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		f    addition
	)
	c := a.command(verb{
		use:   "update --fsp FSP --name NAME (--generate ALGORITHM | --public FILE | --private FILE | --secret-file FILE)",
		short: "Add a new version of a key that is there",
		long: "As `cpm key add`, but refused when the FSP has no key of this name. A deleted key becomes Active again with the new\n" +
			"version; the versions before stay as backup.",
		examples: []string{
			"cpm key update --fsp payerfsp --name sig --generate RS256 --bits 3072",
			"cpm key update --fsp payeefsp --name sig --public payeefsp.pem",
		},
		run: func(ctx context.Context, _ []string) error {
			change, err := a.addition(f)
			if err != nil {
				return err
			}
			change.Action = "key.update"
			client := dial()
			defer client.Close()
			receipt, err := client.Apply(ctx, change)
			if err != nil {
				return err
			}
			return a.showKeyChange(out, receipt, change.Target, "added")
		},
	})
	f.flags(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// showKeyChange shows the receipt with the version that a change made or moved.
func (a *app) showKeyChange(out *output, receipt command.Receipt, target, done string) error {
	var made core.KeyDetail
	if err := json.Unmarshal(receipt.Detail, &made); err != nil {
		return fault.New(fault.Internal, "the change was made, but the answer cannot be read").Because(err)
	}
	a.say("%s version %d is %s; the configuration is at revision %d", target, made.Version, done, receipt.Revision)
	if made.Warning != "" {
		a.say("WARNING: %s", made.Warning)
	}
	return out.print(answer{
		message: receipt, names: []string{target},
		tables: []table{{
			header: []string{"FSP", "NAME", "VERSION", "ID", "REVISION"},
			rows:   [][]string{{made.FSP, made.Name, fmt.Sprint(made.Version), made.ID, fmt.Sprint(receipt.Revision)}},
		}},
	})
}
