package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/secret"
)

// addition are the flags of key add.
type addition struct {
	fsp, name, use, algorithm string
	generate, public, private string
	secretFile, secretFormat  string
	bits                      int
	notBefore, notAfter       string
}

func (a *app) keyAdd() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		f    addition
	)
	c := a.command(verb{
		use:   "add --fsp FSP --name NAME (--generate ALGORITHM | --public FILE | --private FILE | --secret-file FILE)",
		short: "Add a key, or a new version of one",
		long: "Takes a key in from a file or generates one inside the CPM. A name that is there already gets a new version;\n" +
			"the one before stays as backup. A private or secret key comes from a file that only its owner can read, from a\n" +
			"descriptor (/dev/fd/3) or from standard input (-), never from the command line. docs/keys.md has the uses and\n" +
			"their algorithms.",
		examples: []string{
			"cpm key add --fsp payerfsp --name sig --generate RS256 --bits 3072",
			"cpm key add --fsp payeefsp --name sig --public payeefsp.pem",
			"cpm key add --fsp payerfsp --name sig --private - < payerfsp.key",
			"cpm key add --fsp payerfsp --name data --use data-enc --generate A256GCM",
			"cpm key add --fsp payerfsp --name ilp --use ilp --secret-file ilp.secret --secret-format hex",
		},
		run: func(ctx context.Context, _ []string) error {
			change, err := a.addition(f)
			if err != nil {
				return err
			}
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

func (f *addition) flags(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.fsp, "fsp", "", "participant the key belongs to")
	s.StringVar(&f.name, "name", "", "name of the key")
	s.StringVar(&f.use, "use", string(cpm.UseSignature), usesText())
	s.StringVar(&f.generate, "generate", "", "generate a private or secret key for this algorithm, such as RS256 or A256GCM")
	s.IntVar(&f.bits, "bits", 0, "RSA modulus of a generated key (default 2048)")
	s.StringVar(&f.public, "public", "", "PEM file with a public key or certificate, or -")
	s.StringVar(&f.private, "private", "", "PEM file with a private key, or -")
	s.StringVar(&f.secretFile, "secret-file", "", "file with the bytes of a secret key, or -")
	s.StringVar(&f.secretFormat, "secret-format", string(keys.RawSecret), "how the file writes them: raw, base64 or hex")
	s.StringVar(&f.algorithm, "algorithm", "", "algorithm of a key from a file (default: the first of its use that fits)")
	s.StringVar(&f.notBefore, "not-before", "", "when it begins to be used (RFC 3339); until then it is PreActive")
	s.StringVar(&f.notAfter, "not-after", "", "when it ends (RFC 3339)")
	_ = c.MarkFlagRequired("fsp")
	_ = c.MarkFlagRequired("name")
	c.MarkFlagsMutuallyExclusive("generate", "public", "private", "secret-file")
	c.MarkFlagsOneRequired("generate", "public", "private", "secret-file")
}

// addition turns the flags into a change.
func (a *app) addition(f addition) (core.Change, error) {
	if f.bits != 0 && f.generate == "" {
		return core.Change{}, wrongUse("--bits goes with --generate")
	}
	if f.algorithm != "" && f.generate != "" {
		return core.Change{}, wrongUse("--algorithm goes with --public, --private and --secret-file; --generate names its own")
	}
	begin, err := moment("--not-before", f.notBefore)
	if err != nil {
		return core.Change{}, err
	}
	end, err := moment("--not-after", f.notAfter)
	if err != nil {
		return core.Change{}, err
	}
	public, private, err := a.keyText(f)
	if err != nil {
		return core.Change{}, err
	}
	document, err := json.Marshal(keys.Addition{
		FSP: cpm.FSP(f.fsp), Name: f.name, Use: cpm.KeyUse(f.use), Generate: f.generate, Bits: f.bits, Public: public,
		Algorithm: f.algorithm, Symmetric: f.secretFile != "", NotBefore: begin, NotAfter: end,
	})
	if err != nil {
		private.Destroy()
		return core.Change{}, err
	}
	return core.Change{Action: "key.add", Target: f.fsp + "/" + f.name, Document: document, Secret: private}, nil
}

// keyText reads the key that is given. A private key in the place of the public one is refused before it is sent.
func (a *app) keyText(f addition) (public string, private secret.Bytes, err error) {
	if f.private != "" {
		private, err = a.readSecret(f.private)
		return "", private, err
	}
	if f.secretFile != "" {
		private, err = a.secretKey(f.secretFile, f.secretFormat)
		return "", private, err
	}
	if f.public == "" {
		return "", secret.Bytes{}, nil
	}
	text, err := a.readInput(f.public, maxPEM)
	if err != nil {
		return "", secret.Bytes{}, err
	}
	if strings.Contains(string(text), "PRIVATE KEY-----") {
		clear(text)
		return "", secret.Bytes{}, withHint(wrongUse("this is a private key, and it was given as a public one"), "add it with: cpm key add --private FILE")
	}
	return string(text), secret.Bytes{}, nil
}

// secretKey reads the bytes of a secret key in one of the formats.
func (a *app) secretKey(file, format string) (secret.Bytes, error) {
	text, err := a.readSecret(file)
	if err != nil {
		return secret.Bytes{}, err
	}
	if b := text.Open(secret.Token{}); format == string(keys.RawSecret) && b[len(b)-1] == '\n' {
		a.say("the last byte of the secret is a line end, which is a part of it in the format raw")
	}
	return keys.ReadSecret(keys.SecretFormat(format), text)
}

// usesText lists the uses of keys for the help.
func usesText() string {
	var all []string
	for _, use := range cpm.KeyUses() {
		all = append(all, string(use))
	}
	return "what it is for: " + strings.Join(all, ", ")
}

func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, wrongUse("%s is a time such as 2026-01-31T00:00:00Z", flag)
	}
	return t.UTC(), nil
}
