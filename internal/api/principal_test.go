package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

func uri(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTheNameIsTheFirstOfTheAlternativeNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cert x509.Certificate
		want string
	}{
		"DNS":             {x509.Certificate{DNSNames: []string{"a.example", "b.example"}}, "a.example"},
		"DNS before URI":  {x509.Certificate{URIs: []*url.URL{uri(t, "spiffe://x/y")}, DNSNames: []string{"a.example"}}, "a.example"},
		"URI":             {x509.Certificate{URIs: []*url.URL{uri(t, "spiffe://x/y"), uri(t, "spiffe://z")}}, "spiffe://x/y"},
		"subject only":    {x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}}, ""},
		"mail only":       {x509.Certificate{EmailAddresses: []string{"a@example"}}, ""},
		"wildcard":        {x509.Certificate{DNSNames: []string{"*"}}, ""},
		"space":           {x509.Certificate{DNSNames: []string{"a b"}}, ""},
		"line end":        {x509.Certificate{DNSNames: []string{"a\nb"}}, ""},
		"quote":           {x509.Certificate{DNSNames: []string{`a"b`}}, ""},
		"too long":        {x509.Certificate{DNSNames: []string{strings.Repeat("a", 256)}}, ""},
		"empty DNS first": {x509.Certificate{DNSNames: []string{"", "a.example"}}, ""},
	} {
		p, e := nameOf(&c.cert, "1.2.3.4:5")
		if p.Name != c.want || (e == nil) != (c.want != "") || p.Kind != cpm.PrincipalCertificate || p.Address != "1.2.3.4:5" {
			t.Errorf("%s: %+v %v", name, p, e)
		}
	}
}

func TestACertificateWithoutNameIsUnauthenticated(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c := h.with(h.ca.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "switch.example"}}))
	a := post(t, h.httpWith(c), h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign))
	if a.status != 401 || a.kind(t) != "unauthenticated" {
		t.Errorf("%d %s", a.status, a.body)
	}
	client := cpmv1.NewCryptographicServiceClient(h.conn(c))
	if _, err := client.Process(t.Context(), signProcess()); kindOfStatus(t, err) != "unauthenticated" || status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
	s, err := client.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); kindOfStatus(t, err) != "unauthenticated" {
		t.Error(err)
	}
}

func TestWithoutTheRightCertificateThereIsNoConnection(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	other := newAuthority(t)
	failures := 0
	for name, c := range map[string]*tls.Config{
		"no certificate": h.with(),
		"other CA":       h.with(other.client(t, "switch.example")),
		"wrong use":      h.with(h.ca.issue(t, &x509.Certificate{DNSNames: []string{"a"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})),
		"TLS 1.2": func() *tls.Config {
			c := h.with(h.ca.client(t, "switch.example"))
			c.MaxVersion = tls.VersionTLS12
			return c
		}(),
	} {
		failures++
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url("/v1/process"), strings.NewReader(sign))
		if err != nil {
			t.Fatal(err)
		}
		if res, err := h.httpWith(c).Do(r); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: HTTP %d", name, res.StatusCode)
		}
		waitFor(t, func() bool { return h.counts.read(h.counts.failed, JSON) == failures })
		if _, err := cpmv1.NewCryptographicServiceClient(h.conn(c)).Process(t.Context(), signProcess()); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: gRPC %v", name, err)
		}
	}
	waitFor(t, func() bool { return h.counts.read(h.counts.failed, GRPC) >= failures })
	if log := h.log.String(); !strings.Contains(log, "connection refused") || !strings.Contains(log, "127.0.0.1:") {
		t.Error(log)
	}
	if n := len(h.counts.outcomes()); n != 0 {
		t.Error("refused connections were counted as requests")
	}
}

func TestTicketsAreNotGiven(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c := h.with(h.ca.client(t, "switch.example"))
	c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		client := h.httpWith(c)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url("/openapi.json"), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.TLS.DidResume || res.TLS.Version != tls.VersionTLS13 {
			t.Errorf("resumed %v, version %x", res.TLS.DidResume, res.TLS.Version)
		}
		client.CloseIdleConnections()
	}
}

func TestASilentConnectionIsClosed(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.HandshakeTimeout = 50 * time.Millisecond })
	for p, address := range map[Port]string{JSON: h.json, GRPC: h.grpc} {
		c := reach(t, address)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		_ = c.Close()
		waitFor(t, func() bool { return h.counts.read(h.counts.failed, p) == 1 })
	}
}

func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Connections = 1 })
	first, firstAnswer := raw(t, h)
	waitFor(t, func() bool { return h.counts.read(h.counts.connections, JSON) == 1 })
	second := h.signs(h.http())
	waitFor(t, func() bool { return strings.Contains(h.log.String(), "no place for another connection") })
	tell(t, first, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	if a := firstAnswer(); a.status != 200 {
		t.Error(a)
	}
	if a := second(); a.status != 200 {
		t.Error(a)
	}
}

