package nemesis

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/mojaloop/cpm/internal/cpm"
)

// counted is what the CPM counts, by its metrics, and checks that Status counts the same operations.
func (w *world) counted() (counters, error) {
	scraped, err := w.scrape()
	if err != nil {
		return counters{}, err
	}
	status, err := w.Admin.Status(w.t.Context())
	if err != nil {
		return counters{}, err
	}
	byStatus := map[cpm.Operation]outcomes{}
	for _, c := range status.Counts {
		n := byStatus[cpm.Operation(c.Operation)]
		n.Success, n.Failed = n.Success+int(c.Success), n.Failed+int(c.Failed)
		byStatus[cpm.Operation(c.Operation)] = n
	}
	if a, b := fmt.Sprint(byStatus), fmt.Sprint(scraped.Operations); a != b {
		return counters{}, fmt.Errorf("Status counts %s, the metrics %s", a, b)
	}
	return scraped, nil
}

// scrape reads the metrics in the words of the checker.
func (w *world) scrape() (counters, error) {
	c := newCounters()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+w.at.Load().Probes+"/metrics", http.NoBody)
	if err != nil {
		return c, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return c, err
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		sample, number, _ := strings.Cut(lines.Text(), "} ")
		value, err := strconv.ParseFloat(number, 64)
		if err != nil || value == 0 {
			continue
		}
		c.take(sample, int(value))
	}
	return c, nil
}

func (c counters) take(sample string, n int) {
	name, _, _ := strings.Cut(sample, "{")
	switch name {
	case "cpm_operations_total":
		operation := cpm.Operation(label(sample, "operation"))
		o := c.Operations[operation]
		if label(sample, "result") == "success" {
			o.Success += n
		} else {
			o.Failed += n
		}
		c.Operations[operation] = o
	case "cpm_declines_total":
		c.Declines[label(sample, "kind")+" "+label(sample, "port")] += n
	case "cpm_request_duration_seconds_count":
		c.Asked[label(sample, "port")] += n
	case "cpm_signature_refusals_total":
		c.Refused[label(sample, "reason")] += n
	}
}

// label finds the value of a label in a sample.
func label(sample, name string) string {
	_, rest, _ := strings.Cut(sample, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
