package e2e

import (
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// window is how many requests a stream has under way.
const window = 4

// streamCaller is one stream.
type streamCaller struct {
	*load
	stream grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]
	// places has an entry for each request that may be sent; over is closed when no more are to be sent.
	places chan struct{}
	over   chan struct{}
	once   sync.Once

	mu      sync.Mutex
	waiting map[uint64]bool
	ended   bool
}

// callStream asks on a stream until the first decline.
func (l *load) callStream() {
	conn, err := grpc.NewClient(l.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(l.tls)))
	if err != nil {
		l.lose("%v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	client := cpmv1.NewCryptographicServiceClient(conn)
	stream, err := client.Stream(l.t.Context())
	for err != nil && !l.ending.Load() && l.t.Context().Err() == nil {
		l.redialled.Add(1)
		stream, err = client.Stream(l.t.Context())
	}
	if err != nil { // too late to begin
		return
	}
	c := &streamCaller{
		load: l, stream: stream, places: make(chan struct{}, window), over: make(chan struct{}), waiting: map[uint64]bool{},
	}
	for range window {
		c.places <- struct{}{}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.receive()
	}()
	c.send()
	<-done
}

// stop ends the sending.
func (c *streamCaller) stop() { c.once.Do(func() { close(c.over) }) }

func (c *streamCaller) send() {
	for id := uint64(1); ; id++ {
		select {
		case <-c.over:
			_ = c.stream.CloseSend()
			return
		case <-c.places:
		}
		// An error is told by Recv too, which then judges what is waiting.
		if !c.await(id) || c.stream.Send(&cpmv1.StreamRequest{Id: id, Request: c.request()}) != nil {
			return
		}
	}
}

// await writes a request down, unless the stream has ended.
func (c *streamCaller) await(id uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.sent.Add(1)
	c.waiting[id] = true
	return true
}

func (c *streamCaller) request() *cpmv1.ProcessRequest {
	m := quote("payerfsp", "", int(c.sent.Load()))
	headers := map[string]string{}
	for name, value := range m["headers"].(map[string]any) {
		headers[name] = value.(string)
	}
	return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: "POST", Uri: m["uri"].(string), Headers: headers,
		Content: &cpmv1.JwsSignRequest_Body{Body: m["body"].(string)},
	}}}
}

// receive takes answers until the stream ends, and judges what has none.
func (c *streamCaller) receive() {
	defer c.stop()
	for {
		out, err := c.stream.Recv()
		if err != nil {
			c.end(err)
			return
		}
		c.mu.Lock()
		expected := c.waiting[out.GetId()]
		delete(c.waiting, out.GetId())
		c.mu.Unlock()
		a, err := readMessage(out.GetResponse())
		switch {
		case !expected:
			c.lose("a second answer to request %d of a stream", out.GetId())
		case err != nil:
			c.lose("stream: %v", err)
		case a.good():
			c.good()
		default:
			c.decline(a.kind)
			c.stop()
		}
		c.places <- struct{}{}
	}
}

// end judges the end of the stream. Its status is the answer to all that has none: a clear decline, or nothing.
func (c *streamCaller) end(err error) {
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if len(c.waiting) == 0 {
		return
	}
	a, statusError := readStatus(err)
	for range c.waiting {
		if errors.Is(err, io.EOF) || statusError != nil {
			c.lose("a stream ended with requests unanswered: %v", err)
			continue
		}
		c.decline(a.kind)
	}
}
