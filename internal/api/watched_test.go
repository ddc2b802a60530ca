package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/mem"
)

// between is a connection of gRPC's on one side, and its caller on the other, with nothing between that would hold any bytes.
func between(t *testing.T) (conn, far net.Conn, log *logged) {
	t.Helper()
	log = new(logged)
	d := New(Config{Processor: processor(echo), Logger: slog.New(slog.NewJSONHandler(log, nil))})
	near, far := net.Pipe()
	conn, _, err := shaken{d, t.Context()}.ServerHandshake(near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), far.Close() })
	return conn, far, log
}

// sends sends so many frames of four bytes, after what begins a connection, and gives how many of them have been read.
func sends(t *testing.T, conn, far net.Conn, n int, kind http2.FrameType, took ...func()) *atomic.Int64 {
	t.Helper()
	var sent bytes.Buffer
	f := http2.NewFramer(&sent, nil)
	for range n {
		_ = f.WriteRawFrame(kind, 0, 1, make([]byte, 4))
	}
	go func() { _, _ = io.WriteString(far, http2.ClientPreface+sent.String()) }()
	preface, head, rest := make([]byte, len(http2.ClientPreface)), make([]byte, 9), make([]byte, 4)
	if _, err := io.ReadFull(conn, preface); err != nil {
		t.Fatal(err)
	}
	read := new(atomic.Int64)
	go func() {
		for {
			if _, err := io.ReadFull(conn, head); err != nil {
				return
			}
			if _, err := io.ReadFull(conn, rest); err != nil {
				return
			}
			for _, f := range took {
				f()
			}
			read.Add(1)
		}
	}()
	return read
}

// Nearly every frame makes gRPC hold something until it is written.
func TestWhoDoesNotReadIsNotRead(t *testing.T) {
	t.Parallel()
	for kind, most := range map[http2.FrameType]int64{
		http2.FrameHeaders: 16, http2.FrameContinuation: 16, http2.FrameSettings: 7943, http2.FrameWindowUpdate: 7943, http2.FrameRSTStream: 7943,
		http2.FrameData: 10_000,
	} {
		synctest.Test(t, func(t *testing.T) { whoDoesNotRead(t, kind, most) })
	}
}

func whoDoesNotRead(t *testing.T, kind http2.FrameType, most int64) {
	conn, far, _ := between(t)
	writes := func(n int) {
		for range n {
			_, _ = conn.Write([]byte("an answer"))
		}
	}
	go writes(20)
	synctest.Wait()
	read := sends(t, conn, far, 10_000, kind)
	time.Sleep(time.Minute)
	if n := read.Load(); n != most {
		t.Errorf("%v: %d frames were read while nothing was", kind, n)
	}
	answer := make([]byte, len("an answer"))
	for range 20 {
		_, _ = io.ReadFull(far, answer)
		synctest.Wait()
	}
	synctest.Wait()
	if n := read.Load(); n != 10_000 {
		t.Errorf("%v: %d frames were read", kind, n)
	}
}

// A call that gRPC takes is one of those that a connection may have.
func TestCallsThatAreTakenHoldLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, far, _ := between(t)
		go func() { _, _ = conn.Write([]byte("an answer")) }()
		synctest.Wait()
		a, ctx := conn.(*watched).arrivals, t.Context()
		read := sends(t, conn, far, 1000, http2.FrameHeaders, func() { a.begin(ctx, func() {}, false) })
		time.Sleep(time.Second)
		if n := read.Load(); n < 256 || n > 2*256 {
			t.Errorf("%d calls were read while nothing was", n)
		}
		_ = conn.Close()
	})
}

func TestOfWhoReadsLittleLittleIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, far, _ := between(t)
		go func() {
			for err := error(nil); err == nil; {
				_, err = conn.Write([]byte("an answer"))
			}
		}()
		synctest.Wait()
		read := sends(t, conn, far, 1000, http2.FrameHeaders)
		answer := make([]byte, len("an answer"))
		for n := range int64(100) {
			synctest.Wait()
			if got := read.Load(); got > 16+(1+besideGain)*n {
				t.Fatalf("%d frames were read beside %d answers", got, n)
			}
			_, _ = io.ReadFull(far, answer)
		}
		if read.Load() < 50 {
			t.Errorf("%d frames were read beside 100 answers", read.Load())
		}
	})
}

// Nobody else would notice when there is no call that owes an answer.
func TestAConnectionOnWhichNothingCanBeWrittenIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, far, log := between(t)
		go func() { _, _ = io.ReadFull(far, make([]byte, 5)) }()
		began := time.Now()
		if _, err := conn.Write([]byte("an answer")); err == nil {
			t.Error("it was written")
		}
		if took := time.Since(began); took != longer*30*time.Second {
			t.Errorf("it was closed after %v", took)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(log.String(), `"ended":"connection"`) {
			t.Errorf("%v\n%s", err, log)
		}
	})
}

// gRPC also writes of streams that have not begun: what comes after one that was reset need not have waited for it.
func TestAFrameOfAStreamThatHasNotBegunDoesNotEndThoseThatWereReset(t *testing.T) {
	t.Parallel()
	d := New(Config{Processor: processor(echo)})
	on := d.tempo.of("hub")
	a := d.arrivalsAt(on.caller, on)
	defer a.end()
	a.framing.preface = 0
	var in, out bytes.Buffer
	reads, writes := http2.NewFramer(&in, nil), http2.NewFramer(&out, nil)
	see := func() {
		a.see(in.Bytes())
		in.Reset()
	}
	wrote := func() int {
		a.wrote(out.Bytes())
		out.Reset()
		return d.reading.Taken()
	}
	_ = reads.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true, EndStream: true})
	see()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := a.begin(ctx, cancel, false)
	kept := pledge{room: d.reading, caller: on.caller, n: 1 << 20}
	if !d.reading.Take(kept.caller, kept.n) {
		t.Fatal("no room")
	}
	c.owe(mem.BufferSlice{mem.SliceBuffer(make([]byte, 1<<20))}, &kept)
	c.leave()
	_ = reads.WriteRawFrame(http2.FrameWindowUpdate, 0, 3, make([]byte, 4)) // gRPC resets the stream, which is idle
	_ = reads.WriteRSTStream(1, http2.ErrCodeCancel)
	see()
	a.blocked.Store(true)
	_ = writes.WriteRSTStream(3, http2.ErrCodeFlowControl)
	if n := wrote(); n != 1<<20 {
		t.Errorf("%d bytes are reserved", n)
	}
	_ = writes.WriteRSTStream(5, http2.ErrCodeRefusedStream)
	if n := wrote(); n != 0 {
		t.Errorf("%d bytes stay reserved", n)
	}
}
