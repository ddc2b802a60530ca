package api

import (
	"errors"
	"net"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/mem"
)

func TestBuffersAreReusedWithinTheirClass(t *testing.T) {
	t.Parallel()
	b := newBuffers()
	for _, n := range []int{0, 1, smallest, smallest + 1, 6 << 20, 8 << 20, 8<<20 + 1, 32 << 20} {
		p := b.get(n)
		if len(*p) != 0 || cap(*p) < n || cap(*p) > max(smallest, 2*n-1) && n != 0 {
			t.Errorf("%d: length %d, capacity %d", n, len(*p), cap(*p))
		}
		b.put(p)
	}
	large := b.get(3 << 19)
	b.put(large)
	if b.get(7<<18) != large || b.get(7<<18) == large {
		t.Error("a large buffer is not kept, or given twice")
	}
	grown := make([]byte, 10, 3*smallest)
	b.put(&grown)
	small := make([]byte, 0, 10)
	b.put(&small)
	for range 4 {
		if p := b.get(smallest); len(*p) != 0 || cap(*p) < smallest {
			t.Errorf("length %d, capacity %d", len(*p), cap(*p))
		}
		if p := b.get(2 * smallest); cap(*p) < 2*smallest {
			t.Errorf("capacity %d", cap(*p))
		}
		if p := b.get(4 * smallest); cap(*p) < 4*smallest {
			t.Errorf("capacity %d", cap(*p))
		}
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	t.Parallel()
	if (Limits{}).orDefault() != DefaultLimits() {
		t.Errorf("%+v", (Limits{}).orDefault())
	}
	if got := (Limits{Body: 7, Linger: 3}).orDefault(); got.Body != 7 || got.Linger != 3 || got.Batch != DefaultLimits().Batch {
		t.Errorf("%+v", got)
	}
}

func TestTheCodecKnowsItsOwnMessagesOnly(t *testing.T) {
	t.Parallel()
	if _, err := (codec{}).Marshal("x"); !errors.Is(err, errCodec) {
		t.Error(err)
	}
	if err := (codec{}).Unmarshal(nil, "x"); !errors.Is(err, errCodec) {
		t.Error(err)
	}
	if _, err := seal(wrapperspb.String("\xff"), newBuffers()); err == nil {
		t.Error("not UTF-8")
	}
	if _, err := seal(wrapperspb.String(string(make([]byte, 1<<20))+"\xff"), newBuffers()); err == nil {
		t.Error("not UTF-8")
	}
	if _, _, err := (shaken{}).ClientHandshake(t.Context(), "", nil); err == nil {
		t.Error("the credentials are a server's")
	}
}

func TestAPlaceIsLeftOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	p := &place{Conn: c, leave: func(*place) { left++ }, closed: make(chan struct{})}
	if err := p.CloseWrite(); err != nil {
		t.Error(err)
	}
	_, _ = p.Close(), p.Close()
	if left != 1 {
		t.Error(left)
	}
	piped, other := net.Pipe()
	defer func() { _ = other.Close() }()
	if err := (&place{Conn: piped}).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func TestAMessageIsKeptInNoMoreThanTwiceItsBytes(t *testing.T) {
	t.Parallel()
	c := codec{newBuffers()}
	for _, n := range []int{5 << 10, 33 << 10, 300 << 10, 1<<20 + 1, 3 << 20} {
		var f frame
		if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(make([]byte, n-1)), mem.SliceBuffer{1}}, &f); err != nil {
			t.Fatal(err)
		}
		if b := f.bytes(); len(b) != n || cap(b) > 2*n || b[n-1] != 1 {
			t.Errorf("a message of %d bytes has %d, in memory of %d", n, len(b), cap(b))
		}
		f.free()
	}
}
