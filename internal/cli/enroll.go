package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// Enrolment is what cpm enroll did, and what it tells the FSP.
type Enrolment struct {
	FSP string `json:"fsp"`
	// Added says that the FSP was not there before.
	Added bool `json:"added"`
	// UpdateKey is the name of the FSP's update key, Version the one that counts from now on.
	UpdateKey string `json:"updateKey"`
	Version   uint32 `json:"version"`
	// Fingerprint is SHA-256 of the public key (SubjectPublicKeyInfo, RFC 5280), in hexadecimal digits.
	Fingerprint string `json:"fingerprint"`
	Revision    int64  `json:"revision"`
}

func (a *app) enrollCommand() *cobra.Command {
	var (
		dial       func() *command.Client
		out        *output
		yes        *bool
		file, name string
	)
	c := a.command(verb{
		use: "enroll FSP --update-key FILE", short: "Let a participant administer its own keys", args: cobra.ExactArgs(1),
		long: "Adds the FSP if it is not there, and its public update key: from now on the CPM takes the key updates it signs, through\n" +
			"a Key Update adapter. Prints what the FSP needs. Compare the fingerprint with the FSP on another way than the key\n" +
			"came: whoever has the update key can put keys of their own in the FSP's place. An FSP that has such a key gets the\n" +
			"new one after you have typed its name.",
		examples: []string{"cpm enroll payerfsp --update-key payerfsp-update.pem", "cpm enroll newfsp --update-key - -o json < newfsp-update.pem"},
		run: func(ctx context.Context, args []string) error {
			public, _, err := a.keyText(addition{public: file})
			if err != nil {
				return err
			}
			// A mistake in the file must not leave a new FSP behind.
			if _, err := keys.ReadPublicKey(public); err != nil {
				return err
			}
			client := dial()
			defer client.Close()
			e := Enrolment{FSP: args[0], UpdateKey: name}
			if err := a.replaces(ctx, client, e, *yes); err != nil {
				return err
			}
			if err := enroll(ctx, client, &e, public); err != nil {
				return err
			}
			return a.showEnrolment(out, e)
		},
	})
	c.Flags().StringVar(&file, "update-key", "", "PEM file with the FSP's public update key or its certificate, or -")
	c.Flags().StringVar(&name, "name", "update", "name of the update key")
	_ = c.MarkFlagRequired("update-key")
	yes = yesFlag(c)
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

// replaces asks before an update key is put in the place of another: that is how an FSP would be taken over.
func (a *app) replaces(ctx context.Context, client *command.Client, e Enrolment, yes bool) error {
	all, err := client.Keys(ctx, cpm.FSP(e.FSP), "", false)
	if err != nil {
		return err
	}
	there := slices.ContainsFunc(all.Keys, func(k core.KeyView) bool { return k.Use == string(cpm.UseUpdate) && !k.Deleted })
	if !there {
		return nil
	}
	return a.confirm(yes, "The FSP has an update key; from now on whoever has the new one can change the FSP's keys.", e.FSP)
}

// enroll adds what is missing: the FSP, then the key.
func enroll(ctx context.Context, client *command.Client, e *Enrolment, public string) error {
	all, err := client.FSPs(ctx)
	if err != nil {
		return err
	}
	document, err := json.Marshal(keys.Addition{FSP: cpm.FSP(e.FSP), Name: e.UpdateKey, Use: cpm.UseUpdate, Public: public})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all.FSPs, func(v core.FSPView) bool { return v.Name == e.FSP }) {
		if _, err := client.Apply(ctx, core.Change{Action: "fsp.add", Target: e.FSP, Document: []byte("{}")}); err != nil {
			return err
		}
		e.Added = true
	}
	receipt, err := client.Apply(ctx, core.Change{Action: "key.add", Target: e.FSP + "/" + e.UpdateKey, Document: document})
	if err != nil {
		if e.Added {
			return withHint(err, "the FSP is added; mend the key and repeat the command")
		}
		return err
	}
	return e.complete(ctx, client, receipt)
}

// complete reads back what the CPM has now.
func (e *Enrolment) complete(ctx context.Context, client *command.Client, receipt command.Receipt) error {
	var made core.KeyDetail
	if err := json.Unmarshal(receipt.Detail, &made); err != nil {
		return fault.New(fault.Internal, "the FSP is enrolled, but the answer cannot be read").Because(err)
	}
	stored, err := client.Keys(ctx, cpm.FSP(e.FSP), e.UpdateKey, false)
	if err != nil {
		return err
	}
	for i := range stored.Keys {
		if stored.Keys[i].Version == made.Version {
			sum := sha256.Sum256(stored.Keys[i].PublicKey)
			e.Fingerprint = hex.EncodeToString(sum[:])
		}
	}
	e.Version, e.Revision = made.Version, receipt.Revision
	return nil
}

func (a *app) showEnrolment(out *output, e Enrolment) error {
	if e.Added {
		a.say("%s is added; it can do nothing before it has a route and a grant: cpm apply", e.FSP)
	}
	a.say("%s version %d is its update key; compare the fingerprint with the FSP", e.UpdateKey, e.Version)
	return out.print(answer{message: e, names: []string{e.FSP}, tables: []table{{
		header: []string{"WHAT THE FSP NEEDS", "VALUE"},
		rows: [][]string{
			{"FSP", e.FSP},
			{"update key", fmt.Sprintf("%s (version %d)", e.UpdateKey, e.Version)},
			{"fingerprint (SHA-256)", e.Fingerprint},
			{"address", "that of your Key Update adapter, such as https://keys.hub.example:7821"},
			{"certificate", "of a client, from the authority of that adapter, and the authority to check the adapter's by"},
			{"sign with", "cpm keyupdate sign --fsp " + e.FSP + " --update-key-name " + e.UpdateKey + " --name KEY --action Add --new-key KEY.key --update-key UPDATE.key"},
			{"send with", "cpm keyupdate send"},
		},
	}}})
}
