package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// fake is a server that answers at once: whatever it is given to sign gets the same signature, and a message verifies if it
// bears that signature and its amount is in the currency of the driver's messages.
type fake struct {
	cpmv1.UnimplementedCryptographicServiceServer

	// http and grpc are the addresses.
	http, grpc string

	// signs and verifies count operations, declined those that were declined on purpose.
	signs, verifies, declined atomic.Int64

	// declineEvery declines each n-th operation, when it is not 0, once the driver has prepared itself.
	declineEvery int64
	// prepared is the number of operations that are never declined.
	prepared int64
	// accept says yes to every verification.
	accept bool
	// spoil makes signatures that do not verify, after the preparation.
	spoil bool
	// stream takes the place of a stream's handler.
	stream func(*fake, streamServer) error
}

// fakeSignature is 256 bytes long, as that of RSA-2048.
var fakeSignature = `{"signature":"` + strings.Repeat("A", 342) + `","protectedHeader":"e30"}`

func newFake(t *testing.T) *fake {
	t.Helper()
	f := new(fake)
	web := httptest.NewServer(f.handler())
	t.Cleanup(web.Close)
	f.http = web.URL
	f.serveGRPC(t)
	return f
}

// newFakeTLS speaks TLS on both ports and also returns the configuration to trust it.
func newFakeTLS(t *testing.T) (*fake, *tls.Config) {
	t.Helper()
	f := new(fake)
	web := httptest.NewTLSServer(f.handler())
	t.Cleanup(web.Close)
	f.http = web.URL
	f.serveGRPC(t, grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	return f, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: trusted}
}

func (f *fake) serveGRPC(t *testing.T, options ...grpc.ServerOption) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	cpmv1.RegisterCryptographicServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	f.grpc = listener.Addr().String()
}

func (f *fake) operations() int64 { return f.signs.Load() + f.verifies.Load() }

// process performs one operation.
func (f *fake) process(r *cpmv1.ProcessRequest) *cpmv1.ProcessResponse {
	if r.GetJwsSign() != nil {
		f.signs.Add(1)
	} else {
		f.verifies.Add(1)
	}
	n := f.operations()
	if f.declineEvery != 0 && n > f.prepared && n%f.declineEvery == 0 {
		f.declined.Add(1)
		e := fault.New(fault.Busy, "too much at once").Message("1")
		return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Error{Error: e}}
	}
	if sign := r.GetJwsSign(); sign != nil {
		return f.sign(sign, n)
	}
	return f.verify(r.GetJwsVerify())
}

func (f *fake) sign(r *cpmv1.JwsSignRequest, n int64) *cpmv1.ProcessResponse {
	algorithm := algorithmRS256
	if strings.HasSuffix(r.GetKey().GetName(), "-ec") {
		algorithm = algorithmES256
	}
	signature := fakeSignature
	if f.spoil && n > f.prepared {
		signature = "spoilt"
	}
	return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: &cpmv1.JwsSignResponse{
		Headers:    map[string]string{headerSignature: signature, "fspiop-uri": r.GetUri()},
		Content:    &cpmv1.JwsSignResponse_Body{Body: r.GetBody()},
		Algorithm:  algorithm,
		KeyVersion: 1,
	}}}
}

func (f *fake) verify(r *cpmv1.JwsVerifyRequest) *cpmv1.ProcessResponse {
	valid := f.accept || r.GetHeaders()[headerSignature] == fakeSignature && strings.Contains(r.GetBody(), `"USD"`)
	verdict := &cpmv1.JwsVerifyResponse{Valid: proto.Bool(valid)}
	if !valid {
		verdict.Reason = "signature-mismatch"
	}
	return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsVerify{JwsVerify: verdict}}
}

// batch performs the operations one after the other.
func (f *fake) batch(r *cpmv1.BatchRequest) *cpmv1.BatchResponse {
	answer := new(cpmv1.BatchResponse)
	for _, item := range r.GetItems() {
		answer.Results = append(answer.Results, f.process(item))
	}
	return answer
}

func (f *fake) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/fsps/{fsp}/jws/sign", func(w http.ResponseWriter, r *http.Request) {
		sign := new(cpmv1.JwsSignRequest)
		if !read(w, r, sign) {
			return
		}
		respond(w, f.process(&cpmv1.ProcessRequest{Fsp: r.PathValue("fsp"), Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: sign}}))
	})
	mux.HandleFunc("POST /v1/fsps/{fsp}/jws/verify", func(w http.ResponseWriter, r *http.Request) {
		verify := new(cpmv1.JwsVerifyRequest)
		if !read(w, r, verify) {
			return
		}
		respond(w, f.process(&cpmv1.ProcessRequest{Fsp: r.PathValue("fsp"), Operation: &cpmv1.ProcessRequest_JwsVerify{JwsVerify: verify}}))
	})
	mux.HandleFunc("POST /v1/batch", func(w http.ResponseWriter, r *http.Request) {
		batch := new(cpmv1.BatchRequest)
		if read(w, r, batch) {
			send(w, http.StatusOK, f.batch(batch))
		}
	})
	return mux
}

func read(w http.ResponseWriter, r *http.Request, into proto.Message) bool {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = protojson.Unmarshal(text, into)
	}
	if err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
	}
	return err == nil
}

func respond(w http.ResponseWriter, answer *cpmv1.ProcessResponse) {
	switch result := answer.GetResult().(type) {
	case *cpmv1.ProcessResponse_Error:
		send(w, http.StatusTooManyRequests, result.Error)
	case *cpmv1.ProcessResponse_JwsSign:
		send(w, http.StatusOK, result.JwsSign)
	case *cpmv1.ProcessResponse_JwsVerify:
		send(w, http.StatusOK, result.JwsVerify)
	}
}

func send(w http.ResponseWriter, code int, m proto.Message) {
	text, err := marshal(m)
	if err != nil || !json.Valid(text) {
		http.Error(w, "not JSON", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(code)
	_, _ = w.Write(text)
}

// Process is the unary call.
func (f *fake) Process(_ context.Context, r *cpmv1.ProcessRequest) (*cpmv1.ProcessResponse, error) {
	answer := f.process(r)
	if e := answer.GetError(); e != nil {
		return nil, statusOf(e)
	}
	return answer, nil
}

// Batch is the unary call of many operations.
func (f *fake) Batch(_ context.Context, r *cpmv1.BatchRequest) (*cpmv1.BatchResponse, error) {
	return f.batch(r), nil
}

// Stream answers in any order, unless the test has its own way.
func (f *fake) Stream(s streamServer) error {
	if f.stream != nil {
		return f.stream(f, s)
	}
	var sending sync.Mutex
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answering.Go(func() {
			answer := f.process(r.GetRequest())
			sending.Lock()
			defer sending.Unlock()
			_ = s.Send(&cpmv1.StreamResponse{Id: r.GetId(), Response: answer})
		})
	}
}

type streamServer = grpc.BidiStreamingServer[cpmv1.StreamRequest, cpmv1.StreamResponse]

func statusOf(e *cpmv1.Error) error {
	s, err := status.New(codes.ResourceExhausted, "busy").WithDetails(e)
	if err != nil {
		return err
	}
	return s.Err()
}
