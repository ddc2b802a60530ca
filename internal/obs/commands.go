package obs

import "github.com/prometheus/client_golang/prometheus"

// CommandCount is core's own counter of one command, since start. Whatever was no command is counted as Invalid under "".
type CommandCount struct {
	Command string `json:"command"`
	Success uint64 `json:"success"`
	Failed  uint64 `json:"failed"`
	Invalid uint64 `json:"invalid"`
}

// UpdateCount is core's own counter of one action of key updates for one FSP, since start. FSP is empty for updates that name
// no FSP of this CPM, Action for those whose action could not be read.
type UpdateCount struct {
	FSP     string `json:"fsp"`
	Action  string `json:"action"`
	Success uint64 `json:"success"`
	Failed  uint64 `json:"failed"`
	Invalid uint64 `json:"invalid"`
}

// outcomes is a collector of counters with a label result: success, failed or invalid.
type outcomes struct {
	desc *prometheus.Desc
	each func(count func(success, failed, invalid uint64, labels ...string))
}

// CommandCollector shows the counters as cpm_commands_total{command,result} with result success, failed or invalid.
func CommandCollector(src func() []CommandCount) prometheus.Collector {
	desc := prometheus.NewDesc("cpm_commands_total", "Commands that were answered.", []string{"command", "result"}, nil)
	return outcomes{desc, func(count func(success, failed, invalid uint64, labels ...string)) {
		for _, n := range src() {
			count(n.Success, n.Failed, n.Invalid, label(n.Command))
		}
	}}
}

// UpdateCollector shows the counters as cpm_key_updates_total{action,result}, and withFSP the label fsp besides; without it
// the FSPs are summed.
func UpdateCollector(src func() []UpdateCount, withFSP bool) prometheus.Collector {
	labels := []string{"action", "result"}
	if withFSP {
		labels = []string{"action", "fsp", "result"}
	}
	desc := prometheus.NewDesc("cpm_key_updates_total", "Key updates that were answered.", labels, nil)
	return outcomes{desc, func(count func(success, failed, invalid uint64, labels ...string)) {
		sums := map[[2]string]UpdateCount{}
		for _, n := range src() {
			key := [2]string{label(n.Action), ""}
			if withFSP {
				key[1] = label(n.FSP)
			}
			s := sums[key]
			sums[key] = UpdateCount{Success: s.Success + n.Success, Failed: s.Failed + n.Failed, Invalid: s.Invalid + n.Invalid}
		}
		for key, n := range sums {
			if withFSP {
				count(n.Success, n.Failed, n.Invalid, key[0], key[1])
			} else {
				count(n.Success, n.Failed, n.Invalid, key[0])
			}
		}
	}}
}

// Describe sends the one description.
func (o outcomes) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect sends three metrics for each set of labels.
func (o outcomes) Collect(ch chan<- prometheus.Metric) {
	o.each(func(success, failed, invalid uint64, labels ...string) {
		for result, value := range map[string]uint64{"success": success, "failed": failed, "invalid": invalid} {
			ch <- prometheus.MustNewConstMetric(o.desc, prometheus.CounterValue, float64(value), append(labels[:len(labels):len(labels)], result)...)
		}
	})
}
