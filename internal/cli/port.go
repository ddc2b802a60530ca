package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/fault"
)

const (
	// defaultAddr is the port of `cpm dev`.
	defaultAddr = "http://127.0.0.1:7800"
	// portTimeout bounds one request; the longest route timer is shorter in practice.
	portTimeout = time.Minute
	// maxPortAnswer bounds an answer: a body of 5 MiB as base64 and escapes around it.
	maxPortAnswer = 32 << 20
)

// port are the flags that lead to the Mojaloop port of a CPM.
type port struct {
	app                        *app
	addr, cert, key, authority string
}

func (a *app) portFlags(c *cobra.Command) *port {
	p := &port{app: a}
	f := c.Flags()
	f.StringVar(&p.addr, "addr", "", "URL of the Mojaloop port (default $CPM_ADDR, "+defaultAddr+")")
	f.StringVar(&p.cert, "cert", "", "PEM file with the client certificate (default $CPM_CERT)")
	f.StringVar(&p.key, "key", "", "PEM file with the certificate's private key (default $CPM_KEY)")
	f.StringVar(&p.authority, "ca", "", "PEM file with the authority of the CPM's certificate (default $CPM_CA, the system's)")
	return p
}

// url is the address of the port, checked: plain HTTP is for loopback only, since it carries payments' bodies.
func (p *port) url() (*url.URL, error) {
	u, err := url.Parse(or(p.addr, p.app.env[envAddr], defaultAddr))
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, wrongUse("the address of the Mojaloop port is a URL such as https://cpm.example:7800")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, withHint(wrongUse("plain HTTP is for 127.0.0.1 only"), "write https:// and give --cert, --key and --ca")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// tls reads the certificate and the authority. Without any of them it is nil.
func (p *port) tls() (*tls.Config, error) {
	cert, key, ca := or(p.cert, p.app.env[envCert]), or(p.key, p.app.env[envKey]), or(p.authority, p.app.env[envCA])
	if cert == "" && key == "" && ca == "" {
		return nil, nil //nolint:nilnil // no TLS settings is an answer
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, wrongUseBecause(err, "the client certificate and its key cannot be read; give both, --cert and --key")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, wrongUseBecause(err, "the file of the authority cannot be read")
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrongUse("the file of the authority has no certificate")
		}
	}
	return c, nil
}

// post sends one message to a path of the port and gives the answer's body.
func (p *port) post(ctx context.Context, path string, message []byte) ([]byte, error) {
	base, err := p.url()
	if err != nil {
		return nil, err
	}
	settings, err := p.tls()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base.String()+path, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	lacking := noteCertificateAsked(settings)
	transport := &http.Transport{TLSClientConfig: settings, DisableCompression: true, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil && lacking.Load() && cutOff(err) {
		err = errors.Join(errCertificateAsked, err)
	}
	if err != nil && base.Scheme == "http" && cutOff(err) {
		return nil, withHint(unreachable(err), "is it https://?")
	}
	if err != nil {
		return nil, unreachable(err)
	}
	defer answer.Body.Close()
	return readPort(answer)
}

// errCertificateAsked marks a connection that ended after the port asked for a certificate and got none.
var errCertificateAsked = errors.New("the port asks for a client certificate and none was given")

// noteCertificateAsked makes the handshake note that the port asks for a certificate when there is none to give. In TLS 1.3 the
// port's refusal comes after the client has begun to send, and a reset of the connection can overtake it.
func noteCertificateAsked(c *tls.Config) *atomic.Bool {
	lacking := new(atomic.Bool)
	if c != nil && len(c.Certificates) == 0 {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			lacking.Store(true)
			return new(tls.Certificate), nil
		}
	}
	return lacking
}

// cutOff finds a connection that the other side ended in the middle of the request.
func cutOff(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}

func readPort(answer *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPortAnswer+1))
	switch {
	case err != nil:
		return nil, unreachable(err)
	case len(body) > maxPortAnswer:
		return nil, fault.New(fault.TooLarge, "the answer is longer than %d bytes", maxPortAnswer)
	case answer.StatusCode != http.StatusOK:
		return nil, command.ReadFault(answer.StatusCode, answer.Header, body)
	}
	return body, nil
}

// unreachable says why the port gave no answer.
func unreachable(err error) error {
	var refused *net.OpError
	switch {
	case certificateProblem(err):
		return withHint(fault.New(fault.Unauthenticated, "the CPM and this client do not accept each other's certificates").Because(err),
			"check --cert, --key and --ca, or the host name in --addr")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "the Mojaloop port did not answer in time").Because(err)
	case errors.As(err, &refused) && refused.Op == "dial":
		return withHint(fault.New(fault.Unavailable, "no CPM answers at the address of the Mojaloop port").Because(err),
			"start one with: cpm dev, or give its address with --addr")
	}
	return fault.New(fault.Unavailable, "the Mojaloop port closed the connection").Because(err)
}

// certificateProblem finds a refusal of either side in an error of TLS.
func certificateProblem(err error) bool {
	if _, ours := errors.AsType[*tls.CertificateVerificationError](err); ours {
		return true
	}
	_, theirs := errors.AsType[tls.AlertError](err)
	return theirs || errors.Is(err, errCertificateAsked) || strings.Contains(err.Error(), "remote error: tls:")
}
