// Package probe is the door for those who watch a CPM: liveness, readiness and start-up probes, Mojaloop's health page
// and the metrics, over plain HTTP on a port of its own. It answers anybody who reaches it and takes nothing but GET, so
// it says no more than one line of public text about what is wrong.
package probe

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"github.com/mojaloop/cpm/internal/obs"
)

// Bounds of the door. A probe is one small GET, so they are narrow.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 5 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = 30 * time.Second
	maxHeader      = 8 << 10
	maxConnections = 128
	drainTimeout   = 2 * time.Second
	maxScrapes     = 4
	scrapeTimeout  = 10 * time.Second
)

// Health is what the door asks. The methods are called for each request, by several goroutines, and must answer at once
// from memory. nil is good; of an error only the public text of a fault.Error is shown, in one line.
type Health interface {
	// Live fails when only a restart of the process can help. A dependency that is away is no reason.
	Live() error
	// Ready fails while no new requests should be sent here.
	Ready() error
	// Started fails until the start is complete, and never afterwards.
	Started() error
	// Services are the parts the health page names.
	Services() []Service
}

// Service is one part on Mojaloop's health page, such as datastore.
type Service struct {
	Name string
	OK   bool
}

// Config is what a Door needs.
type Config struct {
	Health   Health
	Registry prometheus.Gatherer
	// Version is versionNumber on the health page.
	Version string
	// Start is when the process started.
	Start time.Time
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Door answers the probes.
type Door struct {
	c   Config
	mux *http.ServeMux
}

// New makes a Door.
func New(c Config) *Door {
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Door{c: c, mux: http.NewServeMux()}
	d.mux.Handle("GET /livez", d.probe(c.Health.Live))
	d.mux.Handle("GET /readyz", d.probe(c.Health.Ready))
	d.mux.Handle("GET /startupz", d.probe(c.Health.Started))
	d.mux.HandleFunc("GET /health", d.health)
	d.mux.Handle("GET /metrics", d.metrics())
	return d
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	d.mux.ServeHTTP(w, r)
}

// Serve answers on l until ctx ends; then it completes what it has begun, for two seconds at most, and returns nil. It
// closes l.
func (d *Door) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(d.c.Log.Handler(), obs.LevelWarn),
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		d.shutdown(ctx, s)
	})
	err := s.Serve(netutil.LimitListener(l, maxConnections))
	if stop() {
		return err // the listener failed by itself
	}
	<-done
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown drains s with a clock of its own: ctx has ended already.
func (d *Door) shutdown(ctx context.Context, s *http.Server) {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.Shutdown(drain); err != nil {
		d.c.Log.WarnContext(drain, "probe requests were cut off at shutdown", obs.Component("probe"), obs.Event("probe.cut-off"), obs.Err(err))
		_ = s.Close()
	}
}
