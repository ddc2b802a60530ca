package bench

import (
	"runtime"
	"slices"
	"time"
)

// result is one case in one round.
type result struct {
	succeeded, failed, unsent int
	// rate is operations that succeeded, per second.
	rate float64
	// client and server are CPU time in µs for each operation; unknown if negative.
	client, server float64
	// other is the share of the machine that neither of them used; unknown if negative.
	other float64
	// p50, p99 and max are latencies of calls, late is the 99th percentile of the driver's own lateness in the open loop;
	// unknown where there is nothing to count.
	p50, p99, max, late time.Duration
	// raw is the raw primitive in the same round, nil for itself.
	raw *result
}

// newResult makes figures of what was recorded.
func newResult(done *record, elapsed time.Duration, used usage) result {
	slices.Sort(done.latencies)
	slices.Sort(done.lateness)
	return result{
		succeeded: done.succeeded,
		failed:    done.failed,
		unsent:    done.unsent,
		rate:      float64(done.succeeded) / elapsed.Seconds(),
		client:    perOperation(used.client, done.succeeded),
		server:    perOperation(used.server, done.succeeded),
		other:     otherLoad(used, elapsed),
		p50:       knownPercentile(done.latencies, 0.50),
		p99:       knownPercentile(done.latencies, 0.99),
		max:       knownPercentile(done.latencies, 1),
		late:      knownPercentile(done.lateness, 0.99),
	}
}

func knownPercentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return unknown
	}
	return percentile(sorted, p)
}

// notOpened is a case that could not even begin.
func notOpened() result {
	return newResult(&record{failed: 1}, time.Second, usage{client: unknown, server: unknown, machine: unknown})
}

// perOperation is in µs, negative if unknown.
func perOperation(used time.Duration, operations int) float64 {
	if used == unknown || operations == 0 {
		return -1
	}
	return float64(used) / float64(time.Microsecond) / float64(operations)
}

// otherLoad is the share of the machine, 0 to 1, that others used; negative if unknown.
func otherLoad(used usage, elapsed time.Duration) float64 {
	if used.machine == unknown || used.client == unknown || used.server == unknown {
		return -1
	}
	other := max(0, used.machine-used.client-used.server)
	return other.Seconds() / elapsed.Seconds() / float64(runtime.NumCPU())
}

// ofRaw is the rate as a share of the raw primitive's.
func (r result) ofRaw() float64 {
	if r.raw == nil || r.raw.rate == 0 {
		return -1
	}
	return r.rate / r.raw.rate
}

// cpuOfRaw is the CPU time of both sides as a multiple of the raw primitive's.
func (r result) cpuOfRaw() float64 {
	if r.raw == nil || r.raw.client <= 0 || r.client < 0 || r.server < 0 {
		return -1
	}
	return (r.client + r.server) / r.raw.client
}

// row is a series in figures: a line of the report.
type row struct {
	Algorithm string `json:"algorithm"`
	Operation string `json:"operation"`
	// Transport is empty for the raw primitive, which Primitive describes.
	Transport string `json:"transport,omitempty"`
	Primitive string `json:"primitive,omitempty"`
	// Arrivals is calls per second of the open loop.
	Arrivals int `json:"arrivalsPerSecond,omitempty"`
	// InFlight is the number of callers, PerCall that of operations in each call.
	InFlight int `json:"inFlight"`
	PerCall  int `json:"operationsPerCall"`

	Rate  span  `json:"operationsPerSecond"`
	OfRaw *span `json:"ofRaw,omitempty"`
	// ClientCPU and ServerCPU are µs for each operation.
	ClientCPU *span `json:"clientCpuMicroseconds,omitempty"`
	ServerCPU *span `json:"serverCpuMicroseconds,omitempty"`
	// CPUOfRaw is both together, as a multiple of the raw primitive's.
	CPUOfRaw *span `json:"cpuOfRaw,omitempty"`
	// OtherLoad is the share of the machine that others used.
	OtherLoad *span `json:"otherLoad,omitempty"`

	// P50 and P99 are medians of the rounds, Max is that of all; milliseconds, for a batch those of the whole call.
	P50 float64 `json:"p50Milliseconds"`
	P99 float64 `json:"p99Milliseconds"`
	Max float64 `json:"maxMilliseconds"`
	// Late is the part of the open loop's P99 that can be the driver's own.
	Late float64 `json:"lateP99Milliseconds,omitempty"`

	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Unsent    int `json:"unsent"`
}

// row turns the rounds into figures.
func (s *series) row() row {
	r := row{
		Algorithm: s.workload.key.Algorithm, Operation: s.workload.operation, Arrivals: s.rate, PerCall: 1,
		Rate:      spanOf(s.each(func(r result) float64 { return r.rate })),
		ClientCPU: s.known(func(r result) float64 { return r.client }),
		ServerCPU: s.known(func(r result) float64 { return r.server }),
		OtherLoad: s.known(func(r result) float64 { return r.other }),
		P50:       s.latency(func(r result) time.Duration { return r.p50 }).Median,
		P99:       s.latency(func(r result) time.Duration { return r.p99 }).Median,
		Max:       s.latency(func(r result) time.Duration { return r.max }).High,
		Late:      s.latency(func(r result) time.Duration { return r.late }).Median,
	}
	for _, done := range s.results {
		r.Succeeded += done.succeeded
		r.Failed += done.failed
		r.Unsent += done.unsent
	}
	if s.door == nil {
		r.Primitive, r.InFlight, r.ServerCPU = s.workload.primitive.label, runtime.GOMAXPROCS(0), nil
		return r
	}
	r.Transport, r.InFlight, r.PerCall = s.door.name, s.door.callers, s.door.size
	if s.rate == 0 {
		r.OfRaw = s.known(result.ofRaw)
		r.CPUOfRaw = s.known(result.cpuOfRaw)
	}
	return r
}

func (s *series) each(figure func(result) float64) []float64 {
	values := make([]float64, 0, len(s.results))
	for _, r := range s.results {
		values = append(values, figure(r))
	}
	return values
}

// known is the span of the rounds in which a figure is known, nil if there are none.
func (s *series) known(figure func(result) float64) *span {
	values := slices.DeleteFunc(s.each(figure), func(v float64) bool { return v < 0 })
	if len(values) == 0 {
		return nil
	}
	found := spanOf(values)
	return &found
}

// latency is the span in milliseconds of the rounds that have one, or zero.
func (s *series) latency(of func(result) time.Duration) span {
	found := s.known(func(r result) float64 { return float64(of(r)) / float64(time.Millisecond) })
	if found == nil {
		return span{}
	}
	return *found
}
