package obs

import (
	"io"
	"log/slog"
	"time"
)

// FormatMojaloop is the console line of Mojaloop's logger; every other format is JSON, one object a line.
const FormatMojaloop = "mojaloop"

// NewLogger makes the logger of a process. Each record is one line in one Write, whatever its values hold: control
// characters, line separators and invisible characters are escaped. It may be used by several goroutines.
//
// The JSON form has time (RFC 3339, UTC, nanoseconds), level (the names of ParseLevel), msg and the attributes.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	out := plainWriter{w}
	if format == FormatMojaloop {
		return slog.New(newMojaloopHandler(out, level))
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: replaceBuiltin}))
}

// replaceBuiltin gives time and level their form; attributes pass.
func replaceBuiltin(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch v := a.Value; {
	case a.Key == slog.TimeKey && v.Kind() == slog.KindTime:
		return slog.String(a.Key, v.Time().UTC().Format(time.RFC3339Nano))
	case a.Key == slog.LevelKey && v.Kind() == slog.KindAny:
		if level, ok := v.Any().(slog.Level); ok {
			return slog.String(a.Key, LevelName(level))
		}
	}
	return a
}
