package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Config is what a Client is made of. Addresses, and either Files or TLS, are mandatory.
type Config struct {
	// Addresses are host:port of the gRPC port of one CPM or of several equal ones. A CPM that is away is not asked.
	Addresses []string
	// Files hold the client's identity; they are read again when they change.
	Files Files
	// TLS is the client's identity for those who manage it themselves, in place of Files. It must have a certificate.
	TLS *tls.Config
	// ServerName is the name in the CPM's certificate, if it is not the host of the address.
	ServerName string

	// Streams is how many streams, each with its own connection, are kept to each address; 0 is 2.
	Streams int
	// InFlight is how many requests of one stream are under way at once; further ones wait. 0 is 256, which is what a CPM
	// takes.
	InFlight int
	// Attempts is how often a request is sent at most; 0 is 4, 1 never sends again.
	Attempts int
	// NoThrottle has every request asked of a CPM, also those it would decline because it is busy. Without it, an operation of
	// an FSP that a CPM was busy for is asked for only a little more often than it is answered, and the rest is declined here.
	NoThrottle bool
	// Wait is how long a call waits for a connection when there is none; 0 is 10 seconds. The call's context may end sooner.
	Wait time.Duration
	// BatchParallel is how many items of one Batch are under way at once; 0 is 64.
	BatchParallel int

	// Dial connects to an address; nil is TCP. It is for tunnels and tests.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Logger hears of connections that are lost and of certificates that cannot be read; nil is silence. It never hears of
	// payloads.
	Logger *slog.Logger
}

// Files are PEM files.
type Files struct {
	// Cert and Key are the client's certificate, with its chain, and private key.
	Cert, Key string
	// CA holds the authorities of the CPM's certificate.
	CA string
	// Every is the pause between two looks at the files; 0 is 10 seconds.
	Every time.Duration
}

// Defaults of Config.
const (
	defaultStreams  = 2
	defaultInFlight = 256
	defaultAttempts = 4
	defaultWait     = 10 * time.Second
	defaultParallel = 64
	defaultEvery    = 10 * time.Second
)

// complete gives what is not set its default.
func (c Config) complete() (Config, error) {
	switch {
	case len(c.Addresses) == 0:
		return c, errors.New("client: Addresses is empty; name the gRPC port of a CPM, as host:port")
	case (c.TLS == nil) == (c.Files == Files{}):
		return c, errors.New("client: give either Files or TLS; a CPM knows its callers by their certificates")
	}
	for _, a := range c.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return c, errors.New("client: an address must be host:port, such as cpm.example:7801")
		}
	}
	for _, n := range []struct {
		place  *int
		preset int
	}{
		{&c.Streams, defaultStreams},
		{&c.InFlight, defaultInFlight},
		{&c.Attempts, defaultAttempts},
		{&c.BatchParallel, defaultParallel},
	} {
		if *n.place <= 0 {
			*n.place = n.preset
		}
	}
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Files.Every <= 0 {
		c.Files.Every = defaultEvery
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
