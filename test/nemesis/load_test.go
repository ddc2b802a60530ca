package nemesis

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
)

// rate is how many requests are sent in a second, whether the ones before have been answered or not.
const rate = 200

// load sends requests at the rate, half of them as JSON, half on streams, until it is ended.
type load struct {
	w       *world
	journal *journal
	client  *http.Client
	tls     *tls.Config
	over    chan struct{}
	sending sync.WaitGroup
	streams []*stream
	// overtaken are answers that came after that to a later request of the same stream.
	overtaken atomic.Int64
}

func (w *world) begin() *load {
	w.t.Helper()
	l := &load{w: w, journal: newJournal(), client: w.HTTP(cpmtest.Client), tls: w.TLS(cpmtest.Client), over: make(chan struct{})}
	l.client.Timeout = patience
	for range 2 {
		l.streams = append(l.streams, &stream{load: l, waiting: map[uint64]bool{}})
	}
	l.sending.Go(l.tick)
	return l
}

// mostUnderWay bounds what is sent and not answered.
const mostUnderWay = 1024

func (l *load) tick() {
	ticker := time.NewTicker(time.Second / rate)
	defer ticker.Stop()
	room := make(chan struct{}, mostUnderWay)
	for i := 0; ; i++ {
		select {
		case <-l.over:
			return
		case <-ticker.C:
		}
		select {
		case room <- struct{}{}:
		default:
			continue // a machine that cannot keep up sends less
		}
		ask := l.askJSON
		if i%2 != 0 {
			ask = l.streams[i/2%len(l.streams)].ask
		}
		l.sending.Go(func() {
			defer func() { <-room }()
			ask()
		})
	}
}

// end stops sending and waits until everything has its answer, or none will come any more.
func (l *load) end() {
	close(l.over)
	l.sending.Wait()
	for _, s := range l.streams {
		s.close()
	}
	l.client.CloseIdleConnections()
}

func (l *load) compose(port string) (uint64, sent) {
	kind := rand.IntN(sorts)
	return l.journal.ask(func(id uint64) sent { return l.w.parties.compose(l.w.t, id, kind, port) })
}

// askJSON sends one request to the JSON port.
func (l *load) askJSON() {
	id, s := l.compose("json")
	l.journal.answer(id, l.exchange(s))
}

func (l *load) exchange(s sent) got {
	text, err := protojson.Marshal(s.message())
	if err != nil {
		return got{outcome: good, problem: err.Error()}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.w.t.Context()), patience)
	defer cancel()
	path := "https://" + l.w.at.Load().HTTP + "/v1/fsps/" + s.fsp() + "/" + s.operation.Path()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		return got{outcome: good, problem: err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(request)
	if err != nil {
		return got{outcome: cut, reason: err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return got{outcome: cut, reason: err.Error()}
	}
	return s.readJSON(response.StatusCode, body)
}

// fsp is whom the operation is for: the sender's key signs, and the sender's key verifies.
func (s sent) fsp() string { return s.headers["fspiop-source"] }

// message is the request in the shape of the definition.
func (s sent) message() proto.Message {
	if s.operation == cpm.JWSSign {
		return &cpmv1.JwsSignRequest{Method: s.method, Uri: s.uri, Headers: s.headers, Content: &cpmv1.JwsSignRequest_Body{Body: s.body}}
	}
	return &cpmv1.JwsVerifyRequest{Method: s.method, Uri: s.uri, Headers: s.headers, Content: &cpmv1.JwsVerifyRequest_Body{Body: s.body}}
}

func (s sent) readJSON(status int, body []byte) got {
	r := &cpmv1.ProcessResponse{}
	var into proto.Message
	switch {
	case status != http.StatusOK:
		e := &cpmv1.Error{}
		into, r.Result = e, &cpmv1.ProcessResponse_Error{Error: e}
	case s.operation == cpm.JWSSign:
		m := &cpmv1.JwsSignResponse{}
		into, r.Result = m, &cpmv1.ProcessResponse_JwsSign{JwsSign: m}
	default:
		m := &cpmv1.JwsVerifyResponse{}
		into, r.Result = m, &cpmv1.ProcessResponse_JwsVerify{JwsVerify: m}
	}
	if err := protojson.Unmarshal(body, into); err != nil {
		return got{outcome: good, problem: err.Error()}
	}
	return s.read(r)
}

// read takes an answer apart.
func (s sent) read(r *cpmv1.ProcessResponse) got {
	switch m := r.GetResult().(type) {
	case *cpmv1.ProcessResponse_Error:
		for _, x := range m.Error.GetErrorInformation().GetExtensionList().GetExtension() {
			if x.GetKey() == "kind" {
				return got{outcome: declined, kind: x.GetValue(), text: m.Error.GetErrorInformation().GetErrorDescription()}
			}
		}
		return got{outcome: declined, problem: "a decline without its kind"}
	case *cpmv1.ProcessResponse_JwsSign:
		if s.operation == cpm.JWSSign {
			return got{outcome: good, headers: m.JwsSign.GetHeaders(), body: m.JwsSign.GetBody()}
		}
	case *cpmv1.ProcessResponse_JwsVerify:
		if s.operation == cpm.JWSVerify && m.JwsVerify.Valid != nil {
			return got{outcome: good, valid: m.JwsVerify.GetValid(), reason: m.JwsVerify.GetReason()}
		}
	}
	return got{outcome: good, problem: "the answer is to another operation"}
}

// stream is a caller on the gRPC port. When its connection breaks, it makes a new one for the next request.
type stream struct {
	load *load

	mu      sync.Mutex
	conn    *grpc.ClientConn
	open    grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]
	waiting map[uint64]bool
	highest uint64 // id answered so far
	reading sync.WaitGroup
}

