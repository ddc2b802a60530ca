package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) opProtect() *cobra.Command {
	var (
		f   operation
		to  *port
		out *output
	)
	c := a.command(verb{
		use: "protect [--fsp FSP] [--form sorted|raw]", short: "Encrypt and sign a message read from standard input",
		long: "Encrypts the fields that the FSP's policy names (cpm fsp set --encryption) for the recipient in FSPIOP-Destination,\n" +
			"and signs the result. Standard input has the JSON message of message.protect, or a captured HTTP request. With -o http\n" +
			"the protected request is printed, ready to be sent.",
		examples: []string{
			"cpm op protect --fsp payerfsp < message.json",
			"cpm op protect -o http < quote.http > protected.http",
		},
		run: func(ctx context.Context, _ []string) error { return a.guard(ctx, cpm.MessageProtect, f, to, out) },
	})
	f.flags(c, cpm.MessageProtect)
	c.Flags().StringVar(&f.form, "form", "", "for a captured request: sorted signs the canonical body, raw the bytes as they are (default sorted)")
	to, out = a.portFlags(c), a.outputFlag(c, formatJSON, formatYAML, formatHTTP)
	return c
}

func (a *app) opOpen() *cobra.Command {
	var (
		f   operation
		to  *port
		out *output
	)
	c := a.command(verb{
		use: "open [--fsp FSP]", short: "Verify and decrypt a message read from standard input",
		long: "Verifies the signature of the FSP in FSPIOP-Source, and decrypts what is encrypted for the FSP that received the\n" +
			"message. Standard input has the JSON message of message.open, or a captured HTTP request as it was received. With -o\n" +
			"http the request is printed in clear. Exit code 0: the signature is valid; 1: it is not, and the answer has the\n" +
			"reason; others: there is no answer.",
		examples: []string{
			"cpm op open --fsp payeefsp < message.json",
			"cpm op open -o http < received.http",
		},
		run: func(ctx context.Context, _ []string) error { return a.check(ctx, cpm.MessageOpen, f, to, out) },
	})
	f.flags(c, cpm.MessageOpen)
	to, out = a.portFlags(c), a.outputFlag(c, formatJSON, formatYAML, formatHTTP)
	return c
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
	var headers map[string]string
	start := bytes.TrimLeft(text, " \t\r\n")
	if len(start) == 0 {
		return nil, withHint(wrongUse("standard input is empty"), expected)
	}
	if start[0] == '{' {
		m.json, headers = start, headersOf(start)
		if f.form != "" || f.keyName != "" || f.keyVersion != 0 {
			return nil, wrongUse("a JSON message has form and key as members; the flags are for a captured request")
		}
	} else if headers, err = m.capture(text, f); err != nil {
		return nil, err
	}
	owner, whose := "fspiop-source", "whose signature it is"
	if o == cpm.MessageOpen {
		owner, whose = "fspiop-destination", "who received it"
	}
	if m.fsp = or(m.fsp, headers[owner]); !cpm.ValidName(m.fsp) {
		return nil, withHint(wrongUse("the message does not say %s", whose), "give the participant with --fsp")
	}
	return m, nil
}

// headersOf finds the headers of a JSON message. What is wrong with the message is for the CPM to say.
func headersOf(text []byte) map[string]string {
	var m struct {
		Headers map[string]string `json:"headers"`
	}
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	return (&captured{fields: fieldsOf(m.Headers)}).headers()
}

// fieldsOf lists headers by name.
func fieldsOf(headers map[string]string) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		all = append(all, field{name, headers[name]})
	}
	return all
}

// question is the message of the operations, as JSON.
type question struct {
	Method     string            `json:"method"`
	URI        string            `json:"uri"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body,omitempty"`
	BodyBase64 []byte            `json:"bodyBase64,omitempty"`
	Form       string            `json:"form,omitempty"`
	Key        *selector         `json:"key,omitempty"`
}

type selector struct {
	Name    string `json:"name,omitempty"`
	Version uint32 `json:"version,omitempty"`
}

// expected is what the operations read.
const expected = "standard input has the JSON message of the operation, or: METHOD TARGET HTTP/1.1, headers, an empty line, the body"

// capture makes the operation's message of a captured request.
func (m *message) capture(text []byte, f operation) (headers map[string]string, err error) {
	if m.request, err = parseCapture(text); err != nil {
		return nil, withHint(err, expected)
	}
	headers = m.request.headers()
	q := question{Method: m.request.method, URI: m.request.target, Headers: headers, Form: f.form}
	if f.keyName != "" || f.keyVersion != 0 {
		q.Key = &selector{f.keyName, f.keyVersion}
	}
	if utf8.Valid(m.request.body) {
		q.Body = string(m.request.body)
	} else {
		q.BodyBase64 = m.request.body
	}
	m.json, err = json.Marshal(q)
	return headers, err
}

// reply is what the answers of the operations have in common.
type reply struct {
	Valid      bool              `json:"valid"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"bodyBase64"`
	Fields     []string          `json:"fields"`
}

func replyOf(text []byte) (*reply, error) {
	r := new(reply)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fault.New(fault.Internal, "the answer of the CPM cannot be read").Because(err)
	}
	return r, nil
}

func (r *reply) body() []byte {
	if len(r.BodyBase64) > 0 {
		return r.BodyBase64
	}
	return []byte(r.Body)
}

// opened is the captured request in clear. The headers of encryption and signature do not belong to it any more, unless
// nothing was encrypted.
func (m *message) opened(r *reply) []byte {
	if len(r.Fields) > 0 {
		m.request.remove("fspiop-encryption", "fspiop-signature")
	}
	return m.request.with(nil, r.body())
}
