package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// quick is a run that takes no longer than it must.
func quick(f *fake, out *bytes.Buffer) Config {
	return Config{
		Address: f.http, GRPCAddress: f.grpc, Duration: 10 * time.Millisecond, Concurrency: 8, Batch: 10, Rounds: 2,
		Out: out, Format: formatJSON, ServerPID: os.Getpid(),
	}
}

// onlyES256 keeps a run to the key whose primitive is made in no time.
func onlyES256(c Config) Config {
	c.Keys = []Key{{Name: "jws-ec", Algorithm: algorithmES256}}
	return c
}

func decode(t *testing.T, out *bytes.Buffer) report {
	t.Helper()
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("the report is not JSON: %v", err)
	}
	return r
}

func TestEveryOperationTheServerSawIsInTheReport(t *testing.T) {
	t.Parallel()
	f, out := newFake(t), new(bytes.Buffer)
	c := quick(f, out)
	c.Rates = []int{500}
	var progress bytes.Buffer
	c.Progress = &progress
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r := decode(t, out)
	const keys, operations, rounds = 2, 2, 2
	if got, want := len(r.Closed), keys*operations*6; got != want {
		t.Errorf("%d rows of the closed loop, want %d", got, want)
	}
	if got, want := strings.Count(progress.String(), "\n"), rounds*keys*operations*(6+3); got != want {
		t.Errorf("%d lines of progress, want %d:\n%s", got, want, progress.String())
	}
	if got, want := len(r.Open), keys*operations*3; got != want {
		t.Errorf("%d rows of the open loop, want %d", got, want)
	}
	// Beside what was timed: signing each message and the two verifications of each key, a warm-up call of every caller, and
	// the samples.
	want := keys*(distinct+2) + r.Sampled
	for _, row := range append(r.Closed, r.Open...) {
		if row.Transport == "" {
			continue
		}
		if row.Succeeded == 0 || row.Failed != 0 {
			t.Errorf("%s %s %s: %d succeeded, %d failed", row.Algorithm, row.Operation, row.Transport, row.Succeeded, row.Failed)
		}
		want += row.Succeeded + rounds*row.InFlight*row.PerCall
	}
	if got := int(f.operations()); got != want {
		t.Errorf("the server saw %d operations, the report has %d", got, want)
	}
	if r.Sampled == 0 || r.SampledGood != r.Sampled {
		t.Errorf("%d of %d samples good", r.SampledGood, r.Sampled)
	}
}

func TestFailedOperationsAreCountedShownAndAnError(t *testing.T) {
	t.Parallel()
	f, out := newFake(t), new(bytes.Buffer)
	f.declineEvery, f.prepared = 7, distinct+2
	err := Run(t.Context(), onlyES256(quick(f, out)))
	if !errors.Is(err, fault.Device) {
		t.Errorf("error %v, want a fault.Device", err)
	}
	r := decode(t, out)
	if got, want := r.failures(), int(f.declined.Load()); got != want || got == 0 {
		t.Errorf("the report has %d failures, the server declined %d", got, want)
	}
	for _, l := range r.Failures {
		if !strings.Contains(l.Reason, "2005") {
			t.Errorf("the reason %q does not have the server's code", l.Reason)
		}
	}
	seen := map[string]bool{}
	for _, row := range r.Closed {
		seen[row.Transport] = seen[row.Transport] || row.Failed > 0
	}
	for _, name := range allTransports() {
		if !seen[name] {
			t.Errorf("%s has no failures", name)
		}
	}
}

func TestSignaturesThatDoNotVerifyAreFound(t *testing.T) {
	t.Parallel()
	f, out := newFake(t), new(bytes.Buffer)
	f.spoil, f.prepared = true, distinct+2
	c := onlyES256(quick(f, out))
	c.Operations = []string{opSign}
	if err := Run(t.Context(), c); !errors.Is(err, fault.Device) {
		t.Errorf("error %v, want a fault.Device", err)
	}
	r := decode(t, out)
	if r.SampledGood != 0 || r.Sampled == 0 || r.failures() != r.Sampled {
		t.Errorf("%d of %d samples good, %d failures", r.SampledGood, r.Sampled, r.failures())
	}
	if len(r.Failures) == 0 || !strings.Contains(r.Failures[0].Reason, "signature-mismatch") {
		t.Errorf("failures %v, want signature-mismatch", r.Failures)
	}
}

