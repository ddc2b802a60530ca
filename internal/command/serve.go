package command

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Timers and bounds of a connection. A change may take changeTimeout.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = changeTimeout + 30*time.Second
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
)

// Serve opens the socket at path and answers on it until ctx is done; then it answers what it has accepted, for at most
// the drain time, and returns.
func (d *Door) Serve(ctx context.Context, path string) error {
	l, err := Open(ctx, path)
	if err != nil {
		return err
	}
	return d.ServeOn(ctx, l)
}

// ServeOn is Serve on a listener made by Open, for a server that wants to know that the socket is open before it goes
// on. It closes the listener.
func (d *Door) ServeOn(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: d, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		// Accepted requests are answered after ctx is done.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	d.log.LogAttrs(ctx, slog.LevelInfo, "the administration socket is open", obs.Event("command.open"),
		slog.String("socket", l.Addr().String()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	d.opened()
	select {
	case err := <-ended:
		return fault.New(fault.Internal, "the administration socket failed").Because(err)
	case <-ctx.Done():
	}
	err := d.end(context.WithoutCancel(ctx), s)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// end answers what was accepted and closes the socket.
func (d *Door) end(ctx context.Context, s *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, d.drain)
	defer cancel()
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = s.Close()
		return fault.New(fault.Timeout, "administration requests were still being worked on at the end of the drain time").Because(err)
	}
	d.log.LogAttrs(ctx, slog.LevelInfo, "the administration socket is closed", obs.Event("command.closed"))
	return err
}
