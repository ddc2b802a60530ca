package adapter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/obs"
)

// Bounds of what a managed process may write to the log: the length of a line, and how many lines that are no log lines,
// such as those of a panic.
const (
	maxLine  = 16 << 10
	maxStray = 200
)

// relayLog passes the log lines of a managed process on, with the adapter's name, until it ends.
func relayLog(ctx context.Context, r io.ReadCloser, log *slog.Logger, name string) {
	defer func() { _ = r.Close() }()
	lines, stray := bufio.NewReaderSize(r, maxLine), 0
	for {
		line, err := readLine(lines)
		if len(line) > 0 && !relay(ctx, log, name, line) {
			if stray++; stray <= maxStray {
				log.LogAttrs(ctx, slog.LevelError, "the adapter's process wrote what is no log line", obs.Event("adapter.output"),
					obs.Adapter(name), slog.String("line", string(line)))
			}
		}
		if err != nil {
			return
		}
	}
}

// readLine reads a line without its end. What is over maxLine is left out.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	line = slices.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line, err
}

// relay logs one line; false if it is no log line.
func relay(ctx context.Context, log *slog.Logger, name string, line []byte) bool {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return false
	}
	message, _ := fields[slog.MessageKey].(string)
	word, _ := fields[slog.LevelKey].(string)
	level, known := obs.ParseLevel(word)
	if message == "" || !known {
		return false
	}
	if !log.Enabled(ctx, level) {
		return true
	}
	record := slog.NewRecord(time.Now(), level, message, 0)
	for _, key := range sortedKeys(fields) {
		record.AddAttrs(slog.Any(key, fields[key]))
	}
	record.AddAttrs(obs.Adapter(name))
	_ = log.Handler().Handle(ctx, record)
	return true
}

// sortedKeys are the attributes of a line, without those the record has itself and without what is no plain value.
func sortedKeys(fields map[string]any) []string {
	own := obs.Adapter("").Key
	var keys []string
	for key, value := range fields {
		switch value.(type) {
		case string, float64, bool:
		default:
			continue
		}
		if key != slog.MessageKey && key != slog.LevelKey && key != slog.TimeKey && key != own {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
