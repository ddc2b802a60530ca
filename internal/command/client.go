package command

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// maxAnswer bounds an answer; a list of 100,000 key versions is about 70 MB.
const maxAnswer = 128 << 20

// Client speaks to the Door of a running CPM. Its errors are faults, rebuilt from the decline: kind, whole public text
// and, in the chain, the RequestID.
type Client struct {
	path string
	http *http.Client
}

// Dial makes a Client for the socket at path. It connects at the first request.
func Dial(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableCompression: true, ResponseHeaderTimeout: writeTimeout, MaxResponseHeaderBytes: maxHeader,
	}}}
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks for the state of the CPM.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, "/v1/status", nil)
}

// Adapters lists the adapters and their endpoints.
func (c *Client) Adapters(ctx context.Context) (Adapters, error) {
	return ask[Adapters](ctx, c, "/v1/adapters", nil)
}

// FSPs lists the participants.
func (c *Client) FSPs(ctx context.Context) (FSPs, error) { return ask[FSPs](ctx, c, "/v1/fsps", nil) }

// Keys lists key versions; an empty FSP or name is any, history adds the superseded and deleted ones.
func (c *Client) Keys(ctx context.Context, f cpm.FSP, name string, history bool) (Keys, error) {
	q := url.Values{}
	if f != "" {
		q.Set("fsp", string(f))
	}
	if name != "" {
		q.Set("name", name)
	}
	if history {
		q.Set("history", "true")
	}
	return ask[Keys](ctx, c, "/v1/keys", q)
}

// KeyUses says how often the versions of a key have been used.
func (c *Client) KeyUses(ctx context.Context, f cpm.FSP, name string) (KeyUses, error) {
	return ask[KeyUses](ctx, c, "/v1/key-uses", url.Values{"fsp": {string(f)}, "name": {name}})
}

// Routes lists the rules.
func (c *Client) Routes(ctx context.Context) (Routes, error) {
	return ask[Routes](ctx, c, "/v1/routes", nil)
}

// Grants lists the grants.
func (c *Client) Grants(ctx context.Context) (Grants, error) {
	return ask[Grants](ctx, c, "/v1/grants", nil)
}

// Operators lists users, groups and whitelists.
func (c *Client) Operators(ctx context.Context) (core.OperatorsView, error) {
	return ask[core.OperatorsView](ctx, c, "/v1/operators", nil)
}

// Try asks what would become of a request.
func (c *Client) Try(ctx context.Context, f cpm.FSP, o cpm.Operation) (core.Trial, error) {
	return ask[core.Trial](ctx, c, "/v1/route-trial", url.Values{"fsp": {string(f)}, "operation": {string(o)}})
}

// Apply has the CPM make a change. It destroys the change's secret. An error of kind OutcomeUnknown says that the change
// was sent and no answer came.
func (c *Client) Apply(ctx context.Context, change core.Change) (Receipt, error) {
	defer change.Secret.Destroy()
	body, err := encodeChange(change)
	defer clear(body)
	if err != nil {
		return Receipt{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cpm/v1/changes", bytes.NewReader(body))
	if err != nil {
		return Receipt{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return do[Receipt](c, r)
}

// Refresh has the CPM read configuration and keys from its database again. What is RefreshConfig or RefreshKeys.
func (c *Client) Refresh(ctx context.Context, what string) (Receipt, error) {
	body, err := json.Marshal(map[string]string{"what": what})
	if err != nil {
		return Receipt{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cpm/v1/refresh", bytes.NewReader(body))
	if err != nil {
		return Receipt{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return do[Receipt](c, r)
}

// encodeChange writes the body of a change. The secret goes into one buffer, last, so that the caller can clear it.
func encodeChange(change core.Change) ([]byte, error) {
	head, err := json.Marshal(struct {
		Action         string          `json:"action"`
		Target         string          `json:"target,omitempty"`
		Document       json.RawMessage `json:"document,omitempty"`
		ExpectRevision int64           `json:"expectRevision,omitempty"`
		RequestID      string          `json:"requestId,omitempty"`
	}{change.Action, change.Target, change.Document, change.ExpectRevision, change.RequestID})
	if err != nil {
		return nil, fault.New(fault.Invalid, "the document of the change is not JSON").Because(err)
	}
	if change.Secret.Len() == 0 {
		return head, nil
	}
	const member = `,"secret":"`
	body := make([]byte, 0, len(head)+len(member)+base64.StdEncoding.EncodedLen(change.Secret.Len())+2)
	body = append(append(body, head[:len(head)-1]...), member...)
	body = base64.StdEncoding.AppendEncode(body, change.Secret.Open(secret.Token{}))
	return append(body, `"}`...), nil
}

func ask[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var none T
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://cpm"+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return none, err
	}
	return do[T](c, r)
}

// do sends one request and reads its answer into a T.
func do[T any](c *Client, r *http.Request) (T, error) {
	var v T
	answer, err := c.http.Do(r)
	if err != nil {
		return v, c.unanswered(r, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return v, c.unanswered(r, err)
	case len(body) > maxAnswer:
		return v, fault.New(fault.TooLarge, "the answer is longer than %d bytes", maxAnswer)
	case answer.StatusCode != http.StatusOK:
		return v, ReadFault(answer.StatusCode, answer.Header, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fault.New(fault.Internal, "the answer of the CPM cannot be read; are the command line and the server of one version?").Because(err)
	}
	return v, nil
}

// unanswered says why there is no answer, and whether a change may have been made.
func (c *Client) unanswered(r *http.Request, err error) error {
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err // without the name that stands for the socket
	}
	var op *net.OpError
	dialing := errors.As(err, &op) && op.Op == "dial"
	switch {
	case dialing && errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Denied, "this user may not open the administration socket %s", c.path).Because(err)
	case dialing && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return fault.New(fault.Unavailable, "no CPM answers on the administration socket %s", c.path).Because(err)
	case dialing:
		return fault.New(fault.Unavailable, "the administration socket %s cannot be opened", c.path).Because(err)
	case r.Method == http.MethodPost:
		return fault.New(fault.OutcomeUnknown, "the change was sent and no answer came; look whether it was made before you repeat it").Because(err)
	case r.Context().Err() != nil:
		return fault.New(fault.Timeout, "stopped before the answer came").Because(err)
	}
	return fault.New(fault.Unavailable, "the CPM closed the administration socket before it answered").Because(err)
}
