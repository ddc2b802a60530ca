package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// frank is a caller who writes the frames of HTTP/2 itself, and so can announce a message and send part of it.
type frank struct {
	t     *testing.T
	f     *http2.Framer
	heads *hpack.Encoder
	block bytes.Buffer
	last  uint32
	// ends has the grpc-status of each call that ended, by its stream.
	ends chan end
}

type end struct {
	stream                   uint32
	status, pushed, answered string
	answers                  []byte // that came before
}

// frank connects as the owner of a certificate.
func (h *house) frank(t *testing.T, name string) *frank {
	t.Helper()
	c := h.with(h.ca.client(t, name))
	c.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", h.grpc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	k := &frank{t: t, f: http2.NewFramer(conn, conn), ends: make(chan end, 1000), last: ^uint32(0)}
	k.heads = hpack.NewEncoder(&k.block)
	k.f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	k.must(k.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	k.must(k.f.WriteWindowUpdate(0, 1<<30))
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		k.listen()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-heard
	})
	return k
}

func (k *frank) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *frank) listen() {
	defer close(k.ends)
	answers := map[uint32][]byte{}
	for {
		f, err := k.f.ReadFrame()
		if err != nil {
			return
		}
		if d, ok := f.(*http2.DataFrame); ok {
			answers[d.StreamID] = append(answers[d.StreamID], d.Data()...)
		}
		if m, ok := f.(*http2.MetaHeadersFrame); ok && m.StreamEnded() {
			e := end{stream: m.StreamID, answers: answers[m.StreamID]}
			for _, h := range m.Fields {
				switch h.Name {
				case "grpc-status":
					e.status = h.Value
				case "grpc-retry-pushback-ms":
					e.pushed = h.Value
				case "cpm-answered":
					e.answered = h.Value
				}
			}
			k.ends <- e
		}
	}
}

// call opens a call, with more headers than those of all.
func (k *frank) call(method string, more ...[2]string) uint32 {
	k.last += 2
	k.block.Reset()
	for _, h := range append([][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	}, more...) {
		k.must(k.heads.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
	}
	k.must(k.f.WriteHeaders(http2.HeadersFrameParam{StreamID: k.last, BlockFragment: k.block.Bytes(), EndHeaders: true}))
	return k.last
}

// announced is the beginning of a message of n bytes.
func announced(n int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), message...)
}

// begin opens a call, announces a message of n bytes and sends the first few.
func (k *frank) begin(method string, n int) uint32 {
	id := k.call(method)
	k.must(k.f.WriteData(id, false, announced(n, make([]byte, 100))))
	return id
}

// hears waits for the ends of so many calls and gives how many there were of each status.
func (k *frank) hears(n int) map[string]int {
	k.t.Helper()
	all := map[string]int{}
	for range n {
		select {
		case e, open := <-k.ends:
			if !open {
				k.t.Fatal("the connection was closed")
			}
			all[e.status]++
		case <-time.After(20 * time.Second):
			k.t.Fatalf("ended: %v", all)
		}
	}
	return all
}

const (
	methodStream  = cpmv1.CryptographicService_Stream_FullMethodName
	methodProcess = cpmv1.CryptographicService_Process_FullMethodName
	methodBatch   = cpmv1.CryptographicService_Batch_FullMethodName
)

// The codes of gRPC that the tests meet.
const (
	okay, invalidArgument, deadlineExceeded, resourceExhausted = "0", "3", "4", "8"
)

