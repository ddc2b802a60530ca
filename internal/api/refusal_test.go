package api

import (
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

// ids are those of the results that came before the end of a stream.
func (e end) ids(t *testing.T) (all []uint64) {
	t.Helper()
	for rest := e.answers; len(rest) > 0; {
		n := 5 + int(binary.BigEndian.Uint32(rest[1:5]))
		var m cpmv1.StreamResponse
		if err := proto.Unmarshal(rest[5:n], &m); err != nil {
			t.Fatal(err)
		}
		if m.GetResponse().GetJwsSign() != nil { // and not a decline of what was cut off
			all = append(all, m.GetId())
		}
		rest = rest[n:]
	}
	slices.Sort(all)
	return all
}

// TestAStreamForWhichThereIsNoRoomIsAnsweredFirst: what was begun has its answer before the status, which says so, unless that
// takes too long or too much comes meanwhile.
func TestAStreamForWhichThereIsNoRoomIsAnsweredFirst(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		patience time.Duration
		then     func(k *frank, id uint32, free func())
		answered string
		answers  []uint64
	}{
		"answered": {time.Minute, func(_ *frank, _ uint32, free func()) { free() }, "all", []uint64{1, 2, 3}},
		"too long": {200 * time.Millisecond, nil, "", nil},
		"as much as the window has": {time.Minute, func(k *frank, id uint32, free func()) {
			for range 250 {
				k.must(k.f.WriteData(id, false, make([]byte, 1<<10)))
			}
			free()
		}, "all", []uint64{1, 2, 3}},
		"too much, in small pieces": {time.Minute, func(k *frank, id uint32, _ func()) {
			for range 4500 { // less than the window has
				k.must(k.f.WriteData(id, false, []byte{1}))
			}
		}, "", nil},
		"too much, in padded pieces": {time.Minute, func(k *frank, id uint32, _ func()) {
			for range 1500 { // for which it is opened anew
				k.must(k.f.WriteDataPadded(id, false, []byte{1}, make([]byte, 255)))
			}
		}, "", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			free := make(chan struct{})
			h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
				select {
				case <-free:
					return echo(ctx, r)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}, func(c *Config) { c.Limits.Reading, c.Limits.WriteTimeout = 1<<20, test.patience })
			k := h.frank(t, "switch.example")
			id := k.call(methodStream)
			for i := range uint64(3) {
				k.must(k.f.WriteData(id, false, streamFrame(t, i+1, 100)))
			}
			waitFor(t, func() bool { return h.counts.read(h.counts.inFlight, GRPC) == 3 })
			k.must(k.f.WriteData(id, false, announced(2<<20, make([]byte, 100))))
			// The CPM reads in order: when it has refused this one, it has refused that one.
			other := k.begin(methodProcess, 2<<20)
			ended := map[uint32]end{}
			e := await(t, "the first end", k.ends)
			ended[e.stream] = e
			if test.patience == time.Minute {
				if e.stream != other {
					t.Fatalf("the stream did not wait: %+v", e)
				}
				time.Sleep(50 * time.Millisecond) // in which one that does not wait would end
				test.then(k, id, func() { close(free) })
			}
			e = await(t, "the second end", k.ends)
			ended[e.stream] = e
			e = ended[id]
			if e.status != resourceExhausted || e.pushed != "1000" || e.answered != test.answered {
				t.Errorf("%+v", e)
			}
			if got := e.ids(t); !slices.Equal(got, test.answers) {
				t.Errorf("answers: %v", got)
			}
		})
	}
}

// TestWhatIsRefusedIsNotAskedFor: a caller that sends as it may, and on and on, is not asked for the rest of what was refused, which
// would be too much while the others are answered.
func TestWhatIsRefusedIsNotAskedFor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{200 << 10, 600 << 10, 2 << 20} {
		var begun atomic.Int64
		h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
			begun.Add(1)
			select {
			case <-time.After(100 * time.Millisecond):
				return echo(ctx, r)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, func(c *Config) { c.Limits.Reading = 100 << 10 })
		c := h.talk(t.Context())
		for i := range uint64(3) {
			c.ask(i+1, signProcessOf(100))
		}
		waitFor(t, func() bool { return begun.Load() == 3 })
		c.ask(9, signProcessOf(n))
		answers := 0
		for {
			m, err := c.Recv()
			if err != nil {
				if status.Code(err) != codes.ResourceExhausted {
					t.Error(err)
				}
				break
			}
			if m.GetResponse().GetJwsSign() != nil {
				answers++
			}
		}
		if told := c.Trailer().Get("cpm-answered"); answers != 3 || !slices.Equal(told, []string{"all"}) {
			t.Errorf("%d bytes: %d answers, and the trailer says %q", n, answers, told)
		}
	}
}

// trailing is a slow caller's stream that remembers its trailer.
type trailing struct {
	slow
	trailer metadata.MD
}

func (s *trailing) SetTrailer(m metadata.MD) { s.trailer = metadata.Join(s.trailer, m) }

func TestAnAnswerThatIsGivenUpIsNotCalledAnswered(t *testing.T) {
	t.Parallel()
	for each, want := range map[time.Duration]int{20 * time.Second: 1, 40 * time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := &trailing{slow: slow{script{ctx: context.WithValue(ctx, tapKey{}, tapped{stop: stop, requests: t.Context()})}, each}}
			c.next = func(int) error { return nil }
			s := play(c, 1)
			go func() { _ = s.read() }()
			time.Sleep(2 * time.Second) // the answer is being sent
			s.close()
			s.settle()
			if got := len(c.trailer.Get("cpm-answered")); got != want {
				t.Errorf("an answer that takes %v: %v", each, c.trailer)
			}
		})
	}
}
