package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// processor is a Processor that a test scripts; without a script it signs with an answer of ordinary size.
type processor func(ctx context.Context, r *cpm.Request) (*cpm.Result, error)

func (p processor) Process(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	return p(ctx, r)
}

// signed is the answer of echo to a signing request.
func signed(r *cpmv1.JwsSignRequest) *cpmv1.JwsSignResponse {
	return &cpmv1.JwsSignResponse{
		Headers: map[string]string{
			"fspiop-signature":   `{"signature":"c2lnbmF0dXJl","protectedHeader":"cHJvdGVjdGVk"}`,
			"fspiop-uri":         r.GetUri(),
			"fspiop-http-method": r.GetMethod(),
		},
		Content:   &cpmv1.JwsSignResponse_Body{Body: r.GetBody()},
		Algorithm: "ES256", KeyVersion: 1, Key: &cpmv1.KeyIdentity{Id: "00112233445566778899aabbccddeeff", Name: "k", Version: 1},
	}
}

// echo answers every operation with a message of its own kind: a signature shows what was asked, a verification is not
// valid, and what is not looked at by tests is empty.
func echo(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
	switch m := r.Payload.Message.(type) {
	case *cpmv1.JwsSignRequest:
		return &cpm.Result{Payload: cpm.Payload{Message: signed(m)}}, nil
	case *cpmv1.JwsVerifyRequest:
		no := false
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsVerifyResponse{
			Valid: &no, Reason: "key-unknown", ErrorInformation: fault.SignatureInformation("key-unknown"),
		}}}, nil
	}
	for _, row := range cpm.Operations() {
		if row.Operation == r.Operation {
			return &cpm.Result{Payload: cpm.Payload{Message: row.NewResponse()}}, nil
		}
	}
	return nil, fmt.Errorf("%q is not an operation", r.Operation)
}

// counts is a Metrics that remembers.
type counts struct {
	mu          sync.Mutex
	answers     []Answer
	inFlight    map[Port]int
	connections map[Port]int
	failed      map[Port]int
	paused      map[Port]int
	pausedFor   map[Port]time.Duration
}

func newCounts() *counts {
	return &counts{
		inFlight: map[Port]int{}, connections: map[Port]int{}, failed: map[Port]int{},
		paused: map[Port]int{}, pausedFor: map[Port]time.Duration{},
	}
}

func (c *counts) Answered(a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, a)
}

func (c *counts) InFlight(p Port, delta int) { c.add(c.inFlight, p, delta) }

func (c *counts) Connections(p Port, delta int) { c.add(c.connections, p, delta) }

func (c *counts) HandshakeFailed(p Port) { c.add(c.failed, p, 1) }

func (c *counts) Paused(p Port, delta int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused[p] += delta
	c.pausedFor[p] += took
}

// pauses are how many connections are paused now, and for how long some were.
func (c *counts) pauses(p Port) (now int, so time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused[p], c.pausedFor[p]
}

func (c *counts) add(m map[Port]int, p Port, delta int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[p] += delta
}

func (c *counts) read(m map[Port]int, p Port) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m[p]
}

// outcomes are the kinds of the answers so far, "ok" for results.
func (c *counts) outcomes() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for _, a := range c.answers {
		if a.Declined {
			out[a.Kind.String()]++
		} else {
			out["ok"]++
		}
	}
	return out
}

// logged collects the log.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	c := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// client issues a client certificate with a DNS name.
func (a *authority) client(t testing.TB, names ...string) tls.Certificate {
	return a.issue(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// server is the TLS configuration of a port for 127.0.0.1.
func (a *authority) server(t testing.TB) *tls.Config {
	c := a.issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return &tls.Config{Certificates: []tls.Certificate{c}, ClientCAs: a.pool}
}

// house is a door with both ports open on loopback.
type house struct {
	*Door
	t          testing.TB
	ca         *authority
	counts     *counts
	log        *logged
	json, grpc string
	stop       context.CancelFunc
	served     ports
}

// open opens a door; it is closed, and drained, when the test ends.
func open(t testing.TB, p processor, change ...func(*Config)) *house {
	t.Helper()
	return openAt(t, loopbackPort(t), loopbackPort(t), p, change...)
}

func loopbackPort(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// openAt is open with the listeners of both ports.
func openAt(t testing.TB, json, grpc net.Listener, p processor, change ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, ca: newAuthority(t), counts: newCounts(), log: &logged{}}
	c := Config{Processor: p, Metrics: h.counts, Logger: slog.New(slog.NewJSONHandler(h.log, nil))}
	c.Limits.Linger = time.Millisecond
	for _, f := range change {
		f(&c)
	}
	h.Door = New(c)
	ctx, stop := context.WithCancel(t.Context())
	h.stop, h.served.t = stop, t
	h.json = h.serve(ctx, json, h.ServeJSON)
	h.grpc = h.serve(ctx, grpc, h.ServeGRPC)
	t.Cleanup(h.close)
	return h
}

func (h *house) serve(ctx context.Context, l net.Listener, serve func(context.Context, net.Listener, *tls.Config) error) string {
	secrets := h.ca.server(h.t)
	h.served.Go(func() {
		if err := serve(ctx, l, secrets); err != nil {
			h.t.Error(err)
		}
	})
	return l.Addr().String()
}

// close ends both ports and checks that nothing is left.
func (h *house) close() {
	h.stop()
	h.served.Wait()
	for _, p := range []Port{JSON, GRPC} {
		if n := h.counts.read(h.counts.inFlight, p); n != 0 {
			h.t.Errorf("%d requests in flight on %s", n, p)
		}
		if n := h.counts.read(h.counts.connections, p); n != 0 {
			h.t.Errorf("%d connections open on %s", n, p)
		}
	}
	if n := h.reading.Taken(); n != 0 {
		h.t.Errorf("%d bytes of requests are still reserved", n)
	}
	if n := h.calls.Taken(); n != 0 {
		h.t.Errorf("%d calls are still open", n)
	}
}

// with gives the client side of mutual TLS.
func (h *house) with(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: h.ca.pool, Certificates: certs}
}

// http is a client with the certificate of "switch.example".
func (h *house) http() *http.Client { return h.httpWith(h.with(h.ca.client(h.t, "switch.example"))) }

func (h *house) httpWith(c *tls.Config) *http.Client {
	t := &http.Transport{TLSClientConfig: c}
	h.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: h.patience()}
}

func (h *house) url(path string) string { return "https://" + h.json + path }

// tell writes to a connection.
func tell(t testing.TB, w io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		t.Fatal(err)
	}
}

// dial is a gRPC client with the certificate of "switch.example".
func (h *house) dial() cpmv1.CryptographicServiceClient {
	return cpmv1.NewCryptographicServiceClient(h.conn(h.with(h.ca.client(h.t, "switch.example"))))
}

func (h *house) conn(c *tls.Config) *grpc.ClientConn {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(c)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)),
	}
	if h.patience() > 0 {
		options = append(options, impatient()...)
	}
	conn, err := grpc.NewClient(h.grpc, options...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// equal compares messages.
func equal(t testing.TB, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
