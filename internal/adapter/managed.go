package adapter

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
)

// ManagedConfig is what a Managed is told.
type ManagedConfig struct {
	// Name is the adapter's, as configured.
	Name string
	// Arguments are the command of this very program that serves the kind, such as "adapter ssm --managed".
	Arguments []string
	// Options go to the process, as JSON.
	Options json.RawMessage
	// Operations and Settings are sent as the adapter's configuration.
	Operations []cpm.Operation
	Settings   []byte
	Logger     *slog.Logger
	Now        func() time.Time

	stuck time.Duration // how long a process may be without a link; 0 is stuckAfter
}

// Managed is an adapter whose process this program starts, watches and starts again: a Module, a KeyHolder and Controlled.
// While the process is not there its operations are declined.
type Managed struct {
	config   ManagedConfig
	cancel   context.CancelFunc
	ended    chan struct{}
	restarts atomic.Uint64
	shut     atomic.Bool // Shutdown was called

	mu      sync.Mutex
	client  *Client       // of the present process; nil when there is none
	late    uint64        // answers that came too late from processes that are gone
	changed chan struct{} // closed and replaced when client changes
}

var (
	_ cpm.Module       = (*Managed)(nil)
	_ cpm.KeyHolder    = (*Managed)(nil)
	_ cpm.Controlled   = (*Managed)(nil)
	_ cpm.Configurable = (*Managed)(nil)
	_ cpm.Supervised   = (*Managed)(nil)
	_ cpm.Linked       = (*Managed)(nil)
	_ cpm.Prompt       = (*Managed)(nil)
)

// Supervise starts the process and keeps it running until ctx ends or Shutdown is called.
func Supervise(ctx context.Context, c ManagedConfig) *Managed {
	ctx, cancel := context.WithCancel(ctx)
	if c.stuck == 0 {
		c.stuck = stuckAfter
	}
	m := &Managed{config: c, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{})}
	go m.run(ctx)
	return m
}

// steadyChild is how long a process must have run for the next pause to be the first again: one that cannot work ends sooner,
// and starting one every two seconds costs next to nothing.
const steadyChild = 2 * time.Second

// stuckAfter is how long a process that runs may be without a link before it is killed and started anew.
const stuckAfter = 10 * time.Second

func (m *Managed) run(ctx context.Context) {
	defer close(m.ended)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := m.config.Now()
		err := m.live(ctx)
		if ctx.Err() != nil || m.shut.Load() {
			if errors.Is(err, errEnded) {
				err = nil
			}
			m.log(ctx, slog.LevelInfo, "the adapter's process has ended", "adapter.exited", obs.Err(err))
			return
		}
		ran := m.config.Now().Sub(began)
		m.log(ctx, slog.LevelError, "the adapter's process has ended by itself", "adapter.exited", obs.Err(err), obs.Duration(ran))
		if ran >= steadyChild {
			pause = firstPause
		}
		m.log(ctx, slog.LevelWarn, "the adapter's process is started again", "adapter.restarting", slog.Uint64("restarts", m.restarts.Add(1)))
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
			return
		}
	}
}

func (m *Managed) log(ctx context.Context, level slog.Level, message, event string, attrs ...slog.Attr) {
	m.config.Logger.LogAttrs(context.WithoutCancel(ctx), level, message, append([]slog.Attr{obs.Event(event), obs.Adapter(m.config.Name)}, attrs...)...) //nolint:sloglint // every caller's text is constant
}

// live is one life of the process: it is started, handed its certificate, dialled, and watched until it ends.
func (m *Managed) live(ctx context.Context) error {
	h, t, err := m.introduce()
	if err != nil {
		return err
	}
	defer h.key.Destroy()
	c, err := spawn(m.config.Arguments)
	if err != nil {
		return err
	}
	defer c.close()
	var relaying sync.WaitGroup
	relaying.Go(func() { relayLog(context.WithoutCancel(ctx), c.log, m.config.Logger, m.config.Name) })
	defer relaying.Wait()
	defer c.kill()
	address, err := c.introduced(ctx, h)
	if err != nil {
		c.kill()
		return errors.Join(err, c.err)
	}
	m.log(ctx, slog.LevelInfo, "the adapter's process has started", "adapter.started", slog.Int("pid", c.command.Process.Pid), slog.String("address", address))
	client := Dial(context.WithoutCancel(ctx), ClientConfig{
		Name: m.config.Name, Address: address, TLS: func() (*tls.Config, error) { return t, nil }, Operations: m.config.Operations,
		Settings: m.config.Settings, Logger: m.config.Logger,
	})
	defer client.Close()
	m.set(client)
	defer m.set(nil)
	return m.watch(ctx, c, client)
}

// Names of the one-off certificates.
const (
	managedCore    = "core.cpm.internal"
	managedAdapter = "adapter.cpm.internal"
)