func TestMessagesThatAreNeverSentToTheirEndAreBounded(t *testing.T) {
	t.Parallel()
	for _, method := range []string{methodStream, methodProcess, methodBatch} {
		h := open(t, echo, func(c *Config) {
			c.Limits.Reading, c.Limits.ReadTimeout, c.Limits.Drain = 8<<20, time.Second, time.Second
		})
		k := h.frank(t, "switch.example")
		for range 100 {
			k.begin(method, 1<<20)
		}
		// Of 8 MiB one caller has half.
		if got := k.hears(96); got[resourceExhausted] != 96 {
			t.Errorf("%s: ended: %v", method, got)
		}
		if n := h.reading.Taken(); n != 4<<20 {
			t.Errorf("%s: %d bytes are reserved", method, n)
		}
		// There is room for another, whose message is not large.
		if out, err := h.dialAs("other.example").Process(t.Context(), signProcessOf(200<<10)); err != nil || out.GetJwsSign() == nil {
			t.Error(out, err)
		}
		// What does not come is not waited for.
		if got := k.hears(4); got[okay]+got[resourceExhausted] != 0 {
			t.Errorf("%s: ended: %v", method, got)
		}
		waitFor(t, func() bool { return h.reading.Taken() == 0 && h.calls.Taken() == 0 })
		if method == methodStream && h.counts.outcomes()["timeout"] != 4 {
			t.Errorf("answers: %v", h.counts.outcomes())
		}
	}
}

func (h *house) dialAs(name string) cpmv1.CryptographicServiceClient {
	return cpmv1.NewCryptographicServiceClient(h.conn(h.with(h.ca.client(h.t, name))))
}

// signProcessOf asks to sign a body of n bytes.
func signProcessOf(n int) *cpmv1.ProcessRequest {
	r := signRequest()
	r.Content = &cpmv1.JwsSignRequest_Body{Body: string(bytes.Repeat([]byte("x"), n))}
	return &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: r}}
}

func TestAMessageForWhichThereIsNoRoomSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 1 << 20 })
	k := h.frank(t, "switch.example")
	for _, method := range []string{methodStream, methodProcess} {
		id := k.begin(method, 2<<20)
		if e := <-k.ends; e.stream != id || e.status != resourceExhausted || e.pushed != "1000" {
			t.Errorf("%s: %+v", method, e)
		}
	}
	caller := admission.Caller{Kind: cpm.PrincipalCertificate, Name: "switch.example"}
	if debt := h.tempo.debt(caller); debt != 0 {
		t.Errorf("the caller has to pay for it: %v", debt)
	}
}

// gRPC answers these by itself, and they must not keep what was reserved for them.
func TestCallsThatNobodyHandlesGiveBackTheirRoom(t *testing.T) {
	t.Parallel()
	for _, header := range [][2]string{{"grpc-encoding", "gzip"}, {"grpc-timeout", "1n"}} {
		h := open(t, echo, func(c *Config) { c.Limits.Reading = 8 << 20 })
		k := h.frank(t, "switch.example")
		for range 10 {
			k.must(k.f.WriteData(k.call(methodProcess, header), false, announced(1<<20, make([]byte, 10_000))))
			k.hears(1)
		}
		waitFor(t, func() bool { return h.reading.Taken() == 0 && h.calls.Taken() == 0 })
		if out, err := h.dialAs("switch.example").Process(t.Context(), signProcessOf(200<<10)); err != nil || out.GetJwsSign() == nil {
			t.Error(header, out, err)
		}
	}
}

// What comes slowly and steadily is waited for, however long it takes.
func TestALargeMessageMayTakeItsTime(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.ReadTimeout = 500 * time.Millisecond })
	k := h.frank(t, "switch.example")
	id := k.call(methodStream)
	message := streamFrame(t, 1, 200<<10)
	for len(message) > 0 {
		n := min(len(message), 8<<10)
		k.must(k.f.WriteData(id, n == len(message), message[:n]))
		message = message[n:]
		time.Sleep(60 * time.Millisecond)
	}
	if got := k.hears(1); got[okay] != 1 {
		t.Errorf("ended: %v", got)
	}
}

