package adapter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// faulty is an adapter that misbehaves on purpose, over real TLS.
type faulty struct {
	cpmv1.UnimplementedLinkServiceServer
	hello func(*cpmv1.Hello) *cpmv1.Hello
	work  func(workStream) error
}

func (s *faulty) Control(stream grpc.BidiStreamingServer[cpmv1.ControlFrame, cpmv1.ControlFrame]) error {
	private, _ := newKeyPair()
	hello := &cpmv1.Hello{VersionMin: 1, VersionMax: 1, Name: "ssm1", Epoch: 7, Credit: 4096, HpkePublicKey: private.PublicKey().Bytes()}
	if s.hello != nil {
		hello = s.hello(hello)
	}
	for first := true; ; first = false {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &cpmv1.ControlFrame{Id: f.GetId(), Kind: &cpmv1.ControlFrame_Answer{Answer: &cpmv1.ControlAnswer{}}}
		if first && hello != nil {
			answer = &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: hello}}
		}
		_ = stream.Send(answer)
	}
}

func (s *faulty) Work(stream grpc.BidiStreamingServer[cpmv1.WorkFrame, cpmv1.WorkFrame]) error {
	return s.work(stream)
}

func (s *faulty) dial(t *testing.T) *Client {
	t.Helper()
	f := newFleet(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(f.adapter)))
	cpmv1.RegisterLinkServiceServer(g, s)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	return f.dial(t, l.Addr().String(), "core.cpm")
}

func answerTo(f *cpmv1.WorkFrame) *cpmv1.WorkFrame {
	return &cpmv1.WorkFrame{Id: f.GetId(), Kind: &cpmv1.WorkFrame_Answer{Answer: &cpmv1.Answer{
		Operation: f.GetAsk().GetOperation(), Payload: append([]byte("re:"), f.GetAsk().GetPayload()...),
	}}}
}

// collect reads n asks.
func collect(s workStream, n int) (asks []*cpmv1.WorkFrame) {
	for len(asks) < n {
		f, err := s.Recv()
		if err != nil {
			return asks
		}
		if f.GetAsk() != nil {
			asks = append(asks, f)
		}
	}
	return asks
}

func doAll(t *testing.T, c *Client, n int, check func(want string, r *cpm.Result, err error)) {
	t.Helper()
	if err := c.Connected(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			r, err := c.Do(within(t, 20*time.Second), request(fmt.Sprint(i)))
			check(fmt.Sprintf("re:%d", i), r, err)
		})
	}
	group.Wait()
}

func TestShuffledDuplicateAndUnknownAnswersReachOnlyWhoAsked(t *testing.T) {
	const n = 2000
	c := (&faulty{work: func(s workStream) error {
		asks := collect(s, n)
		rand.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
		for _, f := range asks {
			_ = s.Send(answerTo(f))
			_ = s.Send(answerTo(f))
			_ = s.Send(&cpmv1.WorkFrame{Id: f.GetId() + 1, Kind: answerTo(f).GetKind()})
		}
		<-s.Context().Done()
		return nil
	}}).dial(t)
	doAll(t, c, n, func(want string, r *cpm.Result, err error) {
		if err != nil || string(r.Payload.Encoded) != want {
			t.Errorf("want %s, got %+v %v", want, r, err)
		}
	})
	if c.Late() == 0 {
		t.Error("nothing was counted as late")
	}
}

func TestALateAnswerIsNotGivenToTheNext(t *testing.T) {
	c := (&faulty{work: func(s workStream) error {
		asks := collect(s, 2)
		for _, f := range asks {
			_ = s.Send(answerTo(f))
		}
		<-s.Context().Done()
		return nil
	}}).dial(t)
	if err := c.Connected(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(within(t, 100*time.Millisecond), request("first"))
	kind(t, err, fault.Timeout)
	r, err := c.Do(within(t, 20*time.Second), request("second"))
	if err != nil || string(r.Payload.Encoded) != "re:second" || c.Late() != 1 {
		t.Errorf("got %+v %v, %d late", r, err, c.Late())
	}
}

func TestACutLinkEndsEveryoneWhoWaits(t *testing.T) {
	const n = 50
	for name, end := range map[string]func(workStream){
		"the adapter ends": func(workStream) {},
		"a huge answer": func(s workStream) {
			_ = s.Send(&cpmv1.WorkFrame{Id: 1, Kind: &cpmv1.WorkFrame_Answer{Answer: &cpmv1.Answer{Payload: make([]byte, maxMessage+1)}}})
			<-s.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := (&faulty{work: func(s workStream) error { collect(s, n); end(s); return nil }}).dial(t)
			doAll(t, c, n, func(_ string, _ *cpm.Result, err error) {
				if !errors.Is(err, cpm.ErrLinkLost) || !errors.Is(err, fault.Unavailable) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestBadGreetingsAreRefusedClearly(t *testing.T) {
	for name, c := range map[string]struct {
		hello func(*cpmv1.Hello) *cpmv1.Hello
		want  fault.Kind
	}{
		"none":          {func(*cpmv1.Hello) *cpmv1.Hello { return nil }, fault.Invalid},
		"another name":  {func(h *cpmv1.Hello) *cpmv1.Hello { h.Name = "ssm2"; return h }, fault.NotFound},
		"newer version": {func(h *cpmv1.Hello) *cpmv1.Hello { h.VersionMin, h.VersionMax = VersionMax+1, VersionMax+1; return h }, fault.Unsupported},
		"no key":        {func(h *cpmv1.Hello) *cpmv1.Hello { h.HpkePublicKey = []byte("x"); return h }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			client := (&faulty{hello: c.hello}).dial(t)
			kind(t, client.Connected(within(t, 2*time.Second)), c.want)
		})
	}
	overlapping := (&faulty{hello: func(h *cpmv1.Hello) *cpmv1.Hello { h.VersionMax = VersionMax + 1; return h }, work: func(s workStream) error {
		<-s.Context().Done()
		return nil
	}}).dial(t)
	if err := overlapping.Connected(within(t, 20*time.Second)); err != nil {
		t.Errorf("versions 1 to one newer than ours: %v", err)
	}
}

func TestCreditAndSizeAreBoundedBeforeSending(t *testing.T) {
	c := (&faulty{
		hello: func(h *cpmv1.Hello) *cpmv1.Hello { h.Credit = 1; return h },
		work:  func(s workStream) error { collect(s, 1); <-s.Context().Done(); return nil },
	}).dial(t)
	if err := c.Connected(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(within(t, 20*time.Second), request(string(make([]byte, maxMessage))))
	kind(t, err, fault.TooLarge)
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { _, err := c.Do(ctx, request("x")); waited <- err }()
	for c.InFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	_, err = c.Do(t.Context(), request("y"))
	kind(t, err, fault.Busy)
	cancel()
	kind(t, <-waited, fault.Timeout)
	kind(t, c.Put(t.Context(), cpm.Material{Public: make([]byte, maxMessage)}), fault.TooLarge)
}
