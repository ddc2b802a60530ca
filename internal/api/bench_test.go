package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

// quote is a body of ordinary size.
const quote = `{"quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6","transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14","payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"15295558888","fspId":"payeefsp"}},"payer":{"personalInfo":{"complexName":{"firstName":"Mats","lastName":"Hagman"},"dateOfBirth":"1983-10-25"},"partyIdInfo":{"partyIdType":"IBAN","partyIdentifier":"SE4550000000058398257466","fspId":"payerfsp"}},"amountType":"RECEIVE","amount":{"amount":"100","currency":"USD"},"transactionType":{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"},"note":"From Mats","expiration":"2017-11-15T22:17:28.985-01:00"}`

func signRequest() *cpmv1.JwsSignRequest {
	return &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Content: &cpmv1.JwsSignRequest_Body{Body: quote},
		Headers: map[string]string{
			"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT",
			"content-type": "application/vnd.interoperability.quotes+json;version=1.0",
			"accept":       "application/vnd.interoperability.quotes+json;version=1",
		},
	}
}

func signProcess() *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: signRequest()}}
}

func BenchmarkDecodeJSON(b *testing.B) {
	l := DefaultLimits()
	s := newShapes(newOperations(), &l).processRequest
	in, err := protojson.Marshal(signProcess())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e := decodeJSON(in, s, new(cpmv1.ProcessRequest)); e != nil {
				b.Fatal(e)
			}
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := protojson.Unmarshal(in, new(cpmv1.ProcessRequest)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("binary", func(b *testing.B) {
		in, _ := proto.Marshal(signProcess())
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(in, new(cpmv1.ProcessRequest)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncodeJSON(b *testing.B) {
	l := DefaultLimits()
	s := newShapes(newOperations(), &l).processRequest
	var out []byte
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if out, err = appendJSON(out[:0], s, signProcess()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if out, err = (protojson.MarshalOptions{}).MarshalAppend(out[:0], signProcess()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// idle is a door whose Processor answers at once.
func idle() *Door {
	answer := &cpm.Result{Payload: cpm.Payload{Message: signed(signRequest())}}
	return New(Config{Processor: processor(func(context.Context, *cpm.Request) (*cpm.Result, error) { return answer, nil })})
}

func batchOf(n int) *cpmv1.BatchRequest {
	in := &cpmv1.BatchRequest{}
	for range n {
		in.Items = append(in.Items, signProcess())
	}
	return in
}

// cpuTime is the processor time of this process, both sides of a connection.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perItem reports time, processor time and allocations for each of n items of an operation of the benchmark.
func perItem(b *testing.B, n int, run func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, ops := cpuTime(b), 0
	for b.Loop() {
		run()
		ops++
	}
	runtime.ReadMemStats(&after)
	items := float64(ops * n)
	b.ReportMetric(float64(b.Elapsed())/items, "ns/item")
	b.ReportMetric(float64(cpuTime(b)-cpu)/items, "cpu-ns/item")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/items, "allocs/item")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRawES256 is what the figures are compared with.
func BenchmarkRawES256(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte(quote))
	perItem(b, 1, func() {
		if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkDoor is the door alone, without connections: decode, process, encode.
func BenchmarkDoor(b *testing.B) {
	d := idle()
	h := d.Handler(func(*http.Request) (cpm.Principal, error) { return cpm.Principal{Name: "bench"}, nil })
	serve := func(b *testing.B, path string, n int, in proto.Message) {
		body, err := protojson.Marshal(in)
		if err != nil {
			b.Fatal(err)
		}
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, path, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w := &discarding{header: http.Header{}}
		perItem(b, n, func() {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			if h.ServeHTTP(w, r); w.status != 200 {
				b.Fatal(w.status)
			}
		})
	}
	b.Run("JSON", func(b *testing.B) { serve(b, "/v1/fsps/payerfsp/jws/sign", 1, signRequest()) })
	b.Run("JSONBatch100", func(b *testing.B) { serve(b, "/v1/batch", 100, batchOf(100)) })
	b.Run("GRPC", func(b *testing.B) {
		in, err := proto.Marshal(&cpmv1.StreamRequest{Id: 1, Request: signProcess()})
		if err != nil {
			b.Fatal(err)
		}
		perItem(b, 1, func() {
			q := d.begin(GRPC, "id", cpm.Principal{}, &pace{})
			var r cpmv1.StreamRequest
			if e := d.decode(&frame{data: mem.SliceBuffer(in)}, d.limits.Message, d.shapes.streamRequest, &r); e != nil {
				b.Fatal(e)
			}
			out, e := d.processEnvelope(b.Context(), &q, r.GetRequest())
			if e != nil {
				b.Fatal(e)
			}
			data, err := seal(&cpmv1.StreamResponse{Id: r.GetId(), Response: out}, d.buffers)
			if err != nil {
				b.Fatal(err)
			}
			data.Free()
		})
	})
}

// discarding is a ResponseWriter whose answers nobody reads.
type discarding struct {
	header http.Header
	status int
}

func (w *discarding) Header() http.Header              { return w.header }
func (w *discarding) WriteHeader(status int)           { w.status = status }
func (w *discarding) SetReadDeadline(time.Time) error  { return nil }
func (w *discarding) SetWriteDeadline(time.Time) error { return nil }
func (w *discarding) Write(p []byte) (int, error)      { return len(p), nil }

// BenchmarkPorts are the ports over TLS on loopback, with the client in the same process: processor time is that of both
// sides.
func BenchmarkPorts(b *testing.B) {
	answer := &cpm.Result{Payload: cpm.Payload{Message: signed(signRequest())}}
	h := open(b, func(context.Context, *cpm.Request) (*cpm.Result, error) { return answer, nil }, func(c *Config) { c.Metrics = nil })
	h.counts = newCounts()
	b.Run("JSON", func(b *testing.B) { benchmarkHTTP(b, h, "/v1/fsps/payerfsp/jws/sign", 1, signRequest()) })
	b.Run("JSONBatch100", func(b *testing.B) { benchmarkHTTP(b, h, "/v1/batch", 100, batchOf(100)) })
	client := h.dial()
	b.Run("GRPC", func(b *testing.B) {
		in := signProcess()
		perItem(b, 1, func() {
			if _, err := client.Process(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("GRPCBatch100", func(b *testing.B) {
		in := batchOf(100)
		perItem(b, 100, func() {
			if _, err := client.Batch(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("Stream", func(b *testing.B) { benchmarkStream(b, h) })
}

// benchmarkHTTP sends the same bytes again and again over one connection; the client costs little.
func benchmarkHTTP(b *testing.B, h *house, path string, n int, in proto.Message) {
	body, err := protojson.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	c, err := (&tls.Dialer{Config: h.with(h.ca.client(b, "switch.example"))}).DialContext(b.Context(), "tcp", h.json)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	answers := bufio.NewReader(c)
	perItem(b, n, func() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil || res.StatusCode != 200 {
			b.Fatal(res, err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
	})
}

// benchmarkStream keeps 64 requests under way on one stream.
func benchmarkStream(b *testing.B, h *house) {
	const ahead, round = 64, 256
	conn := h.conn(h.with(h.ca.client(b, "switch.example")))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		cpmv1.CryptographicService_Stream_FullMethodName, grpc.ForceCodec(messageCodec{}))
	if err != nil {
		b.Fatal(err)
	}
	request, err := proto.Marshal(signProcess())
	if err != nil {
		b.Fatal(err)
	}
	id := uint64(0)
	places := make(chan struct{}, ahead)
	perItem(b, round, func() {
		sent := make(chan error, 1)
		go func() {
			for range round {
				places <- struct{}{}
				id++
				in := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), id)
				in = append(in, wire(2, request)...)
				if err := s.SendMsg(&in); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for range round {
			var out []byte
			if err := s.RecvMsg(&out); err != nil {
				b.Fatal(err)
			}
			<-places
		}
		if err := <-sent; err != nil {
			b.Fatal(err)
		}
	})
}
