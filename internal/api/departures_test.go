package api

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/cpm"
)

// mute connects as a caller who reads no answer unless it is told to.
func (h *house) mute(t *testing.T) *frank {
	t.Helper()
	k := h.frank(t, "switch.example")
	k.window(0)
	return k
}

// window is how much of each answer the caller reads from now on.
func (k *frank) window(n uint32) {
	k.t.Helper()
	k.must(k.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}))
}

// asks sends a whole message as the only one of a call.
func (k *frank) asks(method string, m proto.Message) uint32 {
	k.t.Helper()
	out, err := proto.Marshal(m)
	k.must(err)
	id := k.call(method)
	k.sends(id, true, announced(len(out), out))
	return id
}

// sends sends data in frames, perhaps to the end of the stream.
func (k *frank) sends(id uint32, ends bool, data []byte) {
	k.t.Helper()
	for len(data) > 0 {
		n := min(len(data), 16<<10)
		k.must(k.f.WriteData(id, ends && n == len(data), data[:n]))
		data = data[n:]
	}
}

// closed waits until the connection is closed, and gives how many calls ended before with each status.
func (k *frank) closed() map[string]int {
	k.t.Helper()
	all := map[string]int{}
	for patience := time.After(20 * time.Second); ; {
		select {
		case e, open := <-k.ends:
			if !open {
				return all
			}
			all[e.status]++
		case <-patience:
			k.t.Fatal("the connection is open")
		}
	}
}

// given waits until nothing is held for any call.
func (h *house) given(t *testing.T) {
	t.Helper()
	waitFor(t, func() bool { return h.reading.Taken() == 0 && h.calls.Taken() == 0 })
}

func TestAnswersThatAreNotReadAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 8 << 20 })
	k := h.mute(t)
	var ids []uint32
	for n := range 100 {
		ids = append(ids, k.asks(methodProcess, signProcessOf(200<<10)))
		waitFor(t, func() bool { o := h.counts.outcomes(); return o["ok"]+o["busy"] == n+1 })
	}
	// Of 8 MiB one caller has half, and each answer has 256 KiB of memory.
	if got := k.hears(84); got[resourceExhausted] != 84 {
		t.Errorf("ended: %v", got)
	}
	if bytes, calls := h.reading.Taken(), h.calls.Taken(); bytes != 4<<20 || calls != 16 {
		t.Errorf("%d bytes are reserved, %d calls open", bytes, calls)
	}
	if out, err := h.dialAs("other.example").Process(t.Context(), signProcessOf(200<<10)); err != nil || out.GetJwsSign() == nil {
		t.Error("another has no room:", out, err)
	}
	for _, id := range ids {
		k.must(k.f.WriteRSTStream(id, http2.ErrCodeCancel))
	}
	h.given(t)
	k.window(1 << 20)
	k.asks(methodProcess, signProcessOf(200<<10))
	if got := k.hears(1); got[okay] != 1 {
		t.Errorf("ended: %v", got)
	}
	h.given(t)
}

// What has been done is answered, and there is no room for more then.
func TestAnAnswerIsNotDeclinedForWantOfRoom(t *testing.T) {
	t.Parallel()
	large := signed(signProcessOf(600 << 10).GetJwsSign())
	h := open(t, func(context.Context, *cpm.Request) (*cpm.Result, error) {
		return &cpm.Result{Payload: cpm.Payload{Message: large}}, nil
	}, func(c *Config) { c.Limits.Reading = 2 << 20 })
	k := h.mute(t)
	for n := range 5 {
		k.asks(methodProcess, signProcess())
		waitFor(t, func() bool { return h.counts.outcomes()["ok"] == n+1 })
	}
	if got := h.reading.Taken(); got > 1<<20+8<<10 {
		t.Errorf("%d bytes are reserved, more than half", got)
	}
	k.asks(methodProcess, signProcessOf(200<<10))
	waitFor(t, func() bool { return h.counts.outcomes()["busy"] == 1 })
	if _, err := h.dialAs("other.example").Process(t.Context(), signProcessOf(200<<10)); err != nil {
		t.Error("another has no room:", err)
	}
	k.window(4 << 20)
	if got := k.hears(6); got[okay] != 5 || got[resourceExhausted] != 1 {
		t.Errorf("ended: %v", got)
	}
	h.given(t)
}

