package nemesis

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/ssm"
)

// startDawdler serves links in this process, with modules that take their time and do not look at the deadline.
func (w *world) startDawdler() {
	w.t.Helper()
	leaf, err := w.Authority.Issue(time.Now(), "dawdler", "ssm.example")
	must(w.t, err)
	s := adapter.NewServer(adapter.ServerConfig{
		Name: adapterName, Allowed: []string{"localhost"}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		New: func(operations []cpm.Operation, _ []byte) (cpm.Module, error) {
			return &dawdling{Module: ssm.New(ssm.Config{Mandated: operations, HeavyWorkers: 1, Now: time.Now}), late: &w.late}, nil
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.dawdler = l.Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- s.Serve(ctx, l, &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{leaf.TLS()}, ClientCAs: w.Authority.Pool(),
			ClientAuth: tls.RequireAndVerifyClientCert,
		})
	}()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

// dawdling is a software module whose answers come in another order, one in ten after the timer.
type dawdling struct {
	*ssm.Module
	late *atomic.Int64
}

// Do answers some time later.
func (d *dawdling) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	result, err := d.Module.Do(ctx, r)
	pause := rand.N(80 * time.Millisecond)
	if rand.IntN(10) == 0 {
		pause = timer + rand.N(timer)
		d.late.Add(1)
	}
	time.Sleep(pause)
	return result, err
}