func TestThePortsNeedCertificatesOrLoopback(t *testing.T) {
	t.Parallel()
	d := New(Config{})
	for name, serve := range map[string]func(context.Context, net.Listener, *tls.Config) error{"JSON": d.ServeJSON, "gRPC": d.ServeGRPC} {
		for _, c := range []struct {
			address string
			tls     *tls.Config
			want    error
		}{
			{"0.0.0.0:0", nil, ErrNotLoopback},
			{"127.0.0.1:0", &tls.Config{}, ErrNoClientCAs},
		} {
			l, err := net.Listen("tcp", c.address)
			if err != nil {
				t.Fatal(err)
			}
			if err := serve(t.Context(), l, c.tls); !errors.Is(err, c.want) {
				t.Errorf("%s on %s: %v", name, c.address, err)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: the listener is open: %v", name, err)
			}
		}
	}
}

func TestConfigurationsMadePerConnectionAreHardened(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	lax := &tls.Config{MinVersion: tls.VersionTLS10, ClientCAs: ca.pool, ClientAuth: tls.NoClientCert, NextProtos: []string{"x"}}
	failure := errors.New("no")
	for name, c := range map[string]struct {
		outer *tls.Config
		inner *tls.Config
		err   error
		want  error
	}{
		"fresh":           {&tls.Config{}, lax, nil, nil},
		"fresh, no CAs":   {lax, &tls.Config{}, nil, ErrNoClientCAs},
		"outer":           {lax, nil, nil, nil},
		"outer, no CAs":   {&tls.Config{}, nil, nil, ErrNoClientCAs},
		"cannot be given": {lax, nil, failure, failure},
	} {
		outer := c.outer.Clone()
		outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.inner, c.err }
		hard, err := harden(outer, "h2")
		if err != nil {
			t.Fatal(err)
		}
		got, err := hard.GetConfigForClient(new(tls.ClientHelloInfo))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got == nil {
			got = hard
		}
		if got.MinVersion != tls.VersionTLS13 || got.ClientAuth != tls.RequireAndVerifyClientCert || !got.SessionTicketsDisabled || got.NextProtos[0] != "h2" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// openPlain opens a door without TLS, as `cpm dev` has it.
func openPlain(t *testing.T) (json, grpcAddress string) {
	t.Helper()
	d := New(Config{Processor: processor(echo), Metrics: newCounts(), Limits: Limits{Linger: time.Millisecond}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	var addresses []string
	for _, serve := range []func(context.Context, net.Listener, *tls.Config) error{d.ServeJSON, d.ServeGRPC} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		go func() { ended <- serve(ctx, l, nil) }()
	}
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := await(t, "the end of a port", ended); err != nil {
				t.Error(err)
			}
		}
	})
	return addresses[0], addresses[1]
}

func TestPlainHTTPIsForThisMachineAndNoBrowserPage(t *testing.T) {
	t.Parallel()
	address, _ := openPlain(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	for name, c := range map[string]struct {
		host, header, value string
		status              int
	}{
		"address":           {"127.0.0.1:" + port, "", "", 200},
		"localhost":         {"LOCALHOST:" + port, "", "", 200},
		"no port":           {"localhost", "", "", 200},
		"IPv6":              {"[::1]:" + port, "", "", 200},
		"IPv6 without port": {"[::1]", "", "", 200},
		"same origin":       {"127.0.0.1:" + port, "Origin", "http://127.0.0.1:" + port, 200},
		"by hand":           {"127.0.0.1:" + port, "Sec-Fetch-Site", "none", 200},
		"rebound name":      {"evil.example:" + port, "", "", 403},
		"name like ours":    {"localhost.evil.example", "", "", 403},
		"foreign origin":    {"127.0.0.1:" + port, "Origin", "https://evil.example", 403},
		"null origin":       {"127.0.0.1:" + port, "Origin", "null", 403},
		"cross-site":        {"127.0.0.1:" + port, "Sec-Fetch-Site", "cross-site", 403},
		"same-site":         {"127.0.0.1:" + port, "Sec-Fetch-Site", "same-site", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/fsps/f/jws/sign", strings.NewReader(sign))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		r.Header.Set("Content-Type", "application/json")
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if a := do(t, client, r); a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestLoopbackPrincipal(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.9]:1": true, "192.0.2.1:1": false, "": false, "x": false} {
		p, err := LoopbackPrincipal(&http.Request{RemoteAddr: remote, Host: "localhost"})
		if (err == nil) != want || p.Address != remote || want && (p.Kind != cpm.PrincipalLoopback || p.Name != "dev") {
			t.Errorf("%q: %+v %v", remote, p, err)
		}
	}
	if _, err := CertificatePrincipal(new(http.Request)); err == nil {
		t.Error("a request without TLS has a principal")
	}
}

func TestPlainGRPCOnLoopback(t *testing.T) {
	t.Parallel()
	_, address := openPlain(t)
	conn, err := grpc.NewClient(address, append(impatient(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	got, err := cpmv1.NewCryptographicServiceClient(conn).Process(t.Context(), signProcess())
	if err != nil || got.GetJwsSign() == nil {
		t.Error(got, err)
	}
}
