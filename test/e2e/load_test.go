package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpmtest"
)

// load is many callers at once who have quotes signed until they are declined, and the book that is kept of it: for each
// request exactly one of answered, declined, refused and lost.
type load struct {
	*process
	t   *testing.T
	tls *tls.Config

	// ending is set before the process is told to end.
	ending atomic.Bool
	// open is when the port was last seen open once ending is set, in nanoseconds since 1970; closed that it no longer is.
	open   atomic.Int64
	closed atomic.Bool

	sent, answered, late, declined, refused atomic.Int64
	// redialled counts connections that were closed before their first answer while nothing was to end.
	redialled atomic.Int64

	mu   sync.Mutex
	lost []string

	callers sync.WaitGroup
}

// begin starts n callers, half of them with JSON, half with a gRPC stream each.
func begin(t *testing.T, p *process, n int) *load {
	t.Helper()
	l := &load{process: p, t: t, tls: p.TLS(cpmtest.Client)}
	for i := range n {
		switch i % 4 {
		case 0:
			l.callers.Go(func() { l.callJSON(false) })
		case 1:
			l.callers.Go(func() { l.callJSON(true) })
		default:
			l.callers.Go(l.callStream)
		}
	}
	return l
}

// terminateUnderLoad tells the process to end once every caller had some answers, and watches the port.
func (l *load) terminateUnderLoad(answers int64) {
	l.t.Helper()
	eventually(l.t, "the load is under way", func() error {
		if n := l.answered.Load(); n < answers {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})
	l.ending.Store(true)
	l.open.Store(time.Now().UnixNano())
	l.callers.Go(l.watch)
	l.terminate()
}

// watch looks when the JSON port closes.
func (l *load) watch() {
	for {
		now := time.Now()
		c, err := net.Dial("tcp", l.At.HTTP)
		if err != nil {
			l.closed.Store(true)
			return
		}
		l.open.Store(now.UnixNano())
		_ = c.Close()
		time.Sleep(5 * time.Millisecond)
	}
}

// lose notes a request without an answer.
func (l *load) lose(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf(format, args...))
}

// good notes an answer.
func (l *load) good() {
	l.answered.Add(1)
	if l.ending.Load() {
		l.late.Add(1)
	}
}

// decline notes a decline, which has to be a clear one and comes only from a CPM that is ending.
func (l *load) decline(kind string) {
	if kind != "unavailable" || !l.ending.Load() {
		l.lose("declined as %q", kind)
		return
	}
	l.declined.Add(1)
}

// jsonCaller is one connection of the JSON port.
type jsonCaller struct {
	*load
	conn *tls.Conn
	in   *bufio.Reader
	// fresh says that there was no answer on the connection yet, renewed that it was opened after the process was told to
	// end.
	fresh, renewed bool
	// stubborn goes on after a decline, until nobody is there any more.
	stubborn bool
}

// callJSON asks over a kept connection, and opens another one when it was told to, until it is declined or refused.
func (l *load) callJSON(stubborn bool) {
	c := &jsonCaller{load: l, stubborn: stubborn}
	defer c.hangUp()
	for c.ask() {
	}
}

// ask makes one request and says whether to go on.
func (c *jsonCaller) ask() (more bool) {
	began := time.Now()
	c.sent.Add(1)
	got, kept, err := c.exchange()
	if err != nil {
		return c.broken(began, err)
	}
	c.fresh = false
	if !kept {
		c.hangUp()
	}
	if got.status == http.StatusOK {
		_, err = readResult("sign", got.body)
		if err != nil {
			c.lose("JSON: %v", err)
			return false
		}
		c.good()
		return true
	}
	a, err := readDecline(got.body)
	if err != nil {
		c.lose("JSON: %v", err)
		return false
	}
	c.decline(a.kind)
	return c.stubborn
}

func (c *jsonCaller) dial() (err error) {
	c.fresh, c.renewed = true, c.ending.Load()
	conn, err := tls.Dial("tcp", c.At.HTTP, c.tls)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	return c.conn.SetDeadline(time.Now().Add(patience))
}

func (c *jsonCaller) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *jsonCaller) exchange() (got reply, kept bool, err error) {
	p := plea{method: "POST", path: "/v1/fsps/payerfsp/jws/sign", header: map[string]string{"Content-Type": "application/json"}}
	if p.body, err = json.Marshal(quote("payerfsp", "", int(c.sent.Load()))); err != nil {
		return got, false, err
	}
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return got, false, err
		}
	}
	var text bytes.Buffer
	p.write(&text)
	if _, err := c.conn.Write(text.Bytes()); err != nil {
		return got, false, err
	}
	return readReply(c.in)
}

// broken judges a request without an answer and says whether to go on. Nobody took it on if the port was closed by then:
// on a connection that was there before, the request has to have begun after that; one that was opened anew may have been
// caught by it. A handshake that a busy machine did not get done in time is tried again.
func (c *jsonCaller) broken(began time.Time, err error) (again bool) {
	defer c.hangUp()
	if !c.ending.Load() && c.fresh {
		c.sent.Add(-1)
		c.redialled.Add(1)
		return true
	}
	at := began
	if c.renewed {
		at = time.Now()
	}
	if c.ending.Load() && at.UnixNano() >= c.open.Load() {
		c.refused.Add(1)
		return false
	}
	c.lose("JSON, %t that it was to end: %v", c.ending.Load(), err)
	return false
}

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

// settle waits for the callers and closes the book.
func (l *load) settle() {
	l.t.Helper()
	l.callers.Wait()
	sum := l.answered.Load() + l.declined.Load() + l.refused.Load() + int64(len(l.lost))
	if l.sent.Load() != sum {
		l.t.Errorf("%d requests were sent, the book has %d", l.sent.Load(), sum)
	}
	for i, what := range l.lost {
		if i == 10 {
			l.t.Errorf("and %d more", len(l.lost)-i)
			break
		}
		l.t.Errorf("lost: %s", what)
	}
	// The log has a line for each connection that did not come about; the watcher makes some of its own.
	closed := len(l.logged("connection refused"))
	if n := int(l.redialled.Load()); n > closed {
		l.t.Errorf("%d connections were closed without a reason, the log has %d", n, closed)
	}
	if l.t.Failed() {
		l.t.Logf("the log ends with\n%s", l.log.tail())
	}
}