// ask sends one request on the stream; its answer is read elsewhere.
func (s *stream) ask() {
	id, m := s.load.compose("grpc")
	r := &cpmv1.ProcessRequest{Fsp: m.fsp()}
	switch message := m.message().(type) {
	case *cpmv1.JwsSignRequest:
		r.Operation = &cpmv1.ProcessRequest_JwsSign{JwsSign: message}
	case *cpmv1.JwsVerifyRequest:
		r.Operation = &cpmv1.ProcessRequest_JwsVerify{JwsVerify: message}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.dial(); err != nil {
		s.load.journal.answer(id, got{outcome: cut, reason: err.Error()})
		return
	}
	s.waiting[id] = true
	_ = s.open.Send(&cpmv1.StreamRequest{Id: id, Request: r}) // what is wrong, Recv tells
}

// dial makes the stream when there is none.
func (s *stream) dial() error {
	if s.open != nil {
		return nil
	}
	w := s.load.w
	conn, err := grpc.NewClient(w.at.Load().GRPC, grpc.WithTransportCredentials(credentials.NewTLS(s.load.tls)))
	if err != nil {
		return err
	}
	open, err := cpmv1.NewCryptographicServiceClient(conn).Stream(context.WithoutCancel(w.t.Context()))
	if err != nil {
		_ = conn.Close()
		return err
	}
	s.conn, s.open = conn, open
	s.reading.Go(func() { s.read(conn, open) })
	return nil
}

// read takes answers until the stream ends; what then has none gets none.
func (s *stream) read(conn *grpc.ClientConn, open grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]) {
	defer func() { _ = conn.Close() }()
	for {
		answer, err := open.Recv()
		s.mu.Lock()
		if err != nil {
			for id := range s.waiting {
				s.load.journal.answer(id, got{outcome: cut, reason: err.Error()})
			}
			clear(s.waiting)
			s.open = nil
			s.mu.Unlock()
			return
		}
		delete(s.waiting, answer.GetId())
		if answer.GetId() < s.highest {
			s.load.overtaken.Add(1)
		}
		s.highest = max(s.highest, answer.GetId())
		s.mu.Unlock()
		s.load.journal.answer(answer.GetId(), s.load.journal.request(answer.GetId()).read(answer.GetResponse()))
	}
}

// close ends the stream after its last answer.
func (s *stream) close() {
	s.mu.Lock()
	if s.open != nil {
		_ = s.open.CloseSend()
	}
	s.mu.Unlock()
	s.reading.Wait()
}
