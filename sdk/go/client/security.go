package client

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
)

// identity makes the TLS configuration of a new connection.
type identity struct {
	files  Files
	given  *tls.Config
	server string
}

// config is the configuration as the files are now.
func (i *identity) config() (*tls.Config, error) {
	c := i.given.Clone()
	if c == nil {
		pair, err := tls.LoadX509KeyPair(i.files.Cert, i.files.Key)
		if err != nil {
			return nil, fmt.Errorf("client: the certificate cannot be used: %w", err)
		}
		text, err := os.ReadFile(i.files.CA)
		if err != nil {
			return nil, fmt.Errorf("client: the authorities cannot be read: %w", err)
		}
		c = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("client: the file of authorities has no certificate")
		}
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS13)
	if i.server != "" {
		c.ServerName = i.server
	}
	return c, nil
}

// print is a fingerprint of the files; a file that cannot be read has one too.
func (i *identity) print() [sha256.Size]byte {
	all := sha256.New()
	for _, name := range []string{i.files.Cert, i.files.Key, i.files.CA} {
		text, err := os.ReadFile(name)
		one := sha256.Sum256(text)
		_, _ = all.Write(one[:])
		_, _ = fmt.Fprint(all, err == nil)
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// ClientHandshake makes identity the credentials of gRPC connections: each handshake has the certificate of that time.
func (i *identity) ClientHandshake(ctx context.Context, authority string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := i.config()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, c)
}

// ServerHandshake is never called: these are a client's credentials.
func (*identity) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info describes the protocol.
func (*identity) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone gives the same: nothing in it changes.
func (i *identity) Clone() credentials.TransportCredentials { return i }

// OverrideServerName implements the interface; the name is in the Config.
func (*identity) OverrideServerName(string) error { return errors.ErrUnsupported }
