package api

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

var switchExample = admission.Caller{Kind: cpm.PrincipalCertificate, Name: "switch.example"}

// askOf asks either port to sign a body of n bytes, and gives the kind of the decline, or "none".
func (h *house) askOf(t *testing.T, p Port, n int) string {
	t.Helper()
	in := signProcessOf(n)
	if p == GRPC {
		if _, err := h.dial().Process(t.Context(), in); err != nil {
			return kindOfStatus(t, err)
		}
		return "none"
	}
	text, err := protojson.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if a := post(t, h.http(), h.url("/v1/process"), strings.NewReader(string(text))); a.status != 200 {
		return a.kind(t)
	}
	return "none"
}

// busyWithBatches opens a door at which one caller has as many batches of a MiB under way as it may, of 8 MiB there are. The function
// it gives too waits for their answers.
func busyWithBatches(t *testing.T, p Port) (*house, func()) {
	t.Helper()
	r := &held{free: make(chan struct{})}
	h := open(t, func(ctx context.Context, q *cpm.Request) (*cpm.Result, error) {
		if q.FSP == "slow" {
			return r.process(ctx, q)
		}
		return echo(ctx, q)
	}, func(c *Config) { c.Limits.Reading = 8 << 20 })
	const most = 2
	var answers []func() batchAnswer
	for range most {
		in := batchOf(1)
		in.Items[0] = signProcessOf(1000 << 10)
		in.Items[0].Fsp = "slow"
		answers = append(answers, h.asksBatch(p, in))
	}
	waitFor(t, func() bool { return r.started.Load() == most })
	return h, func() {
		close(r.free)
		for _, wait := range answers {
			if results := wait().GetResults(); results[0].GetJwsSign() == nil {
				t.Errorf("%.200v", results[0])
			}
		}
	}
}

func TestTheBatchesOfACallerLeaveItsOtherRequestsAWay(t *testing.T) {
	t.Parallel()
	for _, p := range []Port{JSON, GRPC} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			h, end := busyWithBatches(t, p)
			large := &cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{signProcessOf(1000 << 10)}}
			if _, err := h.dial().Batch(t.Context(), large); kindOfStatus(t, err) != "busy" {
				t.Error(err)
			}
			text, err := protojson.Marshal(large)
			if err != nil {
				t.Fatal(err)
			}
			if a := post(t, h.http(), h.url("/v1/batch"), strings.NewReader(string(text))); a.status != 429 || a.kind(t) != "busy" {
				t.Errorf("%d %s", a.status, a.body)
			}
			for _, q := range []Port{JSON, GRPC} {
				if results, _ := askBatch(t, h, q, batchOf(3)); results[2].GetJwsSign() == nil {
					t.Errorf("a small batch over %s: %v", q, results)
				}
				for _, n := range []int{100, 5 << 20} {
					if kind := h.askOf(t, q, n); kind != "none" {
						t.Errorf("%d bytes over %s: %s", n, q, kind)
					}
				}
			}
			s := h.talk(t.Context())
			s.ask(1, signProcessOf(5<<20))
			if _, r := s.hear(); r.GetJwsSign() == nil {
				t.Errorf("%.200v", r)
			}
			end()
			for range 4 { // what was kept has been given back
				waitFor(t, func() bool { return h.reading.Taken() == 0 })
				if results, _ := askBatch(t, h, p, large); results[0].GetJwsSign() == nil {
					t.Errorf("%.200v", results[0])
				}
			}
			waitFor(t, func() bool { return h.reading.Taken() == 0 })
			for range 2 { // and is there for as many as before
				if _, ok := reserve(h.reading, switchExample, 1<<20, true, small); !ok {
					t.Error("no room")
				}
			}
			h.reading.Shorten(switchExample, 2<<20)
			h.reading.Give(switchExample, 2<<20)
		})
	}
}

// What is small is held for a moment. It waits for nothing that its caller has on the way.
func TestASmallRequestFindsRoomWhateverElseItsCallerSends(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 8 << 20 })
	k := h.frank(t, "switch.example")
	for range 4 {
		k.begin(methodProcess, 1<<20)
	}
	waitFor(t, func() bool { return h.reading.Taken() == 4<<20 })
	for p, sizes := range map[Port][2]int{JSON: {2 << 10, 5 << 10}, GRPC: {15 << 10, 17 << 10}} {
		if kind := h.askOf(t, p, sizes[0]); kind != "none" {
			t.Errorf("small over %s: %s", p, kind)
		}
		if kind := h.askOf(t, p, sizes[1]); kind != "busy" {
			t.Errorf("not small over %s: %s", p, kind)
		}
	}
	s := h.talk(t.Context())
	s.ask(1, signProcessOf(15<<10))
	if _, r := s.hear(); r.GetJwsSign() == nil {
		t.Errorf("%.200v", r)
	}
}
