package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// backstop ends a request whose answer is stuck for whatever reason; every answer has its own, shorter deadline.
const backstop = 10 * time.Minute

// ServeJSON serves HTTPS JSON (HTTP/1.1) on l until ctx is done or Drain was called, drains, and returns nil when every
// accepted request has been answered. c must name the CAs of clients; TLS 1.3 and a client certificate are demanded
// whatever else it says. Without c the port speaks plain HTTP, which is an error unless l is on loopback.
func (d *Door) ServeJSON(ctx context.Context, l net.Listener, c *tls.Config) error {
	n, err := d.listen(ctx, JSON, l, c, "http/1.1")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer n.end()
	caller := CertificatePrincipal
	if c == nil {
		caller = LoopbackPrincipal
	}
	requests, done := d.untilCut(ctx)
	defer done()
	s := d.jsonServer(requests, d.Handler(caller))
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(n) }()
	if err := d.drainAfter(ctx, failed); err != nil {
		return errors.Join(err, d.closeJSON(ctx, s))
	}
	return d.closeJSON(ctx, s)
}

func (d *Door) jsonServer(ctx context.Context, h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      h,
		Protocols:                    protocols,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            d.limits.HeaderTimeout,
		ReadTimeout:                  d.limits.ReadTimeout,
		WriteTimeout:                 backstop,
		IdleTimeout:                  d.limits.IdleTimeout,
		MaxHeaderBytes:               d.limits.HeaderBytes,
		ErrorLog:                     slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnContext:                  rememberPace,
	}
}

// closeJSON closes idle connections, waits for answers still being written, and then closes what is left: connections on
// which no request was accepted.
func (d *Door) closeJSON(ctx context.Context, s *http.Server) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.Shutdown(bounded); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
