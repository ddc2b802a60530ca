package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// jsonPort is the server's JSON port. It goes past http.Client, whose redirects and cookies nobody needs here.
type jsonPort struct {
	base      *url.URL
	transport *http.Transport
}

// newJSONPort pools a connection for each call in flight. HTTP/1.1 is what the Mojaloop services speak.
func newJSONPort(c Config) (*jsonPort, error) {
	base, err := url.Parse(c.Address)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the address of the JSON port is not a URL").Because(err)
	}
	if base.Path == "" {
		base.Path = "/" // or the paths joined to it would be relative
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &jsonPort{base: base, transport: &http.Transport{
		DialContext:         c.dialer().DialContext,
		TLSClientConfig:     cloneTLS(c.TLS),
		Protocols:           protocols,
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: c.Concurrency + 2,
		DisableCompression:  true,
		ReadBufferSize:      32 << 10,
		WriteBufferSize:     32 << 10,
	}}, nil
}

func cloneTLS(config *tls.Config) *tls.Config {
	if config == nil {
		return &tls.Config{MinVersion: tls.VersionTLS13}
	}
	return config.Clone()
}

// request is the POST to a path, without its body.
func (p *jsonPort) request(path ...string) *http.Request {
	return &http.Request{
		Method: http.MethodPost,
		URL:    p.base.JoinPath(path...),
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
	}
}

// operationPath is the path of one operation of an FSP.
func operationPath(fsp, operation string) []string {
	return []string{"v1", "fsps", url.PathEscape(fsp), "jws", operation}
}

// post sends a body with a copy of the request and reads the whole answer into buf. An answer other than 200 is an error.
func (p *jsonPort) post(ctx context.Context, request *http.Request, body []byte, buf *bytes.Buffer) error {
	r := request.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	answer, err := p.transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	buf.Reset()
	n, err := buf.ReadFrom(io.LimitReader(answer.Body, maxAnswer+1))
	closeErr := answer.Body.Close()
	switch {
	case err != nil:
		return fmt.Errorf("half an answer: %w", err)
	case n > maxAnswer:
		return errors.New("the answer is larger than 64 MiB")
	case closeErr != nil:
		return fmt.Errorf("half an answer: %w", closeErr)
	case answer.StatusCode != http.StatusOK:
		return declinedHTTP(answer.StatusCode, buf.Bytes())
	}
	return nil
}

// process performs one operation and decodes its answer.
func (p *jsonPort) process(ctx context.Context, r *cpmv1.ProcessRequest) (*cpmv1.ProcessResponse, error) {
	body, err := marshal(payload(r))
	if err != nil {
		return nil, err
	}
	operation := opSign
	if r.GetJwsVerify() != nil {
		operation = opVerify
	}
	var answer bytes.Buffer
	if err := p.post(ctx, p.request(operationPath(r.GetFsp(), operation)...), body, &answer); err != nil {
		return nil, err
	}
	return parseOne(operation, answer.Bytes())
}

func (p *jsonPort) openSingle(_ context.Context, w *workload, callers int) (*session, error) {
	return p.session(w, p.request(operationPath(w.fsp, w.operation)...), w.single, callers), nil
}

func (p *jsonPort) openBatch(_ context.Context, w *workload, callers int) (*session, error) {
	return p.session(w, p.request("v1", "batch"), w.batches, callers), nil
}

// session begins with new connections, because the server may have closed those of an earlier case while they were idle.
func (p *jsonPort) session(w *workload, request *http.Request, calls []call, callers int) *session {
	p.transport.CloseIdleConnections()
	s := &session{close: p.transport.CloseIdleConnections}
	for i := range callers {
		s.callers = append(s.callers, &jsonCaller{
			port: p, request: request, operation: w.operation, mark: markOf(w.operation), turn: newTurn(calls, i, callers),
		})
	}
	return s
}

// jsonCaller posts bodies that are ready and counts the good results of the answer without decoding it.
type jsonCaller struct {
	port      *jsonPort
	request   *http.Request
	operation string
	mark      []byte
	turn      *turn
	answer    bytes.Buffer
}

func (c *jsonCaller) call(ctx context.Context) (int, error) {
	next := c.turn.next()
	if err := c.port.post(ctx, c.request, next.json, &c.answer); err != nil {
		c.answer.Reset()
		return len(next.items), err
	}
	if scan(c.answer.Bytes(), c.mark) == len(next.items) {
		return 0, nil
	}
	return c.explain(next)
}

// explain decodes an answer that has not as many good results as it should.
func (c *jsonCaller) explain(sent *call) (int, error) {
	answers, err := c.decode(sent)
	if err != nil {
		return len(sent.items), err
	}
	failed, err := judgeAll(c.operation, len(sent.items), answers)
	if failed == 0 {
		return len(sent.items), errors.New("the answer has another number of results than it seems")
	}
	return failed, err
}

func (c *jsonCaller) decode(sent *call) ([]*cpmv1.ProcessResponse, error) {
	if sent.batch {
		batch, err := parseBatch(c.answer.Bytes())
		return batch.GetResults(), err
	}
	one, err := parseOne(c.operation, c.answer.Bytes())
	return []*cpmv1.ProcessResponse{one}, err
}

func (c *jsonCaller) signed() []*cpmv1.ProcessRequest {
	if c.operation != opSign || c.answer.Len() == 0 {
		return nil
	}
	sent := c.turn.last()
	answers, err := c.decode(sent)
	if err != nil {
		return nil
	}
	return pick(sent.items, answers)
}
