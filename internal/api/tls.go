package api

import (
	"crypto/tls"
	"errors"
)

// ErrNoClientCAs is the error of a TLS configuration without a pool to verify client certificates with: the system's
// would be taken, and everybody with a public certificate be let in.
var ErrNoClientCAs = errors.New("the Mojaloop port needs the certificates that issue its clients'")

// harden makes a server configuration of the ports out of c: TLS 1.3, a verified client certificate, one application
// protocol, and a full handshake for every connection, so that a withdrawn CA is withdrawn at once.
func harden(c *tls.Config, protocol string) (*tls.Config, error) {
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.SessionTicketsDisabled = true
	c.NextProtos = []string{protocol}
	get := c.GetConfigForClient
	if get == nil {
		return c, needsClientCAs(c)
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		fresh, err := get(hello)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			return nil, needsClientCAs(c)
		}
		fresh = fresh.Clone()
		fresh.GetConfigForClient = nil
		return harden(fresh, protocol)
	}
	return c, nil
}

func needsClientCAs(c *tls.Config) error {
	if c.ClientCAs == nil {
		return ErrNoClientCAs
	}
	return nil
}
