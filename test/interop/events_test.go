package interop

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/events"
	"github.com/mojaloop/cpm/internal/obs"
)

// The server of Mojaloop's event-sdk reads from the wire what was sent.
func TestEventSDKReadsOurEvents(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "node", "events.js")
	command.Dir = "node"
	in, err := command.StdinPipe()
	fatal(t, err)
	out, err := command.StdoutPipe()
	fatal(t, err)
	fatal(t, command.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	lines := bufio.NewReader(out)
	port, err := lines.ReadString('\n')
	fatal(t, err)

	f := events.New(t.Context(), events.Config{
		Transport: events.NewSidecar("127.0.0.1:"+strings.TrimSpace(port), nil), Next: obs.NewLogger(io.Discard, "json", obs.LevelInfo).Handler(),
	})
	log, trace := slog.New(f.Handler()), strings.Repeat("ab", 16)
	log.LogAttrs(t.Context(), obs.LevelAudit, "a key has been changed", obs.Event("key.added"), obs.FSP("payerfsp"))
	log.LogAttrs(t.Context(), slog.LevelWarn, "request declined", obs.Event("request.declined"), obs.TraceID(trace), obs.ErrorCode("3100"))
	f.Close(t.Context())
	if got := f.Counts(); got != (events.Counts{Sent: 2}) {
		t.Errorf("%+v", got)
	}
	var got []string
	for range 2 {
		line, err := lines.ReadBytes('\n')
		fatal(t, err)
		var m events.Message
		fatal(t, json.Unmarshal(line, &m))
		e, content := m.Metadata.Event, map[string]any{}
		fatal(t, json.Unmarshal(m.Content, &content))
		of := ""
		if m.Metadata.Trace != nil {
			of = m.Metadata.Trace.Service + " " + m.Metadata.Trace.TraceID
		}
		code, _ := content["event"].(string)
		got = append(got, strings.Join([]string{m.From, m.Type, e.Type, e.Action, e.State.Status, e.State.Description, of, code}, "|"))
	}
	if diff := cmp.Diff([]string{
		"cpm|application/json|audit|default|success|a key has been changed||key.added",
		"cpm|application/json|log|warn|failed|request declined|cpm " + trace + "|request.declined",
	}, got); diff != "" {
		t.Error(diff)
	}
}
