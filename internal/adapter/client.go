package adapter

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// How long the client waits between attempts to connect: doubled each time, and jittered, so that the replicas of a core
// do not come back all at once.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// steadyAfter is how long a link must have been up for the next pause to be the first again. An adapter that greets and
// dies is not hammered.
const steadyAfter = time.Second

// ClientConfig is what a Client is told.
type ClientConfig struct {
	// Name is the adapter's, as configured.
	Name string
	// Address is host:port.
	Address string
	// TLS has our certificate, the authorities, and in ServerName the identity the adapter must have.
	TLS *tls.Config
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
	config ClientConfig
	open   opener
	cancel context.CancelFunc
	ended  chan struct{}
	late   atomic.Uint64

	mu      sync.Mutex
	shut    bool // Shutdown was called
	link    *clientLink
	failure error         // why the last link ended or did not come up
	changed chan struct{} // closed and replaced when link changes
}

var (
	_ cpm.Module     = (*Client)(nil)
	_ cpm.KeyHolder  = (*Client)(nil)
	_ cpm.Controlled = (*Client)(nil)
	_ cpm.Linked     = (*Client)(nil)
	_ cpm.Prompt     = (*Client)(nil)
)

// Dial makes a Client and starts connecting. It keeps to it until ctx ends or Close is called.
func Dial(ctx context.Context, c ClientConfig) *Client { return start(ctx, c, dialer(c)) }

func start(ctx context.Context, c ClientConfig, open opener) *Client {
	ctx, cancel := context.WithCancel(ctx)
	c.Versions = c.Versions.orBuilt()
	client := &Client{config: c, open: open, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{})}
	go client.run(ctx)
	return client
}

// Close ends the link and stops connecting.
func (c *Client) Close() {
	c.cancel()
	<-c.ended
}

// run keeps one link up.
func (c *Client) run(ctx context.Context) {
	defer close(c.ended)
	pause := firstPause
	for ctx.Err() == nil {
		up, err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		c.set(nil, err)
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the link to the adapter is down", obs.Event("link.down"),
			obs.Adapter(c.config.Name), slog.String("address", c.config.Address), obs.Err(err))
		if up >= steadyAfter {
			pause = firstPause
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
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
	began := time.Now()
	c.set(l, nil)
	defer c.set(nil, nil)
	c.config.Logger.LogAttrs(ctx, slog.LevelInfo, "the link to the adapter is up", obs.Event("link.up"),
		obs.Adapter(c.config.Name), slog.String("address", c.config.Address), slog.Uint64("version", uint64(l.version)))
	err = <-over
	return time.Since(began), err
}

// set tells who waits that the link is there, or is not and why.
func (c *Client) set(l *clientLink, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.failure = l, failure
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) current() (*clientLink, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil, fault.New(fault.Unavailable, "the adapter is not connected")
	}
	return c.link, nil
}

// Connected waits until the link is up, or ctx ends.
func (c *Client) Connected(ctx context.Context) error {
	for {
		c.mu.Lock()
		up, changed, failure := c.link != nil, c.changed, c.failure
		c.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the adapter is not reachable").Because(errors.Join(ctx.Err(), failure))
		}
	}
}

// Prompt says that Do waits for an answer no longer than its context lasts.
func (c *Client) Prompt() {}

// Up says whether the link is there now.
func (c *Client) Up() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil
}

// Late is how many answers came when nobody waited for them any more.
func (c *Client) Late() uint64 { return c.late.Load() }

// InFlight is how many operations wait for the adapter, to choose the least busy of several.
func (c *Client) InFlight() int {
	l, err := c.current()
	if err != nil {
		return 0
	}
	return len(l.credit)
}

// Do performs one operation on the adapter.
func (c *Client) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	if c.isShut() {
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
	if c.isShut() {
		return cpm.Status{State: cpm.Inactive}, nil
	}
	l, err := c.current()
	if err != nil {
		return cpm.Status{}, err
	}
	return l.status(ctx)
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

// Shutdown declines what comes, lets the adapter complete what it has and end, and then ends the link.
func (c *Client) Shutdown(ctx context.Context) error {
	defer c.Close()
	c.mu.Lock()
	c.shut = true
	c.mu.Unlock()
	l, err := c.current()
	if err != nil {
		return nil //nolint:nilerr // an adapter that is not connected has nothing of ours
	}
	return l.shutdown(ctx)
}

func (c *Client) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shut
}
