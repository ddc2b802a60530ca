package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/cpm"
)

func (a *app) statusCommand() *cobra.Command {
	var (
		dial func() *command.Client
		out  *output
		w    watching
	)
	c := a.command(verb{
		use: "status", short: "Show the state of a CPM, its adapters and its counters",
		long: "With --watch it is shown again and again until a signal comes: on a terminal in one place, with -o json a line each\n" +
			"time. A CPM that does not answer in between is waited for.",
		examples: []string{"cpm status", "cpm status -o json --socket /run/cpm/cpm.sock", "cpm status --watch --interval 5s"},
		run: func(ctx context.Context, _ []string) error {
			client := dial()
			defer client.Close()
			show := func() error {
				s, err := client.Status(ctx)
				if err != nil {
					return err
				}
				w.clear(a)
				return out.print(statusAnswer(s, time.Now()))
			}
			if !w.on {
				return show()
			}
			return a.watch(ctx, w.interval, show)
		},
	})
	c.Flags().BoolVar(&w.on, "watch", false, "show it again and again")
	c.Flags().DurationVar(&w.interval, "interval", defaultInterval, "time between two looks")
	dial, out = a.socketFlag(c), a.outputFlag(c)
	return c
}

func statusAnswer(s command.Status, now time.Time) answer {
	v := answer{message: s, names: []string{s.Name}}
	head := table{header: []string{"PROPERTY", "VALUE"}, rows: [][]string{
		{"name", s.Name},
		{"version", s.Version},
		{"state", string(s.State)},
		{"started", ago(s.Since, now)},
		{"revision", fmt.Sprint(s.Revision)},
		{"FSPs", fmt.Sprint(s.FSPs)},
		{"keys", fmt.Sprint(s.Keys)},
		{"late answers", fmt.Sprint(s.Late)},
		{"Mojaloop HTTP", s.Listen.MojaloopHTTP},
		{"Mojaloop gRPC", s.Listen.MojaloopGRPC},
		{"command port", s.Listen.Command},
		{"key update port", s.Listen.KeyUpdate},
		{"probes", s.Listen.Probes},
	}}
	if len(s.Listen.NotOpen) > 0 {
		head.rows = append(head.rows, []string{"not open", strings.Join(s.Listen.NotOpen, " ")})
	}
	if r := s.RiskAcceptance; r != nil {
		head.rows = append(head.rows, []string{"risk accepted", r.Date + " by " + r.By + ": " + r.Text})
	}
	adapters := table{header: []string{"ADAPTER", "KIND", "STATUS", "STATE", "ENABLED", "OPERATIONS"}}
	for _, x := range s.Adapters {
		adapters.rows = append(adapters.rows, []string{x.Name, x.Kind, x.Status, string(x.State), yesNo(x.Enabled), operations(x.Operations)})
	}
	counts := table{header: []string{"OPERATION", "FSP", "ADAPTER", "SUCCESS", "FAILED"}}
	for _, x := range s.Counts {
		counts.rows = append(counts.rows, []string{x.Operation, x.FSP, x.Adapter, fmt.Sprint(x.Success), fmt.Sprint(x.Failed)})
	}
	v.tables = []table{head, adapters, endpointTable(s.Adapters), counts}
	return v
}

func operations(all []cpm.Operation) string {
	var names []string
	for _, o := range all {
		names = append(names, string(o))
	}
	return strings.Join(names, ",")
}

func (a *app) versionCommand() *cobra.Command {
	var out *output
	c := a.command(verb{
		use: "version", short: "Show the version of this binary",
		examples: []string{"cpm version", "cpm version -o json"},
		run: func(context.Context, []string) error {
			return out.print(versionAnswer())
		},
	})
	out = a.outputFlag(c)
	return c
}

func versionAnswer() answer {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	message, _ := json.Marshal(struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{version(), runtime.Version(), platform})
	return answer{message: message, names: []string{version()}, tables: []table{{
		header: []string{"VERSION", "GO", "PLATFORM"}, rows: [][]string{{version(), runtime.Version(), platform}},
	}}}
}

// version is what the build recorded: the module's version, or the commit, marked when files had been changed.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	recorded := map[string]string{}
	for _, s := range info.Settings {
		recorded[s.Key] = s.Value
	}
	revision := recorded["vcs.revision"]
	if revision == "" {
		return "devel"
	}
	if recorded["vcs.modified"] == "true" {
		return "devel-" + revision + "+dirty"
	}
	return "devel-" + revision
}
