package api

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

const panicCanary = "canary of a panic"

// explosive is a result that cannot be looked at.
type explosive struct{ *cpmv1.JwsSignResponse }

func (explosive) ProtoReflect() protoreflect.Message { panic(panicCanary) }

// unknownContent is a content that cannot be encoded, as protobuf does not know it.
type unknownContent struct{ *cpmv1.JwsSignResponse_Body }

// odd is a Processor whose results cannot be looked at, or not be encoded, for some FSPs.
func odd(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	switch r.FSP {
	case "explosive":
		return &cpm.Result{Payload: cpm.Payload{Message: explosive{}}}, nil
	case "unknown":
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JwsSignResponse{Content: unknownContent{}}}}, nil
	}
	return echo(ctx, r)
}

func of(fsp string) *cpmv1.ProcessRequest {
	r := signProcess()
	r.Fsp = fsp
	return r
}

func (h *house) loggedNoPanicsValue() {
	h.t.Helper()
	if text := h.log.String(); !strings.Contains(text, "port.panic") || strings.Contains(text, panicCanary) {
		h.t.Error(text)
	}
}

func TestAPanicWithAnItemOfABatchIsThatItemsOwn(t *testing.T) {
	t.Parallel()
	for _, p := range []Port{JSON, GRPC} {
		for _, lanes := range []int{1, 4} {
			h := open(t, odd, func(c *Config) { c.Limits.BatchParallel = lanes })
			in := &cpmv1.BatchRequest{}
			for range 10 {
				in.Items = append(in.Items, of("explosive"), of("f"), of("unknown"))
			}
			results, _ := askBatch(t, h, p, in)
			for i, r := range results {
				want := in.GetItems()[i].GetFsp()
				if (want == "f") != (r.GetJwsSign() != nil) || want != "f" && refused(r) != "internal" {
					t.Errorf("%s: %s: %v", p, want, r)
				}
			}
			if n := h.counts.outcomes(); n["ok"] != 10 || n["internal"] != 20 {
				t.Errorf("%v", n)
			}
			h.loggedNoPanicsValue()
		}
	}
}

func TestAPanicWhileAnAnswerIsEncodedEndsThatRequestOnly(t *testing.T) {
	t.Parallel()
	h := open(t, odd)
	s := h.talk(t.Context())
	for i, fsp := range []string{"unknown", "f", "explosive", "unknown", "f"} {
		s.ask(uint64(i+1), of(fsp))
		if id, r := s.hear(); id != uint64(i+1) || (fsp == "f") != (r.GetJwsSign() != nil) || fsp != "f" && refused(r) != "internal" {
			t.Errorf("%d %s: %v", id, fsp, r)
		}
	}
	h.loggedNoPanicsValue()
}

// panicking is a Metrics that cannot count answers.
type panicking struct{ *counts }

func (panicking) Answered(Answer) { panic(panicCanary) }

func TestAnAnswerThatCannotBeCountedIsGiven(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Metrics = panicking{newCounts()} })
	for _, p := range []Port{JSON, GRPC} {
		if kind := h.askOf(t, p, 100); kind != "none" {
			t.Errorf("%s: %s", p, kind)
		}
		results, _ := askBatch(t, h, p, batchOf(20))
		for _, r := range results {
			if r.GetJwsSign() == nil {
				t.Errorf("%s: %v", p, r)
			}
		}
	}
	s := h.talk(t.Context())
	s.ask(1, signProcess())
	if _, r := s.hear(); r.GetJwsSign() == nil {
		t.Error(r)
	}
	h.loggedNoPanicsValue()
}
