package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) opCommand() *cobra.Command {
	return a.group("op", "Sign and verify a message",
		"Reads the operation's JSON message or a captured HTTP request from standard input and has a CPM do the operation.",
		a.opSign(), a.opVerify())
}

// operation are the flags of both operations.
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
		run: func(ctx context.Context, _ []string) error { return a.sign(ctx, f, to, out) },
	})
	f.flags(c)
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
		run: func(ctx context.Context, _ []string) error { return a.verify(ctx, f, to, out) },
	})
	f.flags(c)
	to, out = a.portFlags(c), a.outputFlag(c, formatJSON, formatYAML)
	return c
}

func (f *operation) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.fsp, "fsp", "", "participant whose signature it is (default: the message's FSPIOP-Source)")
	c.Flags().StringVar(&f.keyName, "key-name", "", "for a captured request: name of the key (default: the current one)")
	c.Flags().Uint32Var(&f.keyVersion, "key-version", 0, "for a captured request: version of the key (default: the current one)")
}

func (a *app) sign(ctx context.Context, f operation, to *port, out *output) error {
	format, err := out.format()
	if err != nil {
		return err
	}
	m, err := a.readMessage(f, cpm.JWSSign)
	if err != nil {
		return err
	}
	if format == formatHTTP && m.request == nil {
		return wrongUse("-o http needs a captured request on standard input, not a JSON message")
	}
	reply, err := m.send(ctx, to)
	if err != nil {
		return err
	}
	if format != formatHTTP {
		return out.print(answer{message: reply})
	}
	signed, err := m.signed(reply)
	if err != nil {
		return err
	}
	_, err = a.io.Out.Write(signed)
	return err
}

func (a *app) verify(ctx context.Context, f operation, to *port, out *output) error {
	m, err := a.readMessage(f, cpm.JWSVerify)
	if err != nil {
		return err
	}
	reply, err := m.send(ctx, to)
	if err != nil {
		return err
	}
	var verdict cpmv1.JwsVerifyResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(reply, &verdict); err != nil {
		return fault.New(fault.Internal, "the answer of the CPM cannot be read").Because(err)
	}
	if err := out.print(answer{message: reply}); err != nil {
		return err
	}
	if !verdict.GetValid() {
		return errNotValid
	}
	return nil
}

// message is one operation ready to be asked for.
type message struct {
	fsp       string
	operation cpm.Operation
	json      []byte
	// request is the captured request the message was made of; nil if it came as JSON.
	request *captured
}

// readMessage reads standard input. JSON begins with a brace, a request line with a method.
func (a *app) readMessage(f operation, o cpm.Operation) (*message, error) {
	if a.io.IsTerminal {
		a.say("reading the message from the terminal; Ctrl-D ends it")
	}
	text, err := readLimited(a.io.In, "standard input", maxMessage)
	if err != nil {
		return nil, err
	}
	m := &message{fsp: f.fsp, operation: o}
	var source string
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		m.json, source = start, sourceOf(start)
		if f.form != "" || f.keyName != "" || f.keyVersion != 0 {
			return nil, wrongUse("a JSON message has form and key as members; the flags are for a captured request")
		}
	} else if source, err = m.capture(text, f); err != nil {
		return nil, err
	}
	if m.fsp = or(m.fsp, source); !cpm.ValidName(m.fsp) {
		return nil, withHint(wrongUse("the message does not say whose signature it is"), "give the participant with --fsp")
	}
	return m, nil
}

// sourceOf finds the FSP in the headers of a JSON message. What is wrong with the message is for the CPM to say.
func sourceOf(text []byte) string {
	var m struct {
		Headers map[string]string `json:"headers"`
	}
	if json.Unmarshal(text, &m) != nil {
		return ""
	}
	return (&captured{fields: fieldsOf(m.Headers)}).headers()["fspiop-source"]
}

// fieldsOf lists headers by name.
func fieldsOf(headers map[string]string) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		all = append(all, field{name, headers[name]})
	}
	return all
}

// capture makes the operation's message of a captured request.
func (m *message) capture(text []byte, f operation) (source string, err error) {
	if m.request, err = parseCapture(text); err != nil {
		return "", withHint(err, "standard input has the JSON message of the operation, or: METHOD TARGET HTTP/1.1, headers, an empty line, the body")
	}
	var key *cpmv1.KeySelector
	if f.keyName != "" || f.keyVersion != 0 {
		key = &cpmv1.KeySelector{Name: f.keyName, Version: f.keyVersion}
	}
	headers := m.request.headers()
	if m.json, err = protojson.Marshal(m.shape(headers, key, f.form)); err != nil {
		return "", fault.New(fault.Invalid, "the captured request cannot be put into a message").Because(err)
	}
	return headers["fspiop-source"], nil
}

func (m *message) shape(headers map[string]string, key *cpmv1.KeySelector, form string) proto.Message {
	method, uri, body := m.request.method, m.request.target, m.request.body
	if m.operation == cpm.JWSSign {
		s := &cpmv1.JwsSignRequest{Method: method, Uri: uri, Headers: headers, Form: form, Key: key}
		switch {
		case len(body) == 0:
		case utf8.Valid(body):
			s.Content = &cpmv1.JwsSignRequest_Body{Body: string(body)}
		default:
			s.Content = &cpmv1.JwsSignRequest_BodyBase64{BodyBase64: body}
		}
		return s
	}
	v := &cpmv1.JwsVerifyRequest{Method: method, Uri: uri, Headers: headers, Key: key}
	switch {
	case len(body) == 0:
	case utf8.Valid(body):
		v.Content = &cpmv1.JwsVerifyRequest_Body{Body: string(body)}
	default:
		v.Content = &cpmv1.JwsVerifyRequest_BodyBase64{BodyBase64: body}
	}
	return v
}

func (m *message) send(ctx context.Context, to *port) ([]byte, error) {
	return to.post(ctx, "/v1/fsps/"+url.PathEscape(m.fsp)+"/"+m.operation.Path(), m.json)
}

// signed puts the answer's headers and body into the captured request.
func (m *message) signed(reply []byte) ([]byte, error) {
	var s cpmv1.JwsSignResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(reply, &s); err != nil {
		return nil, fault.New(fault.Internal, "the answer of the CPM cannot be read").Because(err)
	}
	body := s.GetBodyBase64()
	if _, text := s.GetContent().(*cpmv1.JwsSignResponse_Body); text {
		body = []byte(s.GetBody())
	}
	return m.request.with(fieldsOf(s.GetHeaders()), body), nil
}
