package bench

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.5, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{1, 2}, 0.5, 1},
		{[]time.Duration{1, 2, 3}, 0.5, 2},
		{[]time.Duration{15, 20, 35, 40, 50}, 0.05, 15},
		{[]time.Duration{15, 20, 35, 40, 50}, 0.30, 20},
		{[]time.Duration{15, 20, 35, 40, 50}, 0.40, 20},
		{[]time.Duration{15, 20, 35, 40, 50}, 0.50, 35},
		{[]time.Duration{15, 20, 35, 40, 50}, 1, 50},
		{hundred, 0.50, 50},
		{hundred, 0.99, 99},
		{hundred, 0.991, 100},
		{hundred, 1, 100},
	} {
		if got := percentile(test.values, test.p); got != test.want {
			t.Errorf("percentile(%v, %v) = %d, want %d", test.values, test.p, got, test.want)
		}
	}
}

func TestSpanIsMedianAndRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   span
	}{
		{nil, span{}},
		{[]float64{2}, span{2, 2, 2}},
		{[]float64{3, 1}, span{2, 1, 3}},
		{[]float64{5, 1, 2}, span{2, 1, 5}},
		{[]float64{4, 1, 3, 2}, span{2.5, 1, 4}},
	} {
		if diff := cmp.Diff(test.want, spanOf(test.values)); diff != "" {
			t.Errorf("spanOf(%v) (-want +got):\n%s", test.values, diff)
		}
	}
}

func TestTheTallyKeepsCountWhenItStopsKeepingReasons(t *testing.T) {
	t.Parallel()
	count := new(tally)
	for _, where := range []string{"first", "second"} {
		count.at(where)
		for i := range 2 * maxReasons {
			count.add(fmt.Errorf("reason %d", i), i)
		}
		count.add(errors.New("reason 1"), 1)
	}
	sum := 0
	kept := map[string]int{}
	for _, f := range count.failures() {
		sum += f.Operations
		kept[f.Case]++
	}
	if want := 2 * (45 + 1); sum != want {
		t.Errorf("%d operations, want %d", sum, want)
	}
	if want := map[string]int{"first": maxReasons + 1, "second": maxReasons + 1}; !cmp.Equal(kept, want) {
		t.Errorf("reasons kept: %v, want %v", kept, want)
	}
}

func TestProcessTimeIsReadBehindAnyName(t *testing.T) {
	t.Parallel()
	const rest = " S 1 2 3 0 -1 4194560 10 0 0 0 150 50 7 9 20 0 9 0 100 200 300\n"
	for name, test := range map[string]struct {
		text string
		want time.Duration
		bad  bool
	}{
		"plain name":      {text: "12 (cpm)" + rest, want: 2 * time.Second},
		"spaces":          {text: "12 (a b c)" + rest, want: 2 * time.Second},
		"parentheses":     {text: "12 (x) R 9 (y))" + rest, want: 2 * time.Second},
		"empty":           {text: "", bad: true},
		"no name":         {text: "12 cpm" + rest, bad: true},
		"too short":       {text: "12 (cpm) S 1 2 3 0 -1 4194560 10 0 0 0 150\n", bad: true},
		"not a number":    {text: "12 (cpm) S 1 2 3 0 -1 4194560 10 0 0 0 x 50 7\n", bad: true},
		"negative number": {text: "12 (cpm) S 1 2 3 0 -1 4194560 10 0 0 0 -1 50 7\n", bad: true},
	} {
		got, err := parseProcess([]byte(test.text))
		if got != test.want && !test.bad || (err != nil) != test.bad {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
}

func TestMachineTimeLeavesIdleAndStolenTimeOut(t *testing.T) {
	t.Parallel()
	got, err := machineTime([]byte("cpu  100 200 300 9999 8888 10 20 7777 6666 5555\ncpu0 1 1 1 1 1 1 1\n"))
	if want := 6300 * time.Millisecond; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu a b c d e f g"} {
		if _, err := machineTime([]byte(text)); err == nil {
			t.Errorf("%q is taken for a line of /proc/stat", text)
		}
	}
}

func TestUsageStaysUnknownWhenOneReadingIs(t *testing.T) {
	t.Parallel()
	earlier := usage{client: 1, server: unknown, machine: 5}
	later := usage{client: 4, server: 9, machine: 4}
	want := usage{client: 3, server: unknown, machine: 0}
	if got := later.since(earlier); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheModelOfTheCPUIsFound(t *testing.T) {
	t.Parallel()
	if got, want := cpuModel([]byte("processor\t: 0\nmodel\t\t: 17\nmodel name\t: Fast 9000: Two\n")), "Fast 9000: Two"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := cpuModel(nil), "CPU model unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