func TestCallsWhoseAnswersAreNotReadStayOpen(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Calls = 8 })
	k := h.mute(t)
	for n := range 20 {
		k.asks(methodProcess, signProcess())
		waitFor(t, func() bool { o := h.counts.outcomes(); return o["ok"]+o["busy"] == n+1 })
	}
	if got := k.hears(16); got[resourceExhausted] != 16 || h.calls.Taken() != 4 {
		t.Errorf("ended: %v, and %d are open", got, h.calls.Taken())
	}
	k.window(1 << 20)
	if got := k.hears(4); got[okay] != 4 {
		t.Errorf("ended: %v", got)
	}
	h.given(t)
}

func TestAConnectionWhoseAnswersAreNotReadIsClosed(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*frank){
		"large":    func(k *frank) { k.asks(methodProcess, signProcessOf(200<<10)) },
		"small":    func(k *frank) { k.asks(methodProcess, signProcess()) },
		"of batch": func(k *frank) { k.asks(methodBatch, batchOf(100)) },
		"of a stream that has ended": func(k *frank) {
			k.sends(k.call(methodStream), true, streamFrame(k.t, 1, 100<<10))
		},
		"of a stream": func(k *frank) {
			k.sends(k.call(methodStream), false, streamFrame(k.t, 1, 100<<10))
		},
	} {
		h := open(t, echo, func(c *Config) { c.Limits.WriteTimeout = 100 * time.Millisecond })
		k := h.mute(t)
		ask(k)
		if got := k.closed(); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
		h.given(t)
		waitFor(t, func() bool {
			return strings.Contains(h.log.String(), `"ended":"connection"`)
		})
	}
}

// Reading other answers does not help for long.
func TestAConnectionWithOneAnswerThatIsNotReadIsClosed(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.WriteTimeout, c.Limits.CallsPerConnection = 100*time.Millisecond, 4 })
	k := h.mute(t)
	k.asks(methodProcess, signProcess())
	ended := make(chan map[string]int)
	go func() { ended <- k.closed() }()
	for {
		select {
		case got := <-ended:
			if got[okay] < 3 {
				t.Errorf("ended: %v", got)
			}
			h.given(t)
			return
		default:
		}
		// The connection may be closed at any time from now on.
		out, err := proto.Marshal(signProcessOf(15 << 10))
		k.must(err)
		id := k.call(methodProcess)
		_ = k.f.WriteData(id, true, announced(len(out), out))
		_ = k.f.WriteWindowUpdate(id, 1<<20)
		time.Sleep(5 * time.Millisecond)
	}
}

func TestASlowReaderIsServed(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.WriteTimeout = time.Second })
	k := h.mute(t)
	id := k.asks(methodProcess, signProcessOf(200<<10))
	for range 100 {
		select {
		case e := <-k.ends:
			if e.stream != id || e.status != okay || len(e.answers) < 200<<10 {
				t.Errorf("%d: %q, %d bytes", e.stream, e.status, len(e.answers))
			}
			h.given(t)
			return
		case <-time.After(150 * time.Millisecond): // three times the write time-out in all
			k.must(k.f.WriteWindowUpdate(id, 10<<10))
		}
	}
	t.Error("it did not end")
}

