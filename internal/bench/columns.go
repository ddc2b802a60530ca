package bench

import (
	"fmt"
	"math"
	"strconv"
)

// column is a column of the report's tables.
type column struct {
	title string
	cell  func(row) string
}

func closedColumns() []column {
	return []column{
		{"algorithm", func(r row) string { return r.Algorithm }},
		{"operation", func(r row) string { return r.Operation }},
		{"through", through},
		{"ops/s", func(r row) string { return spanText(&r.Rate, grouped) }},
		{"of raw", func(r row) string { return spanText(r.OfRaw, hundredths) }},
		{"CPU client", func(r row) string { return medianText(r.ClientCPU, significant) }},
		{"CPU server", func(r row) string { return medianText(r.ServerCPU, significant) }},
		{"CPU ÷ raw", func(r row) string { return spanText(r.CPUOfRaw, hundredths) }},
		{"p50 ms", func(r row) string { return significant(r.P50) }},
		{"p99 ms", func(r row) string { return significant(r.P99) }},
		{"max ms", func(r row) string { return significant(r.Max) }},
		{"other load", func(r row) string { return medianText(r.OtherLoad, percent) }},
		{"failed", func(r row) string { return strconv.Itoa(r.Failed) }},
	}
}

func openColumns() []column {
	return []column{
		{"algorithm", func(r row) string { return r.Algorithm }},
		{"operation", func(r row) string { return r.Operation }},
		{"through", through},
		{"arrivals/s", func(r row) string { return grouped(float64(r.Arrivals)) }},
		{"answered/s", func(r row) string { return spanText(&r.Rate, grouped) }},
		{"CPU client", func(r row) string { return medianText(r.ClientCPU, significant) }},
		{"CPU server", func(r row) string { return medianText(r.ServerCPU, significant) }},
		{"p50 ms", func(r row) string { return significant(r.P50) }},
		{"p99 ms", func(r row) string { return significant(r.P99) }},
		{"max ms", func(r row) string { return significant(r.Max) }},
		{"late p99 ms", func(r row) string { return significant(r.Late) }},
		{"other load", func(r row) string { return medianText(r.OtherLoad, percent) }},
		{"unsent", func(r row) string { return strconv.Itoa(r.Unsent) }},
		{"failed", func(r row) string { return strconv.Itoa(r.Failed) }},
	}
}

// through names the transport, and what differs from the heading.
func through(r row) string {
	switch {
	case r.Transport == "":
		return "raw " + r.Primitive
	case r.PerCall > 1:
		return fmt.Sprintf("%s (%d × %d)", r.Transport, r.InFlight, r.PerCall)
	}
	return r.Transport
}

// cells are the texts of a table, its titles first.
func cells(columns []column, rows []row) [][]string {
	lines := make([][]string, 0, len(rows)+1)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	lines = append(lines, titles)
	for _, r := range rows {
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = c.cell(r)
		}
		lines = append(lines, line)
	}
	return lines
}

// nothing stands for a figure that is not known.
const nothing = "–"

func spanText(s *span, text func(float64) string) string {
	if s == nil {
		return nothing
	}
	if s.Low == s.High {
		return text(s.Median)
	}
	return text(s.Median) + " (" + text(s.Low) + "–" + text(s.High) + ")"
}

func medianText(s *span, text func(float64) string) string {
	if s == nil {
		return nothing
	}
	return text(s.Median)
}

// grouped is a whole number with commas between thousands.
func grouped(v float64) string {
	digits := strconv.FormatInt(int64(math.Round(v)), 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func hundredths(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 0, 64) + " %" }

// significant shows about three digits: fewer decimals the larger the number.
func significant(v float64) string {
	switch {
	case v >= 100:
		return grouped(v)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
