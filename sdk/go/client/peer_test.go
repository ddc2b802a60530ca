package client_test

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/sdk/go/client"
)

// peer is the other end of the protocol as a test scripts it: it sees what is sent and answers what it likes.
type peer struct {
	cpmv1.UnimplementedCryptographicServiceServer

	answer func(stream cpmv1.CryptographicService_StreamServer, r *cpmv1.StreamRequest) error

	mu  sync.Mutex
	ids map[uint64]int
}

func (p *peer) Stream(stream cpmv1.CryptographicService_StreamServer) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the caller has no more
		}
		p.mu.Lock()
		p.ids[r.GetId()]++
		p.mu.Unlock()
		if err := p.answer(stream, r); err != nil {
			return err
		}
	}
}

// converse gives a client of a peer.
func converse(
	t *testing.T, answer func(cpmv1.CryptographicService_StreamServer, *cpmv1.StreamRequest) error, change ...func(*client.Config),
) (*client.Client, *peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	return converseAt(t, l, answer, change...)
}

// converseAt is converse with a peer that listens at l.
func converseAt(
	t *testing.T, l net.Listener, answer func(cpmv1.CryptographicService_StreamServer, *cpmv1.StreamRequest) error, change ...func(*client.Config),
) (*client.Client, *peer) {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now(), "test")
	fatal(t, err)
	server, err := authority.Issue(time.Now(), "cpm", "localhost")
	fatal(t, err)
	caller, err := authority.Issue(time.Now(), "client", "switch.example")
	fatal(t, err)
	dir := t.TempDir()
	fatal(t, authority.Write(dir, "ca"))
	fatal(t, caller.Write(dir, "client"))
	p := &peer{answer: answer, ids: map[uint64]int{}}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server.TLS()}, ClientCAs: authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	})))
	cpmv1.RegisterCryptographicServiceServer(s, p)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	c := client.Config{
		Addresses: []string{l.Addr().String()}, ServerName: "localhost", Streams: 1, Wait: 5 * time.Second,
		Files: client.Files{Cert: filepath.Join(dir, "client.pem"), Key: filepath.Join(dir, "client.key"), CA: filepath.Join(dir, "ca.pem")},
	}
	for _, f := range change {
		f(&c)
	}
	k, err := client.New(c)
	fatal(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = k.Close(ctx)
	})
	return k, p
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// requests is how many requests came, and whether every id was another one.
func (p *peer) requests(t *testing.T) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, n := range p.ids {
		if n != 1 || id == 0 {
			t.Errorf("id %d came %d times", id, n)
		}
	}
	return len(p.ids)
}

func decline(id uint64, e *fault.Error) *cpmv1.StreamResponse {
	return &cpmv1.StreamResponse{Id: id, Response: &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Error{Error: e.Message("r-1")}}}
}