// What is reset while nothing can be written stays with gRPC, and so it stays reserved.
func TestAnswersThatAreResetStayReservedWhileNothingIsWritten(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading, c.Limits.WriteTimeout = 64<<20, time.Second })
	k := h.mute(t)
	var asked []uint32
	for h.counts.outcomes()["busy"] == 0 {
		asked = append(asked, k.asks(methodProcess, signProcessOf(200<<10)))
		waitFor(t, func() bool { o := h.counts.outcomes(); return o["ok"]+o["busy"] == len(asked) })
	}
	k.deaf()
	k.window(1 << 30)
	waitFor(t, func() bool { // it writes, and then cannot go on
		sent := h.sent.Load()
		time.Sleep(50 * time.Millisecond)
		return sent > 1<<20 && sent == h.sent.Load()
	})
	go func() {
		for _, id := range asked {
			_ = k.f.WriteRSTStream(id, http2.ErrCodeCancel) // the connection may be closed at any time
		}
	}()
	for range 100 {
		if n := h.reading.Taken(); n < 16<<20 {
			t.Fatalf("%d bytes are reserved", n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	waitFor(t, func() bool { return strings.Contains(h.log.String(), `"ended":"connection"`) })
	h.given(t)
}

func TestADrainDoesNotWaitForAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	k := h.mute(t)
	k.asks(methodProcess, signProcessOf(200<<10))
	waitFor(t, func() bool { return h.counts.outcomes()["ok"] == 1 })
	if err := h.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	h.served.Wait()
	k.closed()
	h.given(t)
}

// On a slow link with many answers each has to wait for its turn, and is not taken for one that nobody reads.
func TestAnswersMayWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 64
		d := New(Config{Processor: processor(echo)})
		on := d.tempo.of("hub")
		a := d.arrivalsAt(on.caller, on)
		late := map[uint32]bool{}
		a.unread = func(c *arrival) { late[c.id] = true }
		look := func() map[uint32]bool {
			synctest.Wait()
			return late
		}
		defer a.end()
		for i := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			a.framing.stream = uint32(2*i + 1)
			c := a.begin(ctx, cancel, false)
			kept := pledge{room: d.reading, caller: on.caller, n: 1 << 20}
			if !d.reading.Take(kept.caller, kept.n) {
				t.Fatal("no room")
			}
			c.owe(mem.BufferSlice{mem.SliceBuffer(make([]byte, 8<<20))}, &kept)
			cancel()
			c.leave()
		}
		var out bytes.Buffer
		f := http2.NewFramer(&out, nil)
		round := func(of int) {
			for i := range of {
				_ = f.WriteData(uint32(2*i+1), false, make([]byte, turn))
				a.wrote(out.Bytes())
				out.Reset()
				time.Sleep(turn * time.Second / (8 << 10)) // 8 KiB/s
			}
		}
		for range 3 {
			round(calls)
		}
		if late := look(); len(late) > 0 {
			t.Fatalf("late: %v", late)
		}
		for range 4 * turnsAhead * 256 / calls {
			round(calls - 1) // one has no window
		}
		if late := look(); !late[2*calls-1] || len(late) != 1 {
			t.Errorf("late: %v", late)
		}
		if n := d.reading.Taken(); n != calls<<20 {
			t.Errorf("%d bytes are reserved", n)
		}
		a.end()
		if n := d.reading.Taken(); n != 0 {
			t.Errorf("%d bytes stay reserved", n)
		}
	})
}

// FuzzAnswers gives arbitrary bytes, in two parts, to what follows the frames that gRPC writes.
func FuzzAnswers(f *testing.F) {
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true})
	_ = w.WriteData(1, false, make([]byte, 20_000))
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true, EndStream: true})
	_ = w.WriteRSTStream(3, http2.ErrCodeNo)
	f.Add(b.Bytes(), uint16(9))
	d := New(Config{Processor: processor(echo)})
	f.Fuzz(func(t *testing.T, out []byte, at uint16) {
		on := d.tempo.of("hub")
		a := d.arrivalsAt(on.caller, on)
		for _, id := range []uint32{1, 3} {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a.framing.stream = id
			c := a.begin(ctx, cancel, false)
			if c.opens(); !d.calls.Enter(on.caller) || !d.reading.Take(on.caller, 18_000) {
				t.Fatal("no room")
			}
			kept := pledge{room: d.reading, caller: on.caller, n: 18_000}
			c.owe(mem.BufferSlice{mem.SliceBuffer(make([]byte, 18_000))}, &kept)
			c.leave()
		}
		half := min(int(at), len(out))
		a.wrote(out[:half])
		a.wrote(out[half:])
		a.end()
		if d.reading.Taken() != 0 || d.calls.Taken() != 0 {
			t.Errorf("%d bytes and %d calls are kept", d.reading.Taken(), d.calls.Taken())
		}
	})
}
