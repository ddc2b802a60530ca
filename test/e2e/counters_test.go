package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tally counts what was asked for and what came back, by the words of the metrics.
type tally struct {
	mu sync.Mutex
	// counts have keys such as "asked json", "declined invalid json", "refused crit-refused".
	counts map[string]int
	ids    map[string]bool // request ids of declines
	// others are requests that are no operation, such as for the OpenAPI document.
	others int
}

func newTally() *tally { return &tally{counts: map[string]int{}, ids: map[string]bool{}} }

// add counts one operation that was asked for on a port, or another request, with its answer.
func (y *tally) add(port string, a answer) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.counts["asked "+port]++
	switch {
	case a.kind != "":
		y.counts["declined "+a.kind+" "+port]++
		y.ids[a.requestID] = true
	case a.reason != "":
		y.counts["refused "+a.reason]++
	}
}

// addOther counts a request that is no operation and was answered well.
func (y *tally) addOther(port string) {
	y.add(port, answer{})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.others++
}

// addRefused counts a connection that did not come about.
func (y *tally) addRefused(port string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.counts["handshakes "+port]++
}

// declines is the number of all.
func (y *tally) declines() int { return len(y.ids) }

// asked is the number of all.
func (y *tally) asked() int { return y.counts["asked json"] + y.counts["asked grpc"] }

// metrics are the samples of a scrape by name and labels, as they are written.
type metrics map[string]float64

// scrape reads /metrics.
func (p *process) scrape(t testing.TB) metrics {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.At.Probes+"/metrics", http.NoBody)
	must(t, err)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	all := metrics{}
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			must(t, err)
			all[line[:at]] = v
		}
	}
}

// sum adds up the samples of a metric that have all the labels, each written like port="json".
func (m metrics) sum(name string, labels ...string) int {
	total := 0.0
	for sample, v := range m {
		rest, ok := strings.CutPrefix(sample, name)
		if !ok || rest != "" && rest[0] != '{' {
			continue
		}
		for _, l := range labels {
			ok = ok && strings.Contains(rest, l)
		}
		if ok {
			total += v
		}
	}
	return int(total)
}

// label finds the value of a label in a sample.
func label(sample, name string) string {
	_, rest, _ := strings.Cut(sample, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// tallied gives the metrics in the words of a tally.
func (m metrics) tallied() map[string]int {
	counts := map[string]int{}
	for sample, v := range m {
		name, _, _ := strings.Cut(sample, "{")
		port := label(sample, "port")
		switch name {
		case "cpm_request_duration_seconds_count":
			counts["asked "+port] += int(v)
		case "cpm_declines_total":
			counts["declined "+label(sample, "kind")+" "+port] += int(v)
		case "cpm_signature_refusals_total":
			counts["refused "+label(sample, "reason")] += int(v)
		case "cpm_handshake_failures_total":
			counts["handshakes "+port] += int(v)
		}
	}
	return counts
}

// addUp holds what the test saw against the metrics, the metrics against Status, and both against the log: each request
// is counted once, each decline logged once.
func (w *world) addUp(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is in flight", func() error {
		if n := w.scrape(t).sum("cpm_inflight"); n != 0 {
			return fmt.Errorf("%d requests", n)
		}
		return nil
	})
	scraped := w.scrape(t)
	if diff := cmp.Diff(w.tally.counts, scraped.tallied()); diff != "" {
		t.Errorf("the test saw this, the metrics say that (-test +metrics):\n%s", diff)
	}
	status, err := w.Admin.Status(t.Context())
	must(t, err)
	var success, failed int
	for _, c := range status.Counts {
		success += int(c.Success)
		failed += int(c.Failed)
	}
	const operations = "cpm_operations_total"
	if got := [2]int{scraped.sum(operations, `result="success"`), scraped.sum(operations, `result="failed"`)}; got != [2]int{success, failed} {
		t.Errorf("the metrics count %v, Status %d and %d", got, success, failed)
	}
	core, port := w.logged("request declined"), w.logged("request declined at the port")
	if n := len(core) + len(port); n != w.tally.declines() {
		t.Errorf("%d declines are logged, %d were answered", n, w.tally.declines())
	}
	for _, e := range append(core, port...) {
		if !w.tally.ids[e.RequestID] {
			t.Errorf("the log has a decline nobody got: %s", e.RequestID)
		}
	}
	if len(core) != failed {
		t.Errorf("the core logged %d declines and counts %d", len(core), failed)
	}
	if all := success + failed + len(port) + w.tally.others; all != w.tally.asked() {
		t.Errorf("%d requests were made; %d succeeded and %d failed in the core, %d were declined at the port, %d were no operations",
			w.tally.asked(), success, failed, len(port), w.tally.others)
	}
}

// logged lists the events with this text.
func (p *process) logged(msg string) []event {
	return p.log.where(func(e event) bool { return e.Msg == msg })
}
