package api

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestMessagesThatAreNeverSentToTheirEndAreBounded(t *testing.T) {
	t.Parallel()
	for method, most := range map[string]int{methodStream: 4, methodProcess: 4, methodBatch: 2} {
		h := open(t, echo, func(c *Config) {
			c.Limits.Reading, c.Limits.ReadTimeout, c.Limits.Drain = 8<<20, time.Second, time.Second
		})
		k := h.frank(t, "switch.example")
		for range 100 {
			k.begin(method, 1<<20)
		}
		// Of 8 MiB one caller has half, and its batches half of that.
		if got := k.hears(100 - most); got[resourceExhausted] != 100-most {
			t.Errorf("%s: ended: %v", method, got)
		}
		if n := h.reading.Taken(); n != most<<20 {
			t.Errorf("%s: %d bytes are reserved", method, n)
		}
		// There is room for another, whose message is not large.
		if out, err := h.dialAs("other.example").Process(t.Context(), signProcessOf(200<<10)); err != nil || out.GetJwsSign() == nil {
			t.Error(out, err)
		}
		// What does not come is not waited for.
		if got := k.hears(most); got[okay]+got[resourceExhausted] != 0 {
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

// ... and not for ever: declines that the caller sees to are no excuse for a message of which nothing comes.
func TestAMessageOfWhichNothingComesIsNotWaitedForOnAccountOfDeclines(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	for _, x := range []struct {
		patience time.Duration
		piece    int // that comes every second
	}{{2 * time.Second, 0}, {2 * time.Second, 100}, {longest, 0}, {longest, 100}} {
		synctest.Test(t, func(t *testing.T) {
			d := New(Config{Processor: processor(echo), Limits: Limits{ReadTimeout: x.patience}})
			on := d.tempo.of("hub")
			call, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := d.arrivalsAt(on.caller, on).begin(call, cancel, true)
			come := func(data []byte) {
				c.of.mu.Lock()
				defer c.of.mu.Unlock()
				c.take(data)
				c.watch()
			}
			c.turned()
			come(announced(size, make([]byte, 100)))
			began := time.Now()
			for n := 0; c.refusal() == nil && time.Since(began) < time.Minute; n++ {
				on.declined(100*time.Microsecond, false)
				if time.Sleep(50 * time.Millisecond); n%20 == 0 && x.piece > 0 {
					come(make([]byte, x.piece))
				}
			}
			took := time.Since(began)
			switch e := c.refusal(); {
			case x.piece > 0 && e != nil:
				t.Errorf("something comes, and after %v: %v", took, e)
			case x.piece == 0 && (e == nil || e.Kind != fault.Timeout || took <= 2*x.patience || took > longest+3*x.patience):
				t.Errorf("nothing comes, and after %v: %v", took, e)
			}
		})
	}
}

func TestAMessageInTooManyPiecesEndsItsCall(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	k := h.frank(t, "switch.example")
	ways := map[string]func(id uint32) error{
		"plain":                        func(id uint32) error { return k.f.WriteData(id, false, []byte{1}) },
		"with padding of no bytes":     func(id uint32) error { return k.f.WriteDataPadded(id, false, []byte{1}, []byte{}) },
		"with padding of a byte":       func(id uint32) error { return k.f.WriteDataPadded(id, false, []byte{1}, []byte{0}) },
		"with as much padding as fits": func(id uint32) error { return k.f.WriteDataPadded(id, false, []byte{1}, make([]byte, 255)) },
		"of padding alone":             func(id uint32) error { return k.f.WriteDataPadded(id, false, nil, make([]byte, 255)) },
	}
	n := 0
	for way, piece := range ways {
		for _, method := range []string{methodStream, methodProcess} {
			id := k.begin(method, 10_000)
			for range 200 {
				k.must(piece(id))
			}
			select {
			case <-k.ends:
			case <-time.After(5 * time.Second):
				t.Fatalf("%s, %s: not ended", way, method)
			}
			n++
		}
	}
	waitFor(t, func() bool { return h.counts.outcomes()["invalid"] == n })
}

// A call is not over for gRPC when its handler has left: of one whose answers are not read it goes on taking what comes.
func TestWhatComesForACallThatWasRefusedIsBounded(t *testing.T) {
	t.Parallel()
	const size, calls = 1 << 20, 3
	refuse := func(k *frank, h *house) (last uint32) {
		for n := range calls {
			last = k.call(methodStream)
			k.must(k.f.WriteData(last, false, streamFrame(t, 1, 100)))
			waitFor(t, func() bool { return h.counts.outcomes()["ok"] == n+1 })
			k.must(k.f.WriteData(last, false, announced(size, make([]byte, 100))))
			for range fewPieces + size/leastPiece {
				k.must(k.f.WriteData(last, false, []byte{1}))
			}
			waitFor(t, func() bool { return h.counts.outcomes()["invalid"] == n+1 })
		}
		time.Sleep(50 * time.Millisecond) // in which what is not held would be given back
		if got := []int{h.reading.Taken(), h.calls.Taken()}; !slices.Equal(got, []int{calls * size, calls}) {
			t.Errorf("reserved bytes and open calls: %v", got)
		}
		return last
	}
	t.Run("until it is read", func(t *testing.T) {
		t.Parallel()
		h := open(t, echo)
		k := h.mute(t)
		id := refuse(k, h)
		k.sends(id, false, make([]byte, size/2))
		k.window(1 << 20)
		if got := k.hears(calls); got[invalidArgument] != calls {
			t.Errorf("ended: %v", got)
		}
		h.given(t)
	})
	t.Run("in its pieces", func(t *testing.T) {
		t.Parallel()
		h := open(t, echo)
		k := h.mute(t)
		id := refuse(k, h)
		for range 1 + (size+mostLeft)/(257+besideFrame) {
			if k.f.WriteDataPadded(id, false, []byte{1}, make([]byte, 255)) != nil {
				break
			}
		}
		if got := k.closed(); len(got) > 0 {
			t.Errorf("ended: %v", got)
		}
		h.given(t)
	})
}

// gRPC keeps a frame in memory of up to four times its size, and that is what is reserved.
func TestAMessageCountsAsTheMemoryOfItsFrames(t *testing.T) {
	t.Parallel()
	const body = 240 << 10 // which the window lets come
	for frame, want := range map[int]int{16 << 10: 1, 8 << 10: 2, 4<<10 + 1: 4, 1<<10 + 1: 4, 1 << 10: 1} {
		h := open(t, echo)
		k := h.frank(t, "switch.example")
		id := k.call(methodStream)
		message := streamFrame(t, 1, body)
		for len(message) > frame {
			k.must(k.f.WriteData(id, false, message[:frame]))
			message = message[frame:]
		}
		waitFor(t, func() bool { return h.reading.Taken()+frameSlack+16<<10 > want*body })
		if n := h.reading.Taken(); n > want*body+16<<10 {
			t.Errorf("in frames of %d bytes: %d are reserved", frame, n)
		}
		k.must(k.f.WriteData(id, true, message))
		if got := k.hears(1); got[okay] != 1 {
			t.Errorf("in frames of %d bytes: ended %v", frame, got)
		}
		h.given(t)
	}
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 3 * body })
	k := h.frank(t, "switch.example")
	id := k.call(methodStream)
	for message := streamFrame(t, 1, body); len(message) > 5000; message = message[5000:] {
		k.must(k.f.WriteData(id, false, message[:5000]))
	}
	if got := k.hears(1); got[resourceExhausted] != 1 {
		t.Errorf("without room for its frames: ended %v", got)
	}
	h.given(t)
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
