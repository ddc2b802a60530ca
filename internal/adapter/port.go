package adapter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

// PortConfig is what a Port is told.
type PortConfig struct {
	// Type of the adapters that may dial this port, such as "command".
	Type     string
	Logger   *slog.Logger
	Versions Versions
	// Attach decides whether an adapter of that name, with a certificate of these names, may attach; the service is the
	// link to it. The settings it gives are what the adapter is configured with before anything else.
	Attach func(ctx context.Context, name string, identities []string, s cpm.Service) (*Attachment, error)
	// Handle answers what the adapter asks.
	Handle func(ctx context.Context, adapterName string, o cpm.Operation, requestID string, payload []byte) ([]byte, error)
}

// Attachment is an adapter that has been let in.
type Attachment struct {
	// Settings are the adapter's, as JSON, of the configuration's Revision.
	Settings []byte
	Revision int64
	// Detach is called once, when the link is gone; it may be nil.
	Detach func()
}

// Bounds of one port: its links, and what one of them may ask at once.
const (
	maxAttached = 64
	askCredit   = 64
)

// Port answers links that adapters dial. It is the core's end.
type Port struct {
	listening

	config PortConfig
	links  roll[portLink]
}

// NewPort makes a Port.
func NewPort(c PortConfig) *Port {
	c.Versions = c.Versions.orBuilt()
	return &Port{config: c, links: newRoll[portLink](maxAttached)}
}

// Serve answers links on l until ctx ends. Then it answers what has been asked and ends the links; the adapters stay and
// look for the next CPM.
func (p *Port) Serve(ctx context.Context, l net.Listener, t *tls.Config) error {
	return p.serve(ctx, l, t, maxAsk, p, p.drain)
}

func (p *Port) drain(ctx context.Context) {
	var group sync.WaitGroup
	for _, l := range p.links.all() {
		group.Go(func() {
			l.intake.complete(ctx)
			l.stop()
		})
	}
	group.Wait()
}

// Control greets an adapter and asks it questions.
func (p *Port) Control(stream grpc.BidiStreamingServer[cpmv1.ControlFrame, cpmv1.ControlFrame]) error {
	key, _, certificate, err := caller(stream.Context())
	if err != nil {
		p.refused(stream.Context(), err)
		return status(err)
	}
	return status(p.control(key, identitiesOf(certificate), stream))
}

// Work answers what the adapter asks. Its Control stream must be there first.
func (p *Port) Work(stream grpc.BidiStreamingServer[cpmv1.WorkFrame, cpmv1.WorkFrame]) error {
	key, _, _, err := caller(stream.Context())
	if err != nil {
		return status(err)
	}
	return status(p.work(key, stream))
}

// maxIdentities bounds the names that are looked at in one certificate.
const maxIdentities = 64

// identitiesOf are the names of a verified certificate: DNS names and URIs.
func identitiesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return names[:min(len(names), maxIdentities)]
}

func (p *Port) refused(ctx context.Context, err error) {
	p.config.Logger.LogAttrs(ctx, slog.LevelWarn, "an adapter was refused", obs.Event("link.refused"), slog.String("type", p.config.Type), obs.Err(err))
}

func (p *Port) control(key string, identities []string, stream controlStream) error {
	l := newPortLink(stream.Context(), p, key)
	defer p.leave(l)
	timer := time.AfterFunc(greetTimeout, l.stop)
	defer timer.Stop()
	return converse(l.ctx, &p.reading, stream, l.control.out, func() error {
		if err := l.greet(stream, identities); err != nil {
			p.refused(l.ctx, err)
			return err
		}
		p.reading.Go(func() {
			if l.begin() {
				timer.Stop()
			}
		})
		return l.control.read(stream)
	})
}

func (p *Port) work(key string, stream workStream) error {
	l := p.links.find(key)
	if l == nil || !l.join() {
		return errNotGreeted()
	}
	defer l.stop()
	out := newOutbox[*cpmv1.WorkFrame](askCredit)
	return converse(l.ctx, &p.reading, stream, out, func() error { return l.intake.read(stream, out) })
}

// leave ends a link.
func (p *Port) leave(l *portLink) {
	entered := p.links.leave(l.key, l)
	l.stop()
	l.control.asked.close()
	l.detach()
	if entered {
		p.config.Logger.LogAttrs(context.WithoutCancel(l.ctx), slog.LevelInfo, "an adapter is gone", obs.Event("link.down"), obs.Adapter(l.name))
	}
}
