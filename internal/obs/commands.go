package obs

import "github.com/prometheus/client_golang/prometheus"

// CommandCount is core's own counter of one command, since start. Whatever was no command is counted as Invalid under "".
type CommandCount struct {
	Command string `json:"command"`
	Success uint64 `json:"success"`
	Failed  uint64 `json:"failed"`
	Invalid uint64 `json:"invalid"`
}

// commands is the collector over the counters of commands.
type commands struct {
	src  func() []CommandCount
	desc *prometheus.Desc
}

// CommandCollector shows the counters as cpm_commands_total{command,result} with result success, failed or invalid.
func CommandCollector(src func() []CommandCount) prometheus.Collector {
	return commands{src, prometheus.NewDesc("cpm_commands_total", "Commands that were answered.", []string{"command", "result"}, nil)}
}

// Describe sends the one description.
func (c commands) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect sends three metrics for each command.
func (c commands) Collect(ch chan<- prometheus.Metric) {
	for _, n := range c.src() {
		for result, value := range map[string]uint64{"success": n.Success, "failed": n.Failed, "invalid": n.Invalid} {
			ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(value), n.Command, result)
		}
	}
}
