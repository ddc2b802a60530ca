package client

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// Client performs operations. Its methods may be called from any number of goroutines.
type Client struct {
	config   Config
	identity *identity
	codec    codec
	safe     map[string]bool
	lanes    []*lane
	throttle throttle
	// ids are never used again, on no stream: an answer that is late cannot be taken for another one.
	ids atomic.Uint64

	stop    context.CancelFunc
	stopped <-chan struct{} // closed by stop: no attempt begins any more
	running sync.WaitGroup

	mu      sync.Mutex    // guards what follows
	up      chan struct{} // closed, and made anew, when there is a new stream
	trouble error         // why the last connection was lost
	closed  chan struct{} // closed by Close
	calls   int
	empty   chan struct{} // closed when the client is closed and no call is under way
}

// New makes a Client and starts to connect. It does not wait for a connection, see Ready. The error says what is wrong with
// the Config, or that its files cannot be used.
func New(c Config) (*Client, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	k := &Client{
		config: c, identity: &identity{files: c.Files, given: c.TLS, server: c.ServerName},
		up: make(chan struct{}), closed: make(chan struct{}), empty: make(chan struct{}), safe: retrySafe(),
	}
	if k.codec, err = newCodec(); err != nil {
		return nil, err
	}
	seen := k.identity.print()
	if _, err := k.identity.config(); err != nil {
		return nil, err
	}
	// No caller's context: the connections serve every caller and live until Close, whereas a context handed to New is often
	// one of a start-up that is soon over, and would take everybody's calls with it.
	ctx, stop := context.WithCancel(context.Background())
	k.stop, k.stopped = stop, ctx.Done()
	for i := range c.Streams * len(c.Addresses) {
		l := &lane{client: k, address: c.Addresses[i%len(c.Addresses)], renew: make(chan struct{}, 1)}
		k.lanes = append(k.lanes, l)
		k.running.Go(func() { l.run(ctx) })
	}
	if c.TLS == nil {
		k.running.Go(func() { k.watch(ctx, seen) })
	}
	return k, nil
}

// Ready waits until there is a connection. Its error says why there is none yet.
func (c *Client) Ready(ctx context.Context) error {
	for {
		changed := c.next()
		if c.pick(nil) != nil {
			return nil
		}
		select {
		case <-changed:
		case <-c.closed:
			return errClosed()
		case <-ctx.Done():
			e := ended(ctx)
			e.Text = "there is no connection to the CPM"
			if trouble := c.lastTrouble(); trouble != nil {
				e.Text += ": " + trouble.Error()
			}
			return e
		}
	}
}

// Close declines new calls, waits for those under way and closes the connections. When ctx ends first, calls under way get
// an error of kind Unavailable, and its error is returned.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	select {
	case <-c.closed:
	default:
		close(c.closed)
		if c.calls == 0 {
			close(c.empty)
		}
	}
	c.mu.Unlock()
	var err error
	select {
	case <-c.empty:
	case <-ctx.Done():
		err = ended(ctx)
	}
	c.stop()
	c.running.Wait()
	return err
}

// enter counts a call, unless the client is closed.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false
	default:
		c.calls++
		return true
	}
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls--
	select {
	case <-c.closed:
		if c.calls == 0 {
			close(c.empty)
		}
	default:
	}
}

func errClosed() *Error { return newError(Closed, "the client is closed", nil) }

// next is closed when there is a new stream.
func (c *Client) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

func (c *Client) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.up)
	c.up = make(chan struct{})
}

func (c *Client) lastTrouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}

// pick is the stream with the fewest requests under way, one to another address than avoid if there is any; nil without any.
func (c *Client) pick(avoid *lane) *lane {
	var best *lane
	load := 0
	for _, l := range c.lanes {
		s := l.current.Load()
		if s == nil || s.retired.Load() {
			continue
		}
		n := len(s.window)
		if avoid != nil && l.address == avoid.address {
			n += c.config.InFlight
		}
		if best == nil || n < load {
			best, load = l, n
		}
	}
	return best
}

// watch asks for new connections when the files have changed and can be used.
func (c *Client) watch(ctx context.Context, seen [32]byte) {
	for sleep(ctx, c.config.Files.Every) {
		now := c.identity.print()
		if now == seen {
			continue
		}
		if _, err := c.identity.config(); err != nil {
			// Perhaps one of two files is written already. The connections stay as they are.
			c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the certificate has changed and cannot be used", slog.String("error", err.Error()))
			continue
		}
		seen = now
		for _, l := range c.lanes {
			select {
			case l.renew <- struct{}{}:
			default: // asked for already
			}
		}
	}
}

// traceKey finds the traceparent in a context.
type traceKey struct{}

// WithTraceparent gives the calls made with the context their place in a distributed trace (W3C Trace Context).
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// Result is what became of an item of a Batch: a response, or an *Error.
type Result struct {
	Response *cpmv1.ProcessResponse
	Err      error
}

// Batch performs many requests, Config.BatchParallel at once, each by itself: with its own retries and its own result, in the
// order asked. There is no limit to how many they are.
func (c *Client) Batch(ctx context.Context, requests []*cpmv1.ProcessRequest) []Result {
	results := make([]Result, len(requests))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(len(requests), c.config.BatchParallel) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				results[i].Response, results[i].Err = c.Do(ctx, requests[i])
			}
		})
	}
	workers.Wait()
	return results
}
