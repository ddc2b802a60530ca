package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/events"
	"github.com/mojaloop/cpm/internal/fault"
)

// flushTimeout is how long the end of a run waits for the last events to be sent.
const flushTimeout = 2 * time.Second

// forwardEvents puts the forwarding of events behind the log, if it is configured. What it returns sends the last ones.
func (s *server) forwardEvents(ctx context.Context) (flush func()) {
	t := eventTransport(s.config)
	if t == nil {
		return func() {}
	}
	s.events = events.New(ctx, events.Config{Transport: t, Next: s.log.Handler(), Now: s.options.Now})
	s.log = slog.New(s.events.Handler())
	return func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		s.events.Close(bounded)
	}
}

func eventTransport(c *config.Config) events.Transport {
	var secure events.Secure
	if c.Events.CA != "" {
		secure = func() (*tls.Config, error) { return eventTLS(c) }
	}
	switch {
	case c.Events.Sidecar != "":
		return events.NewSidecar(c.Events.Sidecar, secure)
	case c.Events.Kafka != "":
		return events.NewKafka(c.Events.Brokers(), secure)
	}
	return nil
}

// eventTLS reads the files anew for each connection, so that renewed ones are used.
func eventTLS(c *config.Config) (*tls.Config, error) {
	pem, err := os.ReadFile(c.Events.CA)
	if err != nil {
		return nil, fault.New(fault.State, "events.ca cannot be read").Because(err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.State, "events.ca holds no certificate")
	}
	t := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: authorities}
	if c.TLS.Cert != "" {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
			return &own, err
		}
	}
	return t, nil
}
