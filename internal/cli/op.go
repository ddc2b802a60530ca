package cli

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/cpm"
)

func (a *app) opCommand() *cobra.Command {
	return a.group("op", "Sign, verify, protect and open a message",
		"Reads the operation's JSON message or a captured HTTP request from standard input and has a CPM do the operation.",
		a.opSign(), a.opVerify(), a.opProtect(), a.opOpen())
}

// operation are the flags of the operations.
type operation struct {
	fsp, keyName string
	keyVersion   uint32
	form         string
}

func (a *app) opSign() *cobra.Command {
	var (
		f   operation
		to  *port
		out *output
	)
	c := a.command(verb{
		use: "sign [--fsp FSP] [--form sorted|raw]", short: "Sign a message read from standard input",
		long: "Standard input has the JSON message of jws.sign, or a captured HTTP request: request line, header lines, an empty\n" +
			"line, and the body, byte by byte. With -o http the signed request is printed, ready to be sent. The FSP is that of\n" +
			"the header FSPIOP-Source unless --fsp is given.",
		examples: []string{
			"cpm op sign --fsp payerfsp < message.json",
			"cpm op sign -o http < quote.http > signed.http",
		},
		run: func(ctx context.Context, _ []string) error { return a.guard(ctx, cpm.JWSSign, f, to, out) },
	})
	f.flags(c, cpm.JWSSign)
	c.Flags().StringVar(&f.form, "form", "", "for a captured request: sorted signs the canonical body, raw the bytes as they are (default sorted)")
	to, out = a.portFlags(c), a.outputFlag(c, formatJSON, formatYAML, formatHTTP)
	return c
}

func (a *app) opVerify() *cobra.Command {
	var (
		f   operation
		to  *port
		out *output
	)
	c := a.command(verb{
		use: "verify [--fsp FSP]", short: "Verify a message read from standard input",
		long: "Standard input has the JSON message of jws.verify, or a captured HTTP request as it was received. The FSP is that\n" +
			"of the header FSPIOP-Source unless --fsp is given. Exit code 0: the signature is valid; 1: it is not, and the answer\n" +
			"has the reason; others: there is no answer.",
		examples: []string{
			"cpm op verify --fsp payerfsp < message.json",
			"cpm op verify -o yaml < received.http",
		},
		run: func(ctx context.Context, _ []string) error { return a.check(ctx, cpm.JWSVerify, f, to, out) },
	})
	f.flags(c, cpm.JWSVerify)
	to, out = a.portFlags(c), a.outputFlag(c, formatJSON, formatYAML)
	return c
}

func (f *operation) flags(c *cobra.Command, o cpm.Operation) {
	whose := "participant whose signature it is (default: the message's FSPIOP-Source)"
	if o == cpm.MessageOpen {
		whose = "participant that received the message (default: the message's FSPIOP-Destination)"
	}
	c.Flags().StringVar(&f.fsp, "fsp", "", whose)
	c.Flags().StringVar(&f.keyName, "key-name", "", "for a captured request: name of the key (default: the current one)")
	c.Flags().Uint32Var(&f.keyVersion, "key-version", 0, "for a captured request: version of the key (default: the current one)")
}

// guard has a message signed, or encrypted and signed.
func (a *app) guard(ctx context.Context, o cpm.Operation, f operation, to *port, out *output) error {
	m, reply, err := a.ask(ctx, o, f, to, out)
	if err != nil {
		return err
	}
	if format, _ := out.format(); format != formatHTTP {
		return out.print(answer{message: reply})
	}
	guarded, err := replyOf(reply)
	if err != nil {
		return err
	}
	_, err = a.io.Out.Write(m.request.with(fieldsOf(guarded.Headers), guarded.body()))
	return err
}

// check has a message verified, or verified and decrypted.
func (a *app) check(ctx context.Context, o cpm.Operation, f operation, to *port, out *output) error {
	m, reply, err := a.ask(ctx, o, f, to, out)
	if err != nil {
		return err
	}
	checked, err := replyOf(reply)
	if err != nil {
		return err
	}
	format, _ := out.format()
	switch {
	case format != formatHTTP:
		err = out.print(answer{message: reply})
	case checked.Valid:
		_, err = a.io.Out.Write(m.opened(checked))
	default: // there is no message to print
		err = printMessage(a.io.Out, formatJSON, reply)
	}
	if err == nil && !checked.Valid {
		err = errNotValid
	}
	return err
}

// ask reads the message and has the CPM do the operation.
func (a *app) ask(ctx context.Context, o cpm.Operation, f operation, to *port, out *output) (*message, []byte, error) {
	format, err := out.format()
	if err != nil {
		return nil, nil, err
	}
	m, err := a.readMessage(f, o)
	if err != nil {
		return nil, nil, err
	}
	if format == formatHTTP && m.request == nil {
		return nil, nil, wrongUse("-o http needs a captured request on standard input, not a JSON message")
	}
	reply, err := to.post(ctx, "/v1/fsps/"+url.PathEscape(m.fsp)+"/"+m.operation.Path(), m.json)
	return m, reply, err
}
