package bench

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

// record is what one caller, or all of a case, did.
type record struct {
	// calls have been made; succeeded and failed are their operations.
	calls, succeeded, failed int
	// unsent arrivals were given up, because no caller was free in time.
	unsent int
	// latencies are those of the calls without a failure, and how long unsent arrivals had waited: the least that their
	// latency could have been.
	latencies []time.Duration
	// lateness is how much after its time the driver itself noticed each arrival: a part of the latency that the server
	// cannot help.
	lateness []time.Duration
}

// giveUp records an arrival that nobody sent.
func (r *record) giveUp(waited time.Duration) {
	r.unsent++
	r.latencies = append(r.latencies, waited)
}

// join adds records up.
func join(records []record) *record {
	sum := new(record)
	for _, r := range records {
		sum.calls += r.calls
		sum.succeeded += r.succeeded
		sum.failed += r.failed
		sum.unsent += r.unsent
		sum.latencies = append(sum.latencies, r.latencies...)
		sum.lateness = append(sum.lateness, r.lateness...)
	}
	return sum
}

// percentile is the nearest rank: the smallest value that is not below the share p of all values, 0 < p ≤ 1. The values are
// sorted; of none it is 0.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// span is the median of the rounds with the lowest and the highest.
type span struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// spanOf is the span of values; of none it is zero. Between two middle values the median is half-way.
func spanOf(values []float64) span {
	if len(values) == 0 {
		return span{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return span{Median: median, Low: sorted[0], High: sorted[len(sorted)-1]}
}

// maxReasons is the number of different reasons of failures that are kept apart in a case.
const maxReasons = 5

// tally counts failed operations by reason. It is used by many goroutines.
type tally struct {
	mu      sync.Mutex
	where   string
	reasons map[reason]int
	// different is the number of reasons of the present case.
	different int
}

// reason is why operations failed, and in which case.
type reason struct{ where, text string }

// at names the case that failures belong to from now on.
func (t *tally) at(where string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.where, t.different = where, 0
}

// add counts operations that failed for a reason.
func (t *tally) add(err error, operations int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reasons == nil {
		t.reasons = map[reason]int{}
	}
	r := reason{where: t.where, text: err.Error()}
	if _, known := t.reasons[r]; !known {
		if t.different++; t.different > maxReasons {
			r.text = "other reasons"
		}
	}
	t.reasons[r] += operations
}

// failure is a line of the report's last part.
type failure struct {
	Case       string `json:"case"`
	Reason     string `json:"reason"`
	Operations int    `json:"operations"`
}

// failures lists the reasons, the most frequent first.
func (t *tally) failures() []failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []failure
	for r, n := range t.reasons {
		found = append(found, failure{Case: r.where, Reason: r.text, Operations: n})
	}
	slices.SortFunc(found, func(a, b failure) int {
		return cmp.Or(cmp.Compare(b.Operations, a.Operations), cmp.Compare(a.Case, b.Case), cmp.Compare(a.Reason, b.Reason))
	})
	return found
}
