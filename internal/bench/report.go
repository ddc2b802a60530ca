package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The words of Config.Format.
const (
	formatTable    = "table"
	formatMarkdown = "markdown"
	formatJSON     = "json"
)

// report is everything one run found out.
type report struct {
	Machine machine `json:"machine"`
	Load    load    `json:"load"`
	// Closed has each raw primitive, followed by what is compared with it.
	Closed []row `json:"closedLoop"`
	Open   []row `json:"openLoop,omitempty"`
	// Sampled signatures went back through the server's verification; SampledGood of them verified.
	Sampled     int       `json:"signaturesSampled"`
	SampledGood int       `json:"signaturesSampledGood"`
	Failures    []failure `json:"failures,omitempty"`
}

// load is what was asked of the server.
type load struct {
	Seconds     float64 `json:"secondsPerCase"`
	Rounds      int     `json:"rounds"`
	Concurrency int     `json:"inFlight"`
	Batch       int     `json:"batch"`
	BodyBytes   int     `json:"bodyBytes"`
	// JSON is http or https, GRPC is plain TCP or TLS; empty for a port that was not driven.
	JSON string `json:"json,omitempty"`
	GRPC string `json:"grpc,omitempty"`
}

// loadOf describes the load of a configuration, given one of its requests.
func loadOf(c Config, request *cpmv1.ProcessRequest) load {
	l := load{
		Seconds: c.Duration.Seconds(), Rounds: c.Rounds, Concurrency: c.Concurrency, Batch: c.Batch,
		BodyBytes: len(request.GetJwsSign().GetBody()) + len(request.GetJwsVerify().GetBody()),
	}
	if c.Address != "" {
		l.JSON, _, _ = strings.Cut(c.Address, ":")
	}
	if c.GRPCAddress != "" {
		l.GRPC = "plain TCP"
		if c.TLS != nil {
			l.GRPC = "TLS"
		}
	}
	return l
}

func (d *driver) report(groups []group) *report {
	first := groups[0].raw.workload.single[0].items[0]
	r := &report{
		Machine: thisMachine(),
		Load:    loadOf(d.config, first),
		Sampled: d.sampled, SampledGood: d.sampledGood, Failures: d.tally.failures(),
	}
	for _, g := range groups {
		r.Closed = append(r.Closed, g.raw.row())
		for _, s := range g.closed {
			r.Closed = append(r.Closed, s.row())
		}
		for _, s := range g.open {
			r.Open = append(r.Open, s.row())
		}
	}
	return r
}

// failures is the number of operations that failed, warming up and samples included.
func (r *report) failures() int {
	sum := 0
	for _, f := range r.Failures {
		sum += f.Operations
	}
	return sum
}

// write renders the report.
func (r *report) write(w io.Writer, format string) error {
	if format == formatJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var b strings.Builder
	table := alignedTable
	if format == formatMarkdown {
		table = markdownTable
	}
	for _, line := range r.heading() {
		b.WriteString(line + "\n")
	}
	b.WriteString("\n" + table(closedColumns(), r.Closed))
	if len(r.Open) > 0 {
		b.WriteString("\n" + r.openHeading() + "\n\n" + table(openColumns(), r.Open))
	}
	b.WriteString("\n" + r.ending())
	_, err := io.WriteString(w, b.String())
	return err
}

// heading says what the figures are, a paragraph a line.
func (r *report) heading() []string {
	m, l := r.Machine, r.Load
	ports := make([]string, 0, 2)
	if l.JSON != "" {
		ports = append(ports, "JSON by "+l.JSON)
	}
	if l.GRPC != "" {
		ports = append(ports, "gRPC by "+l.GRPC)
	}
	return []string{
		fmt.Sprintf("%d cores, %s, %s %s, GOMAXPROCS %d in the driver, %s", m.Cores, m.CPU, m.Go, m.OS, m.Procs, m.Date.Format("2006-01-02 15:04 MST")),
		"",
		fmt.Sprintf("Closed loop, %d in flight, bodies of %d bytes, %s, %g s a case, median of %d rounds (lowest–highest).",
			l.Concurrency, l.BodyBytes, strings.Join(ports, ", "), l.Seconds, l.Rounds),
		"raw is the primitive alone, Go's standard library in this process on all cores; of raw compares rates of the same round.",
		"CPU is µs of user and system time an operation; CPU ÷ raw is both sides' CPU over that of the primitive alone.",
		"The driver shares the cores with the server; its requests are encoded beforehand. Latency of a batch is that of the whole batch.",
	}
}

func (r *report) openHeading() string {
	return "Open loop: arrivals by the clock, latency from when each was due. Unsent arrivals found no free caller within " + patience.String() +
		"; their wait counts as latency. Late is the driver's own delay, a part of the latencies."
}

// busy is the share of the machine that others may use before the report warns of it.
const busy = 0.10

// disturbed is the highest median of the load by others, and whether it spoils the figures.
func (r *report) disturbed() (load float64, spoilt bool) {
	for _, rows := range [][]row{r.Closed, r.Open} {
		for _, row := range rows {
			if row.OtherLoad != nil {
				load = max(load, row.OtherLoad.Median)
			}
		}
	}
	return load, load > busy
}

// ending says whether the answers were right and the figures are sound.
func (r *report) ending() string {
	var b strings.Builder
	if load, spoilt := r.disturbed(); spoilt {
		fmt.Fprintf(&b, "Other programs used up to %s of the machine: rates and latencies are theirs as well, compare CPU.\n", percent(load))
	}
	fmt.Fprintf(&b, "%d of %d sampled signatures verified through the server. %d operations failed.\n", r.SampledGood, r.Sampled, r.failures())
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "- %d × %s: %s\n", f.Operations, f.Case, f.Reason)
	}
	return b.String()
}

// alignedTable is for a terminal.
func alignedTable(columns []column, rows []row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range cells(columns, rows) {
		_, _ = fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush() // into memory
	return b.String()
}

// markdownTable is for documentation.
func markdownTable(columns []column, rows []row) string {
	lines := cells(columns, rows)
	rule := make([]string, len(columns))
	for i := range rule {
		rule[i] = "---"
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| " + strings.Join(rule, " | ") + " |\n")
		}
	}
	return b.String()
}
