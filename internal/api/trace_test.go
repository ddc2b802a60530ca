package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

const (
	trace  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	trace2 = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// TestTracesReachTheProcessor asks through every door with a place in a trace.
func TestTracesReachTheProcessor(t *testing.T) {
	t.Parallel()
	var (
		mu  sync.Mutex
		got []cpm.TraceParent
	)
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Trace)
		return echo(ctx, r)
	})
	askJSON(t, h, "/v1/process", `{"fsp":"f","jwsSign":`+sign+`}`, trace)
	askJSON(t, h, "/v1/batch", `{"items":[{"fsp":"f","jwsSign":`+sign+`}]}`, trace)
	askJSON(t, h, "/v1/process", `{"fsp":"f","jwsSign":`+sign+`}`, "not a trace")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", trace)
	if _, err := h.dial().Process(ctx, signProcess()); err != nil {
		t.Fatal(err)
	}
	stream, err := h.dial().Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, own := range []string{"", trace2} {
		if err := stream.Send(&cpmv1.StreamRequest{Id: uint64(i + 1), Request: signProcess(), Traceparent: own}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	want := []cpm.TraceParent{trace, trace, "", trace, trace, trace2}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != len(want) {
		t.Fatalf("%d requests, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("request %d has %q, want %q", i, got[i], want[i])
		}
	}
}

func askJSON(t *testing.T, h *house, path, body, traceparent string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Traceparent", traceparent)
	if a := do(t, h.http(), r); a.status != http.StatusOK {
		t.Errorf("%s: %d %s", path, a.status, a.body)
	}
}
