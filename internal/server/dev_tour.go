package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/fault"
)

// sampleQuote is the body the tour signs.
const sampleQuote = `{"quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6","transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14",` +
	`"amountType":"SEND","amount":{"currency":"USD","amount":"100"}}`

// sampleMessage is a message as a Mojaloop service would hand it over.
type sampleMessage struct {
	Method  string            `json:"method"`
	URI     string            `json:"uri"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// signedSample is the part of the answer the tour goes on with.
type signedSample struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// tour signs a quote, verifies it, shows that a changed one is refused, and leaves a line to try.
func tour(ctx context.Context, out io.Writer, c *config.Config, a Addresses) error {
	g := guide{out: out, base: "http://" + a.HTTP}
	message := sampleMessage{Method: "POST", URI: "/quotes", Body: sampleQuote, Headers: map[string]string{
		"fspiop-source": devPayer, "fspiop-destination": devPayee, "date": time.Now().UTC().Format(http.TimeFormat),
	}}
	g.say("cpm dev is Active. NOT FOR PRODUCTION: demo keys, loopback only, data in %s\n", relative(c.DataDir))
	g.say("\n1. %s signs a quote:\n", devPayer)
	var signed signedSample
	g.post(ctx, "/v1/fsps/payerfsp/jws/sign", message, &signed)
	received := message
	received.Headers = map[string]string{}
	for _, h := range []map[string]string{message.Headers, signed.Headers} {
		for name, value := range h {
			received.Headers[name] = value
		}
	}
	received.Body = signed.Body
	g.say("\n2. %s verifies what it received:\n", devPayee)
	g.post(ctx, "/v1/fsps/payerfsp/jws/verify", received, nil)
	received.Body = strings.Replace(signed.Body, `"100"`, `"900"`, 1)
	g.say("\n3. The same message with another amount:\n")
	g.post(ctx, "/v1/fsps/payerfsp/jws/verify", received, nil)
	g.farewell(c, a, message)
	return g.err
}

// guide prints the steps of the tour and remembers the first failure.
type guide struct {
	out  io.Writer
	base string
	err  error
}

func (g *guide) say(format string, args ...any) { _, _ = fmt.Fprintf(g.out, format, args...) }

// post asks the running CPM over its own port, as any caller would, and prints the answer.
func (g *guide) post(ctx context.Context, path string, message any, answer any) {
	if g.err != nil {
		return
	}
	g.err = g.ask(ctx, path, message, answer)
	if g.err != nil {
		g.say("   %s\n", g.err)
	}
}

func (g *guide) ask(ctx context.Context, path string, message, answer any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	g.say("   POST %s → %d\n   %s\n", path, response.StatusCode, bytes.TrimSpace(text))
	if response.StatusCode != http.StatusOK {
		return fault.New(fault.Internal, "the tour was declined with HTTP %d", response.StatusCode)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// farewell says where everything is and leaves a line that works as printed.
func (g *guide) farewell(c *config.Config, a Addresses, message sampleMessage) {
	if g.err != nil {
		return
	}
	body, err := json.Marshal(message)
	if err != nil {
		g.err = err
		return
	}
	g.say("\nTry it:\n\ncurl -s %s/v1/fsps/payerfsp/jws/sign -H 'content-type: application/json' -d '%s'\n\n", g.base, body)
	g.say("HTTPS JSON  https://%s  (client certificate %s)\n", a.HTTP, relative(filepath.Join(filepath.Dir(c.TLS.Cert), "client.pem")))
	g.say("gRPC        %s  (the same certificate)\n", a.GRPC)
	g.say("metrics     http://%s/metrics\n", a.Probes)
	g.say("OpenAPI     %s/openapi.json\n", g.base)
	g.say("\nIn another terminal: cpm status, cpm fsp list, cpm key list. Ctrl-C ends it.\n")
	if c.Listen.MojaloopHTTP != fmt.Sprintf("127.0.0.1:%d", DevPort) {
		g.say("For cpm op there: export CPM_ADDR=%s\n", g.base)
	}
}

// relative shortens a path for people, if it lies below the working directory.
func relative(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}
