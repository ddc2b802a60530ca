package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

// askBatch sends a batch to either port, and gives the results and how many bytes the answer has, in JSON.
func askBatch(t *testing.T, h *house, p Port, in *cpmv1.BatchRequest) (out []*cpmv1.ProcessResponse, size int) {
	t.Helper()
	a := h.asksBatch(p, in)()
	return a.GetResults(), a.size
}

// batchAnswer is the answer to a batch, and how many bytes it has in JSON.
type batchAnswer struct {
	*cpmv1.BatchResponse
	size int
}

// asksBatch is askBatch beside the test. What it gives waits for the answer.
func (h *house) asksBatch(p Port, in *cpmv1.BatchRequest) (wait func() batchAnswer) {
	h.t.Helper()
	const what = "the answer to a batch"
	if p == GRPC {
		client := h.dial()
		return beside(h.t, what, func() (batchAnswer, error) {
			r, err := client.Batch(h.t.Context(), in)
			return batchAnswer{r, 0}, err
		})
	}
	text, err := protojson.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	client := h.http()
	return beside(h.t, what, func() (batchAnswer, error) {
		a, err := send(h.t.Context(), client, h.url("/v1/batch"), strings.NewReader(string(text)))
		if err != nil || a.status != http.StatusOK {
			return batchAnswer{}, fmt.Errorf("%d %.200s %w", a.status, a.body, err)
		}
		r := new(cpmv1.BatchResponse)
		return batchAnswer{r, len(a.body)}, protojson.Unmarshal([]byte(a.body), r)
	})
}

func TestTheResultsOfABatchAreBounded(t *testing.T) {
	t.Parallel()
	const most, items, declines = 64 << 10, 100, 100 * 400
	for name, c := range map[string]struct {
		port Port
		body string
		each int // what a result has at least, in the port's encoding
	}{
		"gRPC":                    {GRPC, strings.Repeat("x", 6000), 6000},
		"JSON":                    {JSON, strings.Repeat("x", 6000), 6000},
		"what JSON has to escape": {JSON, strings.Repeat("\x01", 1000), 6000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var done atomic.Int64
			h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
				done.Add(1)
				return echo(ctx, r)
			}, func(l *Config) { l.Limits.BatchParallel, l.Limits.BatchResults = 1, most })
			in := batchOf(items)
			for _, item := range in.GetItems() {
				item.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: c.body}
			}
			results, size := askBatch(t, h, c.port, in)
			const good = 10 // of a little more than 6,000 bytes
			for i, r := range results {
				text := r.GetError().GetErrorInformation().GetErrorDescription()
				switch {
				case i < good && r.GetJwsSign().GetBody() != c.body,
					i == good && (refused(r) != "too-large" || !strings.Contains(text, "it was done")),
					i > good && (refused(r) != "too-large" || !strings.Contains(text, "in a smaller one")):
					t.Errorf("%d: %.200v", i, r)
				}
			}
			if done.Load() != good+1 || size > most+declines {
				t.Errorf("%d done, the answer has %d bytes", done.Load(), size)
			}
			if n := h.counts.outcomes(); n["ok"] != good || n["too-large"] != items-good {
				t.Errorf("%v", n)
			}
			if n := strings.Count(h.log.String(), "port.declined"); n != 1 {
				t.Errorf("%d lines of one batch", n)
			}
		})
	}
}

func TestAResultThatCannotBeWrittenIsDeclinedAlone(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "bad" {
			return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Algorithm: "\xff"}}}, nil
		}
		return echo(ctx, r)
	})
	in := batchOf(3)
	in.Items[1].Fsp = "bad"
	results, _ := askBatch(t, h, JSON, in)
	if results[0].GetJwsSign() == nil || refused(results[1]) != "internal" || results[2].GetJwsSign() == nil {
		t.Error(results)
	}
}

func TestABatchIsAmongTheBytesOfRequestsUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	for _, p := range []Port{JSON, GRPC} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			r := &held{free: make(chan struct{})}
			h := open(t, func(ctx context.Context, q *cpm.Request) (*cpm.Result, error) {
				if q.FSP == "other" {
					return echo(ctx, q)
				}
				return r.process(ctx, q)
			}, func(c *Config) { c.Limits.Reading = 100 << 10 })
			in, other := batchOf(1), signProcess()
			other.Fsp = "other"
			body := strings.Repeat("x", 60<<10)
			for _, m := range []*cpmv1.ProcessRequest{in.Items[0], other} {
				m.GetJwsSign().Content = &cpmv1.JwsSignRequest_Body{Body: body}
			}
			answered := h.asksBatch(p, in)
			waitFor(t, func() bool { return r.started.Load() == 1 })
			client := h.dial()
			if _, err := client.Process(t.Context(), other); kindOfStatus(t, err) != "busy" {
				t.Error(err)
			}
			close(r.free)
			if a := answered().GetResults()[0]; a.GetJwsSign().GetBody() != body {
				t.Errorf("%.200v", a)
			}
			waitFor(t, func() bool {
				_, err := client.Process(t.Context(), other)
				return err == nil
			})
		})
	}
}

func TestABatchKeepsWhatWasReservedWhileItCame(t *testing.T) {
	t.Parallel()
	d := New(Config{Processor: processor(echo)})
	in, err := proto.Marshal(&cpmv1.BatchRequest{Items: []*cpmv1.ProcessRequest{signProcess()}})
	if err != nil {
		t.Fatal(err)
	}
	// What the batch gave back would be taken by others at once: there is no room but its own.
	others, own := admission.Caller{Name: "others"}, admission.NewRoom[admission.Caller](len(in))
	if !d.reading.TakeFree(others, d.reading.Most()) || !own.TakeFree(admission.Caller{}, len(in)) {
		t.Fatal("no room")
	}
	x := &rpc{door: d, ctx: t.Context(), inquiry: d.begin(GRPC, "id", cpm.Principal{}, &pace{}), in: frame{
		data: mem.SliceBuffer(in), length: len(in), pledge: pledge{room: own, n: len(in)},
	}}
	out, e := d.unaryBatch(x)
	if e != nil || out.(*cpmv1.BatchResponse).GetResults()[0].GetJwsSign() == nil {
		t.Error(out, e)
	}
	if own.Taken() != len(in) {
		t.Errorf("%d bytes are reserved until the answer is encoded", own.Taken())
	}
	x.kept.give()
	if own.Taken() != 0 || d.reading.Taken() != d.reading.Most() {
		t.Errorf("%d bytes stay reserved, others have %d", own.Taken(), d.reading.Taken())
	}
}