func TestServersThatCannotBeMeasuredAreRefusedBeforehand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*fake, *Config)
		want   error
	}{
		"accepts a tampered message": {func(f *fake, _ *Config) { f.accept = true }, fault.Invalid},
		"key of another algorithm":   {func(_ *fake, c *Config) { c.Keys = []Key{{Name: "jws", Algorithm: algorithmES256}} }, fault.Invalid},
		"nobody there":               {func(_ *fake, c *Config) { c.Address = "http://127.0.0.1:1" }, fault.Unavailable},
		"declines to sign":           {func(f *fake, _ *Config) { f.declineEvery = 1 }, fault.Unavailable},
		"no such process":            {func(_ *fake, c *Config) { c.ServerPID = 1 << 30 }, fault.Invalid},
		"transports without address": {func(_ *fake, c *Config) { c.GRPCAddress, c.Transports = "", []string{"grpc", "stream"} }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, out := newFake(t), new(bytes.Buffer)
			c := quick(f, out)
			test.change(f, &c)
			if err := Run(t.Context(), c); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if out.Len() != 0 {
				t.Errorf("there is a report: %s", out)
			}
		})
	}
}

func TestARunWithOnePortUsesThatOne(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"json": {func(c *Config) { c.GRPCAddress = "" }, []string{"", "json", "json-batch"}},
		"grpc": {func(c *Config) { c.Address = "" }, []string{"", "grpc", "stream", "grpc-batch"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, out := newFake(t), new(bytes.Buffer)
			c := quick(f, out)
			c = onlyES256(c)
			c.Operations, c.Rounds = []string{opVerify}, 1
			test.change(&c)
			if err := Run(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range decode(t, out).Closed {
				got = append(got, row.Transport)
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("transports %q, want %q", got, test.want)
			}
		})
	}
}

func TestARunSpeaksTLSOnBothPorts(t *testing.T) {
	t.Parallel()
	f, trust := newFakeTLS(t)
	out := new(bytes.Buffer)
	c := onlyES256(quick(f, out))
	c.Rounds, c.TLS = 1, trust
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if r := decode(t, out); r.Load.JSON != "https" || r.Load.GRPC != "TLS" || len(r.Closed) != 2*6 {
		t.Errorf("load %+v, %d rows", r.Load, len(r.Closed))
	}
	c.TLS = nil
	if err := Run(t.Context(), c); !errors.Is(err, fault.Unavailable) {
		t.Errorf("without trust: %v, want fault.Unavailable", err)
	}
}

func TestARunThatIsCancelledEndsWithoutAReport(t *testing.T) {
	t.Parallel()
	f, out := newFake(t), new(bytes.Buffer)
	ctx, cancel := context.WithCancel(t.Context())
	c := onlyES256(quick(f, out))
	c.Rounds = maxRounds
	c.Progress = writerFunc(func([]byte) { cancel() })
	if err := Run(ctx, c); !errors.Is(err, fault.Timeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want fault.Timeout because of the cancellation", err)
	}
	if out.Len() != 0 {
		t.Error("there is a report")
	}
}

func TestAStreamThatBreaksFailsItsCallsAndNothingHangs(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(f *fake, s streamServer, r *cpmv1.StreamRequest) error{
		"wrong id": func(f *fake, s streamServer, r *cpmv1.StreamRequest) error {
			return s.Send(&cpmv1.StreamResponse{Id: r.GetId() + 1<<40, Response: f.process(r.GetRequest())})
		},
		"id of no caller": func(f *fake, s streamServer, r *cpmv1.StreamRequest) error {
			return s.Send(&cpmv1.StreamResponse{Id: r.GetId() | 1<<callerBits - 1, Response: f.process(r.GetRequest())})
		},
		"twice": func(f *fake, s streamServer, r *cpmv1.StreamRequest) error {
			a := &cpmv1.StreamResponse{Id: r.GetId(), Response: f.process(r.GetRequest())}
			return errors.Join(s.Send(a), s.Send(a))
		},
		"error": func(*fake, streamServer, *cpmv1.StreamRequest) error {
			return statusOf(fault.New(fault.Busy, "no").Message("1"))
		},
		"end of answers": func(*fake, streamServer, *cpmv1.StreamRequest) error { return io.EOF },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, out := newFake(t), new(bytes.Buffer)
			f.stream = func(f *fake, s streamServer) error {
				for {
					r, err := s.Recv()
					if err == nil {
						err = answer(f, s, r)
					}
					if errors.Is(err, io.EOF) {
						return nil
					}
					if err != nil {
						return err
					}
				}
			}
			c := onlyES256(quick(f, out))
			c.Operations, c.Transports, c.Rounds, c.Rates = []string{opSign}, []string{transportStream}, 1, []int{200}
			if err := Run(t.Context(), c); !errors.Is(err, fault.Device) {
				t.Errorf("error %v, want fault.Device", err)
			}
			r := decode(t, out)
			if len(r.Failures) == 0 || !strings.Contains(r.Failures[0].Reason, "the stream ended") {
				t.Errorf("failures %v", r.Failures)
			}
		})
	}
}

// writerFunc is an io.Writer for tests.
type writerFunc func(p []byte)

func (w writerFunc) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