// introduce makes an authority that lives as long as one process, and a certificate for each of the two.
func (m *Managed) introduce() (*Handover, *tls.Config, error) {
	now := m.config.Now()
	authority, err := pki.NewAuthority(now, "managed adapter")
	if err != nil {
		return nil, nil, err
	}
	ours, err := authority.Issue(now, "core", managedCore)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := authority.Issue(now, "adapter", managedAdapter)
	if err != nil {
		return nil, nil, err
	}
	key, err := theirs.KeyPEM()
	if err != nil {
		return nil, nil, err
	}
	h := &Handover{
		Name: m.config.Name, Core: managedCore, Options: m.config.Options, certificate: theirs.PEM(), authority: authority.PEM(), key: key,
	}
	return h, &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ours.TLS()}, RootCAs: authority.Pool(), ServerName: managedAdapter,
	}, nil
}

// introduced hands over and waits to hear where the process listens.
func (c *child) introduced(ctx context.Context, h *Handover) (string, error) {
	until := time.Now().Add(startTimeout)
	stop := context.AfterFunc(ctx, func() { _ = c.report.SetReadDeadline(time.Now()) })
	defer stop()
	if err := errors.Join(c.lifeline.SetWriteDeadline(until), c.report.SetReadDeadline(until)); err != nil {
		return "", err
	}
	if err := h.write(c.lifeline); err != nil {
		return "", err
	}
	return readAddress(c.report)
}

// watch returns when the process has ended, or ought to: because ctx has, or because it runs and does not answer.
func (m *Managed) watch(ctx context.Context, c *child, client *Client) error {
	for {
		err := m.linked(ctx, c, client)
		if err != nil || ctx.Err() != nil {
			return err
		}
		client.mu.Lock()
		up, changed := client.link != nil, client.changed
		client.mu.Unlock()
		if !up {
			continue
		}
		select {
		case <-changed:
		case <-c.exited:
			return exit(c)
		case <-ctx.Done():
			return nil
		}
	}
}

// linked waits for the link, as long as a process may be without one.
func (m *Managed) linked(ctx context.Context, c *child, client *Client) error {
	ctx, cancel := context.WithTimeout(ctx, m.config.stuck)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.exited:
			cancel()
		case <-stop:
		}
	}()
	err := client.Connected(ctx)
	select {
	case <-c.exited:
		return exit(c)
	default:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("it runs and does not answer: " + err.Error())
	}
	return nil
}

// errEnded is how a process ends in order.
var errEnded = errors.New("it ended without an error")

// exit is how a process ended.
func exit(c *child) error {
	if c.err != nil {
		return c.err
	}
	return errEnded
}

func (m *Managed) set(c *Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client != nil {
		m.late += m.client.Late()
	}
	m.client = c
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Managed) current() (*Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return nil, fault.New(fault.Unavailable, "the adapter's process is not running; it is being started")
	}
	return m.client, nil
}

// Connected waits until the process is there and the link to it is up, or ctx ends.
func (m *Managed) Connected(ctx context.Context) error {
	for {
		m.mu.Lock()
		client, changed := m.client, m.changed
		m.mu.Unlock()
		if client != nil {
			return client.Connected(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the adapter's process is not running").Because(ctx.Err())
		}
	}
}

// Prompt says that Do waits for an answer no longer than its context lasts.
func (m *Managed) Prompt() {}

// Up says whether the process can be reached now.
func (m *Managed) Up() bool {
	client, err := m.current()
	return err == nil && client.Up()
}

// Late is how many answers came when nobody waited for them any more.
func (m *Managed) Late() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return m.late
	}
	return m.late + m.client.Late()
}

// Restarts is how many times the process had to be started again.
func (m *Managed) Restarts() uint64 { return m.restarts.Load() }

// Do performs one operation in the process.
func (m *Managed) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	client, err := m.current()
	if err != nil {
		return nil, err
	}
	return client.Do(ctx, r)
}

// Status asks the process.
func (m *Managed) Status(ctx context.Context) (cpm.Status, error) {
	if m.shut.Load() {
		return cpm.Status{State: cpm.Inactive}, nil
	}
	client, err := m.current()
	if err != nil {
		return cpm.Status{}, err
	}
	return client.Status(ctx)
}

// Configure has the process take its configuration anew.
func (m *Managed) Configure(ctx context.Context, operations []cpm.Operation, settings []byte) error {
	client, err := m.current()
	if err != nil {
		return err
	}
	return client.Configure(ctx, operations, settings)
}

// Put hands a key over and takes its private bytes.
func (m *Managed) Put(ctx context.Context, k cpm.Material) error {
	client, err := m.current()
	if err != nil {
		k.Private.Destroy()
		return err
	}
	return client.Put(ctx, k)
}

// Drop takes keys away. A process that is not there holds none.
func (m *Managed) Drop(ctx context.Context, ids ...cpm.KeyID) error {
	client, err := m.current()
	if err != nil {
		return nil //nolint:nilerr // there is nobody who holds keys
	}
	return client.Drop(ctx, ids...)
}

// Shutdown lets the process complete what it has and end. One that has not by the end of ctx is killed.
func (m *Managed) Shutdown(ctx context.Context) error {
	m.shut.Store(true)
	defer func() { <-m.ended }()
	defer m.cancel()
	client, err := m.current()
	if err != nil {
		return nil //nolint:nilerr // there is no process
	}
	err = client.Shutdown(ctx)
	select {
	case <-m.ended:
	case <-ctx.Done():
	}
	return err
}