// The door itself reads a connection slowly whose requests it declines.
func TestAMessageThatTheDoorDoesNotReadIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{Processor: processor(echo), Limits: Limits{ReadTimeout: time.Second}})
		on := d.tempo.of("hub")
		call, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := d.arrivalsAt(on.caller, on).begin(call, cancel, true)
		for range 100 {
			on.declined(10*time.Millisecond*d.tempo.processors, false)
		}
		c.of.mu.Lock()
		c.turned()
		c.take(announced(100<<10, make([]byte, 100)))
		c.watch()
		c.of.mu.Unlock()
		time.Sleep(1050 * time.Millisecond)
		if e := c.refusal(); e != nil {
			t.Error(e)
		}
		time.Sleep(time.Second)
		if e := c.refusal(); e == nil || e.Kind != fault.Timeout {
			t.Error(e)
		}
	})
}

func TestAMessageInTooManyPiecesEndsItsCall(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	k := h.frank(t, "switch.example")
	for _, method := range []string{methodStream, methodProcess} {
		id := k.begin(method, 10_000)
		for range 200 {
			k.must(k.f.WriteData(id, false, []byte{1}))
		}
		k.hears(1)
	}
	waitFor(t, func() bool { return h.counts.outcomes()["invalid"] == 2 })
}

// streamFrame is a message of a stream, as bytes.
func streamFrame(t *testing.T, id uint64, body int) []byte {
	t.Helper()
	out, err := proto.Marshal(&cpmv1.StreamRequest{Id: id, Request: signProcessOf(body)})
	if err != nil {
		t.Fatal(err)
	}
	return announced(len(out), out)
}

func TestAStreamThatIsBusyIsGivenTimeForItsNextMessage(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		<-free
		return echo(ctx, r)
	}, func(c *Config) { c.Limits.StreamWindow, c.Limits.ReadTimeout = 1, 300*time.Millisecond })
	k := h.frank(t, "switch.example")
	id := k.call(methodStream)
	k.must(k.f.WriteData(id, false, streamFrame(t, 1, 100)))
	waitFor(t, func() bool { return h.counts.read(h.counts.inFlight, GRPC) == 1 })
	next := streamFrame(t, 2, 100<<10)
	k.must(k.f.WriteData(id, false, next[:10_000]))
	time.Sleep(time.Second) // the CPM does not read on, so this is not the caller's fault
	for next = next[10_000:]; len(next) > 0; {
		n := min(len(next), 8<<10)
		k.must(k.f.WriteDataPadded(id, n == len(next), next[:n], make([]byte, n%250)))
		next = next[n:]
	}
	close(free)
	if got := k.hears(1); got[okay] != 1 {
		t.Errorf("ended: %v", got)
	}
	if got := h.counts.outcomes(); got["ok"] != 2 {
		t.Errorf("answers: %v", got)
	}
}

func TestAStreamThatSaysNothingIsKept(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.ReadTimeout = 20 * time.Millisecond })
	s := h.talk(t.Context())
	for i := range uint64(4) {
		s.ask(i+1, signProcessOf(100<<10)) // of several frames
		if _, r := s.hear(); r.GetJwsSign() == nil {
			t.Fatal(r)
		}
		time.Sleep(60 * time.Millisecond)
	}
}

func TestOneCallerAloneMayHaveHalfOfTheCalls(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Calls = 8 })
	one, other := h.frank(t, "switch.example"), h.frank(t, "other.example")
	for range 20 {
		one.call(methodStream)
	}
	if got := one.hears(16); got[resourceExhausted] != 16 {
		t.Errorf("ended: %v", got)
	}
	for range 2 {
		other.call(methodStream)
	}
	waitFor(t, func() bool { return h.calls.Taken() == 6 })
}

func TestOneCallerAloneMayHaveHalfOfTheConnections(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Connections = 8 })
	dial := func(name string) net.Conn {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: h.with(h.ca.client(t, name))}
		c, err := d.DialContext(t.Context(), "tcp", h.json)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	serves := func(c net.Conn) bool {
		_, _ = fmt.Fprint(c, "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := io.ReadFull(c, make([]byte, 12))
		return err == nil
	}
	var kept []net.Conn
	for range 12 {
		if c := dial("switch.example"); serves(c) {
			kept = append(kept, c)
		}
	}
	if len(kept) != 4 {
		t.Errorf("%d of one caller are served", len(kept))
	}
	for range 2 {
		if !serves(dial("other.example")) {
			t.Error("another found no place")
		}
	}
	_ = kept[0].Close()
	_ = kept[1].Close()
	waitFor(t, func() bool { return h.counts.read(h.counts.connections, JSON) == 4 })
	if !serves(dial("switch.example")) {
		t.Error("closed connections are still counted")
	}
}

func TestOneCallersBodiesLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 64 << 10 })
	for range 8 {
		c, _ := raw(t, h)
		tell(t, c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8192\r\n\r\n{")
	}
	waitFor(t, func() bool { return h.reading.Taken() == 32<<10 && h.counts.outcomes()["busy"] == 4 })
	caller := admission.Caller{Kind: cpm.PrincipalCertificate, Name: "switch.example"}
	if debt := h.tempo.debt(caller); debt != 0 {
		t.Errorf("the caller has to pay for it: %v", debt)
	}
	other := h.httpWith(h.with(h.ca.client(t, "other.example")))
	if a := post(t, other, h.url("/v1/fsps/f/jws/sign"), bytes.NewReader(append(make([]byte, 0, 16<<10), `{"method":"POST","uri":"/quotes"}`...))); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAConnectionThatGoesOnSendingToEndedCallsIsClosed(t *testing.T) {
	t.Parallel()
	d := New(Config{Processor: processor(echo)})
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	conn, info, err := shaken{d}.ServerHandshake(near)
	if err != nil || info == nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, far) }()
	var sent bytes.Buffer
	f := http2.NewFramer(&sent, nil)
	piece := make([]byte, 16<<10)
	send := func(n int) (err error) {
		for range n {
			sent.Reset()
			_ = f.WriteData(7, false, piece)
			go func(b []byte) { _, _ = far.Write(b) }(bytes.Clone(sent.Bytes()))
			if _, err = io.ReadFull(conn, make([]byte, sent.Len())); err != nil {
				return err
			}
		}
		return nil
	}
	go func() { _, _ = io.WriteString(far, http2.ClientPreface) }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	for range 10 { // as long as it is told
		if err := send(mostStray / len(piece)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("you were told")); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(mostStray/len(piece) + 1); err == nil {
		t.Error("it goes on")
	}
}

// FuzzFrames gives arbitrary bytes to what follows the frames: it finds the data that the reader of HTTP/2 finds, in whatever parts
// the bytes come.
func FuzzFrames(f *testing.F) {
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	_ = w.WriteSettings()
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true})
	_ = w.WriteData(1, false, []byte("data"))
	_ = w.WriteDataPadded(3, true, []byte("padded"), make([]byte, 9))
	_ = w.WriteData(1, true, nil)
	f.Add(b.Bytes(), uint8(3))
	f.Add(b.Bytes()[:40], uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		follow := func(step int) (all []byte) {
			var f framing
			for rest := in; len(rest) > 0; {
				part := rest[:min(step, len(rest))]
				rest = rest[len(part):]
				for len(part) > 0 {
					data, n, _ := f.next(part)
					if n == 0 {
						t.Fatal("does not go on")
					}
					part = part[n:]
					all = append(all, data...)
				}
			}
			return all
		}
		all := follow(len(in) + 1)
		if got := follow(int(step) + 1); !bytes.Equal(got, all) {
			t.Errorf("%q in parts, %q at once", got, all)
		}
		var want []byte
		r := http2.NewFramer(io.Discard, bytes.NewReader(in))
		r.SetMaxReadFrameSize(1<<24 - 1)
		r.AllowIllegalReads = true
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				break
			}
			if d, ok := frame.(*http2.DataFrame); ok {
				want = append(want, d.Data()...)
			}
		}
		if !bytes.HasPrefix(all, want) {
			t.Errorf("%q, and HTTP/2 has %q", all, want)
		}
	})
}
