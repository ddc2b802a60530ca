package adapter

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// ClientConfig is what a Client is told.
type ClientConfig struct {
	// Name is the adapter's, as configured.
	Name string
	// Address is host:port.
	Address string
	// TLS gives our certificate, the authorities, and in ServerName the identity the adapter must have. It is asked for each
	// connection, so that changed files are followed.
	TLS func() (*tls.Config, error)
	// Operations and Settings are sent as the adapter's configuration.
	Operations []cpm.Operation
	Settings   []byte
	// Versions are the link versions to speak; the zero value is this build's.
	Versions Versions
	Logger   *slog.Logger
}

// Client is the core's end: a Module, a KeyHolder and Controlled. It connects by itself and again whenever the link is
// lost; until then its operations are declined.
type Client struct {
	keeper[clientLink]

	config ClientConfig
	open   opener
	late   atomic.Uint64
	shut   atomic.Bool // Shutdown was called
}

var (
	_ cpm.Module       = (*Client)(nil)
	_ cpm.KeyHolder    = (*Client)(nil)
	_ cpm.Controlled   = (*Client)(nil)
	_ cpm.Configurable = (*Client)(nil)
	_ cpm.Shared       = (*Client)(nil)
	_ cpm.Linked       = (*Client)(nil)
	_ cpm.Prompt       = (*Client)(nil)
)

// Dial makes a Client and starts connecting. It keeps to it until ctx ends or Close is called.
func Dial(ctx context.Context, c ClientConfig) *Client {
	return start(ctx, c, dialer(c.Address, c.TLS))
}

func start(ctx context.Context, c ClientConfig, open opener) *Client {
	c.Versions = c.Versions.orBuilt()
	client := &Client{config: c, open: open}
	client.party, client.address, client.logger = partyAdapter, c.Address, c.Logger.With(obs.Adapter(c.Name))
	keep(ctx, &client.keeper, client.once)
	return client
}

// once connects, greets, configures, and serves until the link ends. It tells how long the link was up.
func (c *Client) once(ctx context.Context) (time.Duration, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	timer := time.AfterFunc(greetTimeout, end)
	defer timer.Stop()
	w, err := c.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = w.close() }()
	l := newClientLink(c.config, &c.late, end)
	work, err := l.greet(w)
	if err != nil {
		return 0, err
	}
	over := make(chan error, 1)
	go func() { over <- l.serve(ctx, w.control, work) }()
	if err := l.configure(ctx, c.config); err != nil {
		end()
		return 0, errors.Join(err, <-over)
	}
	timer.Stop()
	if unable := l.unable(c.config.Operations); len(unable) > 0 {
		c.logger.LogAttrs(ctx, slog.LevelError, "the adapter cannot do all it is mandated to do; those requests are declined",
			obs.Event("adapter.unable"), slog.String("address", c.address), slog.String("operations", strings.Join(words(unable), " ")))
	}
	return c.holds(ctx, l, l.version, over)
}

// Prompt says that Do waits for an answer no longer than its context lasts.
func (c *Client) Prompt() {}

// Late is how many answers came when nobody waited for them any more.
func (c *Client) Late() uint64 { return c.late.Load() }

// InFlight is how many operations wait for the adapter, to choose the least busy of several.
func (c *Client) InFlight() int {
	l, err := c.current()
	if err != nil {
		return 0
	}
	return l.work.credit.Taken()
}

// Do performs one operation on the adapter.
func (c *Client) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if c.shut.Load() {
		return nil, fault.New(fault.Unavailable, "the adapter is shut down; ask the operator to start it")
	}
	l, err := c.current()
	if err != nil {
		return nil, err
	}
	return l.do(ctx, r)
}

// Status asks the adapter.
func (c *Client) Status(ctx context.Context) (cpm.Status, error) {
	if c.shut.Load() {
		return cpm.Status{State: cpm.Inactive}, nil
	}
	l, err := c.current()
	if err != nil {
		return cpm.Status{}, err
	}
	status, err := l.control.status(ctx)
	if err != nil {
		return cpm.Status{}, err
	}
	return statusOf(status)
}

// Put hands a key over and takes its private bytes.
func (c *Client) Put(ctx context.Context, m cpm.Material) error {
	defer m.Private.Destroy()
	l, err := c.current()
	if err != nil {
		return err
	}
	return l.put(ctx, m)
}

// Drop takes keys away. A link that is down holds none. An adapter that does not confirm by the end of ctx loses the link,
// and the keys with it.
func (c *Client) Drop(ctx context.Context, ids ...cpm.KeyID) error {
	l, err := c.current()
	if err != nil {
		return nil
	}
	return l.drop(ctx, ids)
}

// Release declines what comes, waits until what was asked is answered, and ends the link. The adapter drops our keys, and
// stays for others.
func (c *Client) Release(ctx context.Context) error {
	defer c.Close()
	c.shut.Store(true)
	l, err := c.current()
	if err != nil {
		return nil //nolint:nilerr // an adapter that is not connected has nothing of ours
	}
	l.work.rest(ctx)
	return ctx.Err()
}

// Configure has the adapter take its configuration anew (specification, "RefreshConfig").
func (c *Client) Configure(ctx context.Context, operations []cpm.Operation, settings []byte) error {
	l, err := c.current()
	if err != nil {
		return err
	}
	return l.control.configure(ctx, &cpmv1.Configure{Operations: words(operations), Settings: settings})
}

// Shutdown declines what comes, lets the adapter complete what it has and end, and then ends the link.
func (c *Client) Shutdown(ctx context.Context) error {
	defer c.Close()
	c.shut.Store(true)
	l, err := c.current()
	if err != nil {
		return nil //nolint:nilerr // an adapter that is not connected has nothing of ours
	}
	return l.shutdown(ctx)
}
