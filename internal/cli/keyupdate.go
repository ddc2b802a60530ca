package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/keyupdate"
	"github.com/mojaloop/cpm/internal/secret"
)

func (a *app) keyUpdateCommand() *cobra.Command {
	return a.group("keyupdate", "Sign and send key updates, as an FSP does",
		"A key update is signed with the FSP's update key, whose public half an operator has added with use update. It goes to a\n"+
			"Key Update adapter. `cpm keyupdate sign` needs no connection and can run where the keys are.",
		a.keyUpdateSign(), a.keyUpdateSend(), a.keyUpdateImportKey())
}

// signing are the flags of keyupdate sign.
type signing struct {
	fsp, name, action, use, algorithm, kid string
	public, certificate, sealed, importKey string
	newKey, updateKey                      string
	newSecret, secretFormat                string
	notBefore, notAfter                    string
	seq                                    int64
	expiresIn                              time.Duration
}

func (a *app) keyUpdateSign() *cobra.Command {
	var f signing
	c := a.command(verb{
		use: "sign --fsp FSP --name NAME --action ACTION --update-key FILE", short: "Make a signed key update",
		long: "Writes a key update to standard output: a compact JWS by the FSP's update key, good for some minutes and for one use. An\n" +
			"Add or Update names the new key's private half, which stays here and proves that the FSP holds it; a sealed private\n" +
			"or secret key needs none (--sealed-key, or --seal-to to seal it here). Private and secret keys come from files that only their owner can read, or\n" +
			"from descriptors (/dev/fd/3).",
		examples: []string{
			"cpm keyupdate sign --fsp payerfsp --name sig --action Add --new-key sig.key --update-key update.key > update.jws",
			"cpm keyupdate sign --fsp payerfsp --name sig --action Update --certificate sig.pem --new-key sig.key --update-key update.key > update.jws",
			"cpm keyupdate sign --fsp payerfsp --name sig --action Delete --update-key update.key --seq 7 > delete.jws",
		},
		run: func(context.Context, []string) error {
			text, err := a.signUpdate(f, time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.io.Out, "%s\n", text)
			return err
		},
	})
	f.flags(c)
	return c
}

func (f *signing) flags(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.fsp, "fsp", "", "participant whose key it is")
	s.StringVar(&f.name, "name", "", "name of the key")
	s.StringVar(&f.action, "action", "", "Add, Update or Delete")
	s.StringVar(&f.use, "use", "", usesText()+" (default sig with a new key)")
	s.StringVar(&f.algorithm, "algorithm", "", "algorithm the key is for (default: the usual one of its type)")
	s.StringVar(&f.public, "public", "", "PEM file with the new public key (default: that of --new-key)")
	s.StringVar(&f.certificate, "certificate", "", "PEM file with the new certificate")
	s.StringVar(&f.sealed, "sealed-key", "", "file with the new private key, sealed to an import key (compact JWE)")
	s.StringVar(&f.importKey, "seal-to", "", "file with the answer of `cpm keyupdate import-key`: the new private key goes to the CPM, sealed")
	s.StringVar(&f.newKey, "new-key", "", "PEM file with the new private key, which proves possession")
	s.StringVar(&f.newSecret, "new-secret", "", "file with the bytes of a new secret key, which --seal-to seals")
	s.StringVar(&f.secretFormat, "secret-format", string(keys.RawSecret), "how that file writes them: raw, base64 or hex")
	s.StringVar(&f.updateKey, "update-key", "", "PEM file with the FSP's private update key")
	s.StringVar(&f.kid, "update-key-name", "", "name of the update key in the CPM (default: it tries them all)")
	s.StringVar(&f.notBefore, "not-before", "", "when the key begins to be used (RFC 3339)")
	s.StringVar(&f.notAfter, "not-after", "", "when it ends (RFC 3339)")
	s.Int64Var(&f.seq, "seq", 0, "number above that of every earlier update of the FSP (default: the time in milliseconds)")
	s.DurationVar(&f.expiresIn, "expires-in", 5*time.Minute, "how long the update may be sent, at most 10m")
	for _, name := range []string{"fsp", "name", "action", "update-key"} {
		_ = c.MarkFlagRequired(name)
	}
	c.MarkFlagsMutuallyExclusive("public", "certificate", "sealed-key", "seal-to")
	c.MarkFlagsMutuallyExclusive("new-key", "new-secret", "sealed-key")
}

// signUpdate reads the keys and signs. The private ones are destroyed.
func (a *app) signUpdate(f signing, now time.Time) ([]byte, error) {
	u, err := a.unsigned(f, now)
	if err != nil {
		return nil, err
	}
	updateKey, err := a.readSecret(f.updateKey)
	if err != nil {
		return nil, err
	}
	defer updateKey.Destroy()
	newKey, err := a.newKey(f)
	if err != nil {
		return nil, err
	}
	defer newKey.Destroy()
	if f.importKey == "" {
		return u.Sign(f.kid, updateKey, newKey)
	}
	if u.SealedKey, err = a.sealTo(f, newKey); err != nil {
		return nil, err
	}
	return u.Sign(f.kid, updateKey, secret.Bytes{})
}

// newKey reads the new private or secret key, if there is one.
func (a *app) newKey(f signing) (secret.Bytes, error) {
	switch {
	case f.newKey != "":
		return a.readSecret(f.newKey)
	case f.newSecret == "":
		return secret.Bytes{}, nil
	case f.importKey == "":
		return secret.Bytes{}, wrongUse("a secret key goes to the CPM sealed: --new-secret needs --seal-to")
	}
	return a.secretKey(f.newSecret, f.secretFormat)
}

// sealTo seals a new key to the import key in a file.
func (a *app) sealTo(f signing, newKey secret.Bytes) (string, error) {
	text, err := a.readInput(f.importKey, maxPEM)
	if err != nil {
		return "", err
	}
	var to keyupdate.ImportKey
	if err := json.Unmarshal(text, &to); err != nil || to.ID == "" {
		return "", wrongUse("the file of --seal-to is not the answer of: cpm keyupdate import-key")
	}
	if f.newSecret != "" {
		return keys.SealSecret(to.ID, to.JWK, newKey)
	}
	return keys.SealKey(to.ID, to.JWK, newKey)
}

// unsigned turns the flags into an update.
func (a *app) unsigned(f signing, now time.Time) (keys.Update, error) {
	u := keys.Update{
		Action: keys.UpdateAction(f.action), FSP: cpm.FSP(f.fsp), Name: f.name, Use: cpm.KeyUse(f.use), Algorithm: f.algorithm,
		Seq: f.seq, Expires: now.Add(f.expiresIn).Truncate(time.Second),
	}
	if u.Seq == 0 {
		u.Seq = now.UnixMilli()
	}
	if u.Use == "" && u.Action != keys.ActionDelete {
		u.Use = cpm.UseSignature
	}
	var err error
	if u.NotBefore, err = moment("--not-before", f.notBefore); err != nil {
		return u, err
	}
	if u.NotAfter, err = moment("--not-after", f.notAfter); err != nil {
		return u, err
	}
	if u.Key, err = a.publicText(f.public); err != nil {
		return u, err
	}
	if u.Certificate, err = a.publicText(f.certificate); err != nil {
		return u, err
	}
	u.SealedKey, err = a.wordIn(f.sealed)
	return u, err
}
